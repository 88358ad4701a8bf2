import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createIntentStore } from '../../../agent/db/queries/intent.ts';
import { createCreateOnce } from '../../../agent/iconik/creation/intended-creation.ts';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { createLookAtCopy } from '../../../agent/iconik/object-upload/look-at-copy.ts';
import type { JobHandler } from '../../../agent/jobs/job-handler.ts';
import { createDeleteCopyHandler } from '../../../agent/roles/transfer/delete-copy-handler.ts';
import { createDownloadHandler } from '../../../agent/roles/transfer/download-handler.ts';
import { createUploadHandler } from '../../../agent/roles/transfer/upload-handler.ts';
import { type ChildGuard, createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import type { SeededAccount } from '../../stand-in/state/seed-account.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { jobContext, settle } from './job-context.ts';
import { indexRows, insertLeasedJob } from './job-row.ts';

const PART_BYTES = 5 * 1024 * 1024;
const content = randomBytes(3 * PART_BYTES + 99);
const md5 = createHash('md5').update(content).digest('hex');

let folder: string;
let db: TestDatabase;
let standIn: StandIn;
let account: SeededAccount;
let api: IconikClient;
let guard: ChildGuard;
let storage: StorageAccess;
let handlers: Record<'upload' | 'download' | 'delete-copy', JobHandler>;
let storageId: string;
let freshStorageId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfer-'));
  await mkdir(join(folder, 'mount'));
  db = await createTestDatabase();
  standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  const mountPoint = join(folder, 'mount');
  const storages = [
    { name: 'nas', mountPoint },
    { name: 'fresh', mountPoint: join(folder, 'fresh') },
  ];
  account = standIn.seed({ storages, gateways: [{ name: 'a', roles: ['TRANSFER'] }] });
  [storageId = '', freshStorageId = ''] = account.storageIds;
  guard = await createChildGuard();
  storage = createStorageAccess({ storageId, mountPoint, guard, log: silentLogger });
  const parts = { clock: systemClock, random: Math.random, log: silentLogger };
  const { url: baseUrl, appId, authToken } = standIn;
  api = createIconikApi({ ...parts, baseUrl, appId, authToken, requestsPerSecond: 500 });
  const createOnce = createCreateOnce({
    ...parts,
    intents: createIntentStore(db.database),
    settleMs: 50,
    deadlineMs: 2_000,
  });
  const storageOf = () => storage;
  const uploadObject = createUploadObject({ api, partSizeBytes: PART_BYTES, chunkSizeBytes: PART_BYTES });
  handlers = {
    upload: createUploadHandler({ api, createOnce, uploadObject, storageOf }) as JobHandler,
    download: createDownloadHandler({ api, createOnce, sql: db.database, storageOf }) as JobHandler,
    'delete-copy': createDeleteCopyHandler({
      api,
      sql: db.database,
      storageOf,
      mayDelete: () => true,
      lookAtCopy: createLookAtCopy({}),
    }) as JobHandler,
  };
});

afterAll(async () => {
  await storage.stop();
  await guard.stop();
  await api.close();
  await standIn.close();
  await db.drop();
  await rm(folder, { recursive: true });
});

/** Runs a job until it is done, as the queue would: again after transient trouble, snoozes waited out. */
async function runToEnd(kind: 'upload' | 'download' | 'delete-copy', payload: Record<string, unknown>) {
  const memory = { ...(await insertLeasedJob(db.database, kind)), checkpoint: null, confirmations: 0, attempts: 0 };
  for (;;) {
    memory.attempts += 1;
    const handler = handlers[kind];
    const outcome = await settle(handler.run(jobContext({ payload: handler.payload.parse(payload), memory, kind })));
    if (outcome.kind === 'done') {
      const { alongside, result } = outcome;
      if (alongside) await db.database.transaction(alongside);
      return { result, attempts: memory.attempts };
    }
    if (outcome.kind === 'failed' || memory.attempts >= 60) throw new Error(`ended badly: ${JSON.stringify(outcome)}`);
    await systemClock.sleep(100);
  }
}

async function makeAsset(title: string) {
  const asset = await api.assets.create({ title, type: 'ASSET' });
  const format = await api.files.createFormat(asset.id, {
    name: 'ORIGINAL',
    components: [],
    storage_methods: ['FILE'],
  });
  return { assetId: asset.id, formatId: format.id };
}

