import { expect, test } from 'vitest';
import { testAccount } from './account.ts';

const ids = (body: Record<string, unknown>): string[] => (body.objects as { id: string }[]).map(({ id }) => id);

test('the same creation twice makes two records', async () => {
  await using account = await testAccount();
  await account.ingest('a.mov');
  await account.ingest('a.mov');
  const { assets, formats, fileSets, files, answerFaults } = account.standIn.state();
  expect([assets.length, formats.length, fileSets.length, files.length]).toEqual([2, 2, 2, 2]);
  expect(answerFaults).toEqual([]);
});

test('assets are listed by page, newest first, with summaries of their files', async () => {
  let nowMs = Date.now();
  await using account = await testAccount({ nowMs: () => nowMs });
  const made: string[] = [];
  for (let index = 0; index < 12; index += 1) {
    nowMs += 1000;
    made.push((await account.ingest(`${index}.mov`)).assetId);
  }
  const first = (await account.call('GET', 'assets/v1/assets/?sort=date_created,desc')).body;
  expect(ids(first)).toEqual(made.toReversed().slice(0, 10));
  expect(first).toMatchObject({ page: 1, pages: 2, per_page: 10, total: 12, prev_url: null });
  expect((first.objects as { files: unknown[] }[])[0]?.files).toMatchObject([{ name: '11.mov' }]);
  const next = await account.call('GET', String(first.next_url).replace('/API/', ''));
  expect(ids(next.body)).toEqual(made.toReversed().slice(10));
});

test('queues are paged by key, also after the record named last is gone', async () => {
  await using account = await testAccount();
  const { fileId } = await account.ingest('a.mov');
  const records = Array.from({ length: 13 }, () => account.standIn.orderTranscode({ fileId }).recordId);
  const path = `transcode/v1/storages/${account.storageId}/transcode/`;
  expect(ids((await account.call('GET', path)).body)).toEqual(records.slice(0, 10));
  await account.call('DELETE', `${path}${records[9]}/`);
  expect(ids((await account.call('GET', `${path}?last_id=${records[9]}`)).body)).toEqual(records.slice(10));
});

test('events come after last_id and are purged by id', async () => {
  await using account = await testAccount();
  const { fileId } = await account.ingest('a.mov');
  const [first, second] = [
    account.standIn.orderTranscode({ fileId }).eventId,
    account.standIn.orderTranscode({ fileId }).eventId,
  ];
  const path = `files/v1/storages/${account.storageId}/gateway/events/`;
  expect(ids((await account.call('GET', `${path}?last_id=${first}`)).body)).toEqual([second]);
  expect((await account.call('POST', `${path}purge/`, { event_ids: [first, second] })).status).toBe(204);
  expect((await account.call('GET', path)).body).toEqual({ objects: [] });
});

test('a file is found by storage and path, by checksum, and changed by path', async () => {
  await using account = await testAccount();
  const { assetId, fileId } = await account.ingest('é.mov');
  const md5 = 'd41d8cd98f00b204e9800998ecf8427e';
  expect((await account.call('GET', `files/v1/files/checksum/${md5}/`)).status).toBe(404);
  await account.call('PATCH', `files/v1/assets/${assetId}/files/${fileId}/`, { status: 'CLOSED', checksum: md5 });
  expect(ids((await account.call('GET', `files/v1/files/checksum/${md5}/`)).body)).toEqual([fileId]);
  const at = `files/v1/storages/${account.storageId}/files/`;
  expect(ids((await account.call('GET', `${at}?directory_path=d&name=${encodeURIComponent('é.mov')}`)).body)).toEqual([
    fileId,
  ]);
  const missing = { directory_path: 'd', name: 'é.mov', original_name: 'é.mov', type: 'FILE', status: 'MISSING' };
  expect((await account.call('PATCH', at, missing)).body).toMatchObject({ id: fileId, status: 'MISSING' });
  expect((await account.call('PATCH', at, { ...missing, name: 'other' })).status).toBe(404);
});

