import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { UploadTarget } from '../../../agent/iconik/api.ts';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import type {
  UploadObject,
  UploadObjectArgs,
  UploadRecord,
} from '../../../agent/iconik/object-upload/upload-object.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { HttpAnswer, SendRange, StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createStandIn, type StandIn, seedAccount } from '../../stand-in/stand-in.ts';
import { createFolderStorage } from '../transfer/folder-storage.ts';

/** The smallest that S3 takes; Azure and B2 take it, too. */
const PART_BYTES = 5 * 1024 * 1024;
/** Size of the file of a test unless it says otherwise: two whole parts and a rest. */
export const SIZE = 2 * PART_BYTES + 4_321;

/** A send as a test may change it before it goes out. */
type Intercept = (send: SendRange, pass: (send: SendRange) => Promise<HttpAnswer>) => Promise<HttpAnswer>;

/** One file, a record of it on a cloud storage of the stand-in, and uploads of it. */
export interface CloudUpload {
  standIn: StandIn;
  api: IconikClient;
  record: UploadRecord & { key: string };
  uploadObject: UploadObject;
  checkpoint: unknown;
  /** Every send of bytes, in order. */
  sent: SendRange[];
  intercept: Intercept;
  /** How far the stand-in's clock is ahead, milliseconds. */
  clock: { aheadMs: number };
  /** Lets all signed URLs and tokens run out right before the second send. */
  expireAtSecondSend(): void;
  target(): Promise<UploadTarget>;
  useFile(sizeBytes: number): Promise<void>;
  upload(more?: Partial<UploadObjectArgs>): Promise<void>;
  /** Ends an upload as a node that stops would, once so many sends were answered. */
  uploadUntil(answered: number): Promise<void>;
  /** Whether the object is there, with exactly the bytes of the file. */
  isStored(): boolean;
}

/** What an upload is made with. */
export interface CloudUploadOptions {
  /** Settings of the cloud storage, in place of those before. */
  settings?: Record<string, unknown>;
  /** Whose bytes go up; default: a file record. */
  kind?: 'file' | 'proxy';
  /** Bytes per part; default: the least that S3 takes. */
  partSizeBytes?: number;
}

interface World {
  folder: string;
  standIn: StandIn;
  api: IconikClient;
  filesId: string;
  clock: { aheadMs: number };
}

/** Signed URLs of the stand-in run out after this. */
export const URL_LIFETIME_MS = 3_600_000;

/** One stand-in for the tests of a file, its cloud storages of one kind; makes uploads with records of their own. */
export function useCloud(
  method: 'S3' | 'AZURE' | 'B2' | 'GCS',
): (options?: CloudUploadOptions) => Promise<CloudUpload> {
  let world: World | null = null;
  beforeAll(async () => {
    world = await startWorld(method);
  });
  afterAll(async () => {
    if (!world) return;
    await world.api.close();
    await world.standIn.close();
    await rm(world.folder, { recursive: true });
  });
  return async (options = {}) => {
    if (!world) throw new Error('the stand-in did not start');
    world.standIn.setFaults({});
    world.standIn.clearViolations();
    const storage = world.standIn.records.storages.get(world.filesId);
    if (storage) storage.settings = { bucket: 'b', path: '', ...options.settings };
    return await cloudUpload(world, options);
  };
}

async function startWorld(method: 'S3' | 'AZURE' | 'B2' | 'GCS'): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'cloud-upload-'));
  const clock = { aheadMs: 0 };
  const standIn = await createStandIn({
    dataDir: join(folder, 'stand-in'),
    nowMs: () => Date.now() + clock.aheadMs,
    urlLifetimeMs: URL_LIFETIME_MS,
  });
  const seeded = seedAccount(standIn, {
    storages: [{ name: 'media', mountPoint: folder }],
    gateways: [{ name: 'a', roles: ['TRANSFER'] }],
    cloud: { files: method, proxies: method },
  });
  const api = createIconikApi({
    baseUrl: standIn.url,
    appId: standIn.appId,
    authToken: standIn.authToken,
    requestsPerSecond: 500,
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 10_000 ? ms : 0, signal) },
    random: () => 0,
    log: silentLogger,
  });
  return { folder, standIn, api, filesId: seeded.cloud.filesId, clock };
}

