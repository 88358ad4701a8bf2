import { createHash } from 'node:crypto';
import { createIconikApi } from '../../agent/iconik/iconik-client.ts';
import { systemClock } from '../../agent/runtime/clock.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';
import type { StandIn } from '../stand-in/stand-in.ts';

/** An asset whose original lies only in the cloud. */
export interface CloudAsset {
  assetId: string;
  fileSetId: string;
  name: string;
  md5: string;
}

/** What a user does who uploads a clip by the web: asset, format, file set, file, bytes, CLOSED. */
export async function uploadAsUser(
  standIn: StandIn,
  upload: { storageId: string; bytes: Buffer; name: string },
): Promise<CloudAsset> {
  const { url: baseUrl, appId, authToken } = standIn;
  const log = silentLogger;
  const api = createIconikApi({
    baseUrl,
    appId,
    authToken,
    clock: systemClock,
    random: Math.random,
    log,
    requestsPerSecond: 20,
  });
  try {
    const { name, storageId, bytes } = upload;
    const md5 = createHash('md5').update(bytes).digest('hex');
    const asset = await api.assets.create({ title: name, type: 'ASSET' });
    const format = await api.files.createFormat(asset.id, { name: 'ORIGINAL', storage_methods: ['S3'] });
    const place = { format_id: format.id, storage_id: storageId };
    const set = await api.files.createFileSet(asset.id, { ...place, name, base_dir: 'uploads', component_ids: [] });
    const file = await api.files.createFile(asset.id, {
      ...place,
      file_set_id: set.id,
      name,
      original_name: name,
      directory_path: 'uploads',
      type: 'FILE',
      size: bytes.length,
      status: 'OPEN',
    });
    if (!file.upload_url) throw new Error('iconik gave no upload URL');
    const answer = await fetch(file.upload_url, { method: 'PUT', body: new Uint8Array(bytes) });
    if (!answer.ok) throw new Error(`the object store answered ${answer.status}`);
    await api.files.patchFile(asset.id, file.id, { status: 'CLOSED', checksum: md5 });
    return { assetId: asset.id, fileSetId: set.id, name, md5 };
  } finally {
    await api.close();
  }
}