test('a deleted asset leaves the list but not the recycle bin', async () => {
  await using account = await testAccount();
  const { assetId } = await account.ingest('a.mov');
  expect((await account.call('DELETE', `assets/v1/assets/${assetId}/`)).status).toBe(204);
  expect(ids((await account.call('GET', 'assets/v1/assets/')).body)).toEqual([]);
  expect((await account.call('GET', `assets/v1/assets/${assetId}/`)).body).toMatchObject({ status: 'DELETED' });
});

test('formats answer by id and by name, with server-made component ids', async () => {
  await using account = await testAccount();
  const { assetId, formatId } = await account.ingest('a.mov');
  const at = `files/v1/assets/${assetId}/formats/`;
  expect((await account.call('GET', `${at}ORIGINAL/`)).body.id).toBe(formatId);
  expect((await account.call('GET', `${at}NOTHING/`)).status).toBe(404);
  const patched = await account.call('PATCH', `${at}${formatId}/`, { components: [{ name: 'v', type: 'VIDEO' }] });
  expect(patched.body.components).toMatchObject([{ id: expect.any(String), name: 'v' }]);
});

test('an order puts job, queue record and event there; ending it keeps how it ended', async () => {
  await using account = await testAccount();
  const { fileSetId, fileId } = await account.ingest('a.mov', account.seeded.cloud.filesId);
  const order = account.standIn.orderDownload({ fileSetId, storageId: account.storageId, directoryPath: 'in' });
  const queue = `files/v1/storages/${account.storageId}/transfers_to/`;
  expect((await account.call('GET', `${queue}${order.recordId}/`)).body).toMatchObject({
    file_set_id: fileSetId,
    destination_directory_path: 'in',
    destination_filename: 'a.mov',
    job_id: order.jobId,
  });
  expect((await account.call('PATCH', `jobs/v1/jobs/${order.jobId}/`, { status: 'FINISHED' })).status).toBe(200);
  expect((await account.call('DELETE', `${queue}${order.recordId}/?completed=true`)).status).toBe(204);
  expect((await account.call('DELETE', `${queue}${order.recordId}/?completed=true`)).status).toBe(404);
  expect(account.standIn.state()).toMatchObject({
    ended: [{ outcome: 'completed' }],
    jobs: [{ status: 'FINISHED' }],
    events: [{ type: 'DOWNLOAD' }],
  });
  expect(fileId).toBeTypeOf('string');
});

test('a finished deletion removes file and file set', async () => {
  await using account = await testAccount();
  const { fileId, assetId } = await account.ingest('a.mov');
  const { recordId } = account.standIn.orderDelete({ fileId });
  expect((await account.call('GET', `files/v1/assets/${assetId}/files/${fileId}/`)).body.status).toBe('DELETED');
  await account.call('DELETE', `files/v1/storages/${account.storageId}/deletions/${recordId}/`);
  expect(account.standIn.state()).toMatchObject({ files: [], fileSets: [], removed: [{ id: fileId }, {}] });
});

test('telemetry makes the leader and the status of gateway and cluster', async () => {
  await using account = await testAccount();
  const [gatewayId] = account.seeded.gatewayIds;
  const telemetry = { worker_id: crypto.randomUUID(), is_leader: true, status: 'LIVE' };
  expect((await account.call('POST', `files/v1/storage_gateways/${gatewayId}/telemetry/`, telemetry)).status).toBe(201);
  const cluster = await account.call(
    'GET',
    `files/v1/storage_gateway_clusters/${account.seeded.clusterId}/?view_nodes=true`,
  );
  expect(cluster.body).toMatchObject({
    leader_id: gatewayId,
    status: 'ACTIVE',
    nodes: [{ id: gatewayId, status: 'ACTIVE' }],
  });
});

test('aborting a job whose record a gateway holds sends the event', async () => {
  await using account = await testAccount();
  const { fileId } = await account.ingest('a.mov');
  const { jobId, recordId } = account.standIn.orderTranscode({ fileId });
  expect((await account.call('PUT', 'jobs/v1/jobs/state/', { action: 'ABORT', job_ids: [jobId] })).status).toBe(201);
  const { events, jobs } = account.standIn.state();
  expect(events.at(-1)).toMatchObject({ type: 'TRANSCODE_ABORT', data: { record_id: recordId } });
  expect(jobs).toMatchObject([{ status: 'ABORT_PENDING' }]);
});