async function cloudUpload(world: World, options: CloudUploadOptions): Promise<CloudUpload> {
  const { folder, standIn, api, clock } = world;
  const plain = createFolderStorage('media', folder);
  const source: StorageAccess = {
    ...plain,
    sendRange: (send, call) => {
      fixture.sent.push(send);
      return fixture.intercept(send, (changed) => plain.sendRange(changed, call));
    },
  };
  let content: Buffer = Buffer.alloc(0);
  const fixture: CloudUpload = {
    standIn,
    api,
    record: { assetId: '', fileId: '', key: '' },
    uploadObject: createUploadObject({
      api,
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 30_000 ? ms : 0, signal) },
      random: () => 0,
      partSizeBytes: options.partSizeBytes ?? PART_BYTES,
      attempts: 3,
    }),
    checkpoint: undefined,
    sent: [],
    intercept: (send, pass) => pass(send),
    clock,
    expireAtSecondSend: () => {
      fixture.intercept = (send, pass) => {
        if (fixture.sent.length === 2) clock.aheadMs += 2 * URL_LIFETIME_MS;
        return pass(send);
      };
    },
    target: () => {
      const { assetId, fileId, kind } = fixture.record;
      return kind === 'proxy' ? api.proxies.get(assetId, fileId) : api.files.getFile(assetId, fileId);
    },
    useFile: async (sizeBytes) => {
      content = randomBytes(sizeBytes);
      await writeFile(join(folder, 'clip.mov'), content);
    },
    upload: async (more) => {
      await fixture.uploadObject({
        source,
        path: 'clip.mov',
        sizeBytes: content.length,
        contentType: 'video/quicktime',
        target: await fixture.target(),
        multipart: fixture.record,
        checkpoint: fixture.checkpoint,
        saveCheckpoint: async (value) => {
          fixture.checkpoint = JSON.parse(JSON.stringify(value));
        },
        confirmLease: async () => undefined,
        signal: new AbortController().signal,
        ...more,
      });
    },
    uploadUntil: (answered) => uploadUntil(fixture, answered),
    isStored: () => {
      const object = standIn.object(fixture.record.key);
      return object !== undefined && readFileSync(object.path).equals(content);
    },
  };
  await fixture.useFile(SIZE);
  fixture.record = await makeRecord(fixture, options.kind ?? 'file', world.filesId);
  return fixture;
}

async function makeRecord({ api, standIn }: CloudUpload, kind: 'file' | 'proxy', storageId: string) {
  const { id: assetId } = await api.assets.create({ title: 'clip', type: 'ASSET' });
  if (kind === 'proxy') {
    const proxy = await api.proxies.create(assetId, { filename: 'clip.mp4', name: 'clip', size: SIZE });
    return { assetId, fileId: proxy.id, kind, key: standIn.objectKey(proxy.id) ?? '' };
  }
  const format = await api.files.createFormat(assetId, { name: 'ORIGINAL', components: [], storage_methods: ['FILE'] });
  const set = { format_id: format.id, base_dir: 'dir', name: 'clip', component_ids: [], storage_id: storageId };
  const fileSet = await api.files.createFileSet(assetId, set);
  // Each record is an object of its own.
  const name = { original_name: 'clip 1.mov', name: 'clip 1.mov', type: 'FILE', size: SIZE };
  const place = { ...name, directory_path: `dir é/${assetId}` };
  const file = await api.files.createFile(assetId, { ...place, file_set_id: fileSet.id, storage_id: storageId });
  return { assetId, fileId: file.id, key: standIn.objectKey(file.id) ?? '' };
}

async function uploadUntil(fixture: CloudUpload, answered: number): Promise<void> {
  const controller = new AbortController();
  const stop = new IsgError('stopped', 'the node stops', { retry: 'transient' });
  let count = 0;
  fixture.intercept = async (send, pass) => {
    const answer = await pass(send);
    count += 1;
    if (count === answered) controller.abort(stop);
    return answer;
  };
  const saved: unknown[] = [];
  const saveCheckpoint = async (value: unknown) => {
    saved.push(value);
    fixture.checkpoint = JSON.parse(JSON.stringify(value));
  };
  const run = fixture.upload({ signal: controller.signal, saveCheckpoint }).then(
    () => 'finished',
    (thrown: unknown) => thrown,
  );
  const end = await run;
  if (end !== stop) throw new Error(`the upload should have been stopped, but: ${String(end)}`);
  fixture.intercept = (send, pass) => pass(send);
}