async function uploadPayload(name: string, destinationStorageId: string, bytes: Buffer = content) {
  await writeFile(join(folder, 'mount', name), bytes);
  const facts = await storage.stat(name);
  return {
    ...(await makeAsset(name)),
    storageId,
    path: name,
    sizeBytes: bytes.length,
    md5: createHash('md5').update(bytes).digest('hex'),
    mtimeNs: facts?.mtimeNs ?? '',
    destinationStorageId,
    destinationDirectoryPath: 'archive',
  };
}

describe('transfers with the real storage processes, client, database and a stand-in of iconik', () => {
  it('bring a file to S3 and back, through connections that break after the store has acted', async () => {
    const payload = await uploadPayload('clip.mov', account.cloud.filesId);
    const only = { methods: ['PUT', 'POST'], pathIncludes: '_objects', times: 3 };
    standIn.setFaults({ dropAfterCommit: { rate: 0.5 }, objectStore: true, seed: 7, only });
    const up = await runToEnd('upload', payload);
    standIn.setFaults({});
    const fileId = String(up.result.fileId);
    expect(standIn.object(standIn.objectKey(fileId) ?? '')).toMatchObject({
      md5,
      sizeBytes: content.length,
      writes: 1,
    });
    expect(await api.files.getFile(payload.assetId, fileId)).toMatchObject({ status: 'CLOSED', checksum: md5 });

    const { assetId, formatId } = payload;
    const order = {
      storageId,
      assetId,
      formatId,
      destinationDirectoryPath: 'back/again',
      destinationFileSetName: 'restored',
    };
    await runToEnd('download', { ...order, sourceFileSetId: up.result.fileSetId });
    expect(await readdir(join(folder, 'mount', 'back', 'again'))).toEqual(['clip.mov']);
    expect((await readFile(join(folder, 'mount', 'back', 'again', 'clip.mov'))).equals(content)).toBe(true);
    const facts = await storage.stat('back/again/clip.mov');
    const [row] = await indexRows(db.database, storageId);
    expect(row).toMatchObject({
      state: 'ingested',
      md5,
      mtime_ns: facts?.mtimeNs,
      file_id: facts?.fileId,
      asset_id: assetId,
    });
    expect(await api.files.getFile(assetId, row?.iconik_file_id ?? '')).toMatchObject({
      status: 'CLOSED',
      checksum: md5,
    });
    expect(standIn.state().violations).toEqual([]);
  });

  it('bring a file back to a storage that is new and empty, but not to one that has lost its files', async () => {
    const payload = await uploadPayload('kept.mov', account.cloud.filesId);
    const up = await runToEnd('upload', payload);
    const mountPoint = join(folder, 'fresh');
    await mkdir(mountPoint);
    const fresh = createStorageAccess({ storageId: freshStorageId, mountPoint, guard, log: silentLogger });
    const before = storage;
    storage = fresh;
    try {
      const order = {
        storageId: freshStorageId,
        assetId: payload.assetId,
        formatId: payload.formatId,
        sourceFileSetId: up.result.fileSetId,
        destinationDirectoryPath: 'restored',
        destinationFileSetName: 'restored',
      };
      await runToEnd('download', order);
      expect(await readdir(mountPoint)).toEqual(['.isg-pro-storage', 'restored']);
      expect((await readFile(join(mountPoint, 'restored', 'kept.mov'))).equals(content)).toBe(true);
      // The folder under a mount that has gone looks just as empty; but now the index knows a file.
      await rm(mountPoint, { recursive: true });
      await mkdir(mountPoint);
      const lease = await insertLeasedJob(db.database, 'download');
      const memory = { ...lease, checkpoint: null, confirmations: 0, attempts: 1 };
      const again = jobContext({ payload: handlers.download.payload.parse(order), memory, kind: 'download' });
      expect(await settle(handlers.download.run(again))).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
      expect(await readdir(mountPoint)).toEqual([]);
    } finally {
      storage = before;
      await fresh.stop();
    }
  });

  it.each(['AZURE', 'B2'] as const)('bring a file to %s, through answers that are lost', async (method) => {
    const { cloud } = standIn.seed({ storages: [], gateways: [], cloud: { files: method } });
    const payload = await uploadPayload(`${method}.mov`, cloud.filesId);
    const only = { methods: ['PUT', 'POST'], pathIncludes: '_objects', times: 2 };
    standIn.setFaults({ dropAfterCommit: { rate: 0.5 }, objectStore: true, seed: 3, only });
    const { result } = await runToEnd('upload', payload);
    standIn.setFaults({});
    const object = standIn.object(standIn.objectKey(String(result.fileId)) ?? '');
    expect(object).toMatchObject({ md5, sizeBytes: content.length });
    expect(standIn.state().violations).toEqual([]);
  });

  it('move a file to the cloud and export it back, with its extras, and only then let the source copies go', async () => {
    // With its only file gone the root would be empty, which is a mount that has vanished unless the marker says otherwise.
    await storage.placeMarker();
    const small = content.subarray(0, 100_000);
    const payload = await uploadPayload('moved.mov', account.cloud.filesId, small);
    const { assetId, formatId } = payload;
    const set = { format_id: formatId, storage_id: storageId, base_dir: '', name: 'moved.mov', component_ids: [] };
    const { id: fileSetId } = await api.files.createFileSet(assetId, set);
    const up = await runToEnd('upload', { ...payload, fileSetId, deleteLocal: true });
    const deletion = async () => {
      const [job] = await db.database.query(
        `DELETE FROM job WHERE kind = 'delete-copy' AND state = 'queued' RETURNING payload`,
        [],
        z.object({ payload: z.record(z.string(), z.unknown()) }),
      );
      return job?.payload ?? {};
    };
    expect(await storage.stat('moved.mov')).not.toBeNull();
    await runToEnd('delete-copy', await deletion());
    expect(await storage.stat('moved.mov')).toBeNull();
    expect((await api.files.fileSets(assetId, formatId)).map(({ id }) => id)).toEqual([up.result.fileSetId]);

    const viewId = randomUUID();
    standIn.records.views.set(viewId, ['Title']);
    await api.metadata.putAssetValues(assetId, viewId, { Title: { field_values: [{ value: 'Sunrise' }] } });
    const proxy = await api.proxies.create(assetId, { filename: 'p.mp4', name: 'p', size: 9 });
    const poster = await api.keyframes.create(assetId, { type: 'POSTER', filename: 'k.jpg', format: 'JPEG', size: 10 });
    const begun = await fetch(proxy.upload_url ?? '', { method: 'POST', headers: { 'x-goog-resumable': 'start' } });
    await fetch(begun.headers.get('location') ?? '', { method: 'PUT', body: 'the proxy' });
    await fetch(poster.upload_url ?? '', { method: 'PUT', body: 'the poster' });
    await api.proxies.patch(assetId, proxy.id, { status: 'CLOSED' });
    await api.keyframes.patch(assetId, poster.id, { status: 'CLOSED' });
    await runToEnd('download', {
      storageId,
      assetId,
      formatId,
      sourceFileSetId: up.result.fileSetId,
      destinationDirectoryPath: 'export',
      destinationFileSetName: 'export',
      exportProxy: true,
      exportPosters: true,
      exportMetadata: { format: 'JSON', viewId },
      deleteSource: true,
    });
    const read = (name: string) => readFile(join(folder, 'mount', 'export', name));
    expect((await readdir(join(folder, 'mount', 'export'))).sort()).toEqual([
      'moved.json',
      'moved.mov',
      'moved_poster.jpg',
      'moved_proxy.mp4',
    ]);
    expect((await read('moved.mov')).equals(small)).toBe(true);
    expect(String(await read('moved_proxy.mp4'))).toBe('the proxy');
    expect(String(await read('moved_poster.jpg'))).toBe('the poster');
    expect(JSON.parse(String(await read('moved.json')))).toEqual({ Title: { field_values: [{ value: 'Sunrise' }] } });
    const made = await api.files.fileSets(assetId, formatId);
    expect(made).toHaveLength(2);
    await runToEnd('delete-copy', await deletion());
    expect((await api.files.fileSets(assetId, formatId)).map(({ storage_id }) => storage_id)).toEqual([storageId]);
    expect(standIn.state().violations).toEqual([]);
  });

  it('bring a file to GCS', async () => {
    const payload = await uploadPayload('other.mov', account.cloud.proxiesId);
    const { result } = await runToEnd('upload', payload);
    expect(standIn.object(standIn.objectKey(String(result.fileId)) ?? '')).toMatchObject({ md5, writes: 1 });
    expect(standIn.state().violations).toEqual([]);
  });
});
