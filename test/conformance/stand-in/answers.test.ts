import { expect, test } from 'vitest';
import { handlers } from '../../stand-in/api/handlers.ts';
import { testAccount } from './account.ts';

test('every answer of every read fits its published schema', async () => {
  await using account = await testAccount();
  const { storageId, seeded, standIn } = account;
  const { assetId, formatId, fileSetId, fileId } = await account.ingest('a.mov');
  const cloudFile = await account.ingest('b.mov', seeded.cloud.filesId);
  await account.call('PATCH', `files/v1/assets/${assetId}/files/${fileId}/`, { status: 'CLOSED', checksum: 'c' });
  const proxy = await account.call('POST', `files/v1/assets/${assetId}/proxies/`, {
    name: 'p',
    resolution: { width: 1, height: 1 },
  });
  const keyframe = await account.call('POST', `files/v1/assets/${assetId}/keyframes/`, { name: 'k', type: 'KEYFRAME' });
  const collection = await account.call('POST', 'assets/v1/collections/', { title: 'c', external_id: 'e' });
  await account.call('POST', 'assets/v1/collections/', { title: 'd', parent_id: String(collection.body.id) });
  const viewId = crypto.randomUUID();
  standIn.records.views.set(viewId, ['Title']);
  const workerId = crypto.randomUUID();
  const gateway = `files/v1/storage_gateways/${seeded.gatewayIds[0]}`;
  await account.call('POST', `${gateway}/telemetry/`, { worker_id: workerId, log_lines: ['x'] });
  await account.call('PUT', `files/v1/storages/${storageId}/gateway/report/`, { status: 'LIVE' });
  const upload = standIn.orderUpload({ fileSetId, destinationStorageId: seeded.cloud.filesId });
  const download = standIn.orderDownload({ fileSetId: cloudFile.fileSetId, storageId, directoryPath: '' });
  const temporary = await account.call('POST', `files/v1/assets/${assetId}/temporary_file_sets/`, {
    format_id: formatId,
    base_dir: '',
    name: 't',
    component_ids: [],
    job_id: upload.jobId,
  });
  const transcode = standIn.orderTranscode({ fileId });
  standIn.orderDelete({ fileId });
  const ids: Record<string, string> = {
    storage_id: storageId,
    asset_id: assetId,
    format_id: formatId,
    file_set_id: fileSetId,
    file_id: fileId,
    proxy_id: String(proxy.body.id),
    keyframe_id: String(keyframe.body.id),
    collection_id: String(collection.body.id),
    object_type: 'assets',
    object_id: assetId,
    view_id: viewId,
    storage_gateway_id: seeded.gatewayIds[0] ?? '',
    cluster_id: seeded.clusterId,
    worker_id: workerId,
    job_id: upload.jobId,
    record_id: transcode.recordId,
    checksum: 'c',
    purpose: 'PROXIES',
    method: 'GCS',
  };
  const statuses: Record<string, number> = {};
  for (const key of Object.keys(handlers).filter((name) => name.startsWith('GET '))) {
    const transferId = key.includes('transfers_to') ? download.recordId : upload.recordId;
    const own: Record<string, string> = key.includes('temporary_file_sets')
      ? { file_set_id: String(temporary.body.id) }
      : {};
    const path = key
      .slice('GET /API/'.length)
      .replaceAll(/\{(\w+)\}/g, (_all, name: string) => ({ ...ids, ...own })[name] ?? transferId);
    const ofCollection = key.includes('/contents/') ? '?object_types=collections' : '';
    const query = key.includes('storage_gateway_clusters') ? '?view_nodes=true&view_stats=true' : ofCollection;
    statuses[key] = (await account.call('GET', path + query)).status;
  }
  expect(standIn.state().answerFaults).toEqual([]);
  const odd = Object.entries(statuses).filter(
    ([key, status]) =>
      status !== 200 && !/multipart_url|files\/\{file_id\}\/download_url|checksum|urls\/verify/.test(key),
  );
  expect(odd).toEqual([]);
});
