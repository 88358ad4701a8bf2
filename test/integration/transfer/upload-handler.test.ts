import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CreateOnce } from '../../../agent/iconik/creation/create-once.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import type { JobOutcome } from '../../../agent/jobs/job-handler.ts';
import { createUploadHandler, type UploadPayload } from '../../../agent/roles/transfer/upload-handler.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { ObjectStoreDouble } from '../../support/object-store-double.ts';
import { createFolderStorage } from './folder-storage.ts';
import { createOnceDouble, IconikDouble } from './iconik-double.ts';
import { type JobMemory, jobContext, settle } from './job-context.ts';
import { KillSwitch } from './kill-switch.ts';

const MEBIBYTE = 1024 * 1024;
const SIZE = 2 * 5 * MEBIBYTE + 77;
const KEY = 'cloud/archive/clip.mov';

let folder: string;
let store: ObjectStoreDouble;
let iconik: IconikDouble;
let source: StorageAccess;
let createOnce: CreateOnce;
let payload: UploadPayload;
let memory: JobMemory;
let conflictsWith: (body: Record<string, unknown>) => boolean;
let onFileSetFiles: (setId: string) => void;
let onProgress: (fraction: number) => void;
const content = randomBytes(SIZE);
const md5 = createHash('md5').update(content).digest('hex');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upload-job-'));
  await writeFile(join(folder, 'clip.mov'), content);
  store = new ObjectStoreDouble();
  await store.start();
  await freshWorld('S3');
});

afterEach(async () => {
  await store.stop();
  await rm(folder, { recursive: true });
});

async function freshWorld(method: string): Promise<void> {
  store.objects.clear();
  store.seen.length = 0;
  store.misbehave = () => null;
  store.forgetUnfinished();
  iconik = new IconikDouble(store);
  iconik.methods.set('cloud', method);
  createOnce = createOnceDouble();
  conflictsWith = () => false;
  onFileSetFiles = () => undefined;
  onProgress = () => undefined;
  source = createFolderStorage('local', folder);
  memory = { jobId: '1', leaseToken: '10', checkpoint: null, confirmations: 0 };
  payload = {
    storageId: 'local',
    path: 'clip.mov',
    assetId: 'asset',
    versionId: 'version',
    formatId: 'format',
    fileSetId: 'source-set',
    sizeBytes: SIZE,
    md5,
    mtimeNs: (await source.stat('clip.mov'))?.mtimeNs ?? '',
    destinationStorageId: 'cloud',
    destinationDirectoryPath: '/archive/',
  };
}

/** One run of the job; with a kill switch, what it calls ends with it. */
async function run(killSwitch?: KillSwitch, signal?: AbortSignal) {
  const wrap = <T extends object>(target: T): T => killSwitch?.wrap(target) ?? target;
  const { files } = iconik.api();
  const watched: typeof files = {
    ...files,
    createFile: async (assetId, body, limits) => {
      if (conflictsWith(body)) throw new IsgError('iconik-conflict', 'there already', { retry: 'permanent' });
      return await files.createFile(assetId, body, limits);
    },
    fileSetFiles: async (assetId, setId, limits) => {
      onFileSetFiles(setId);
      return await files.fileSetFiles(assetId, setId, limits);
    },
  };
  const api = { ...iconik.api(), files: wrap(watched) };
  const storage = wrap(source);
  const handler = createUploadHandler({
    api,
    createOnce,
    uploadObject: createUploadObject({
      api,
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 30_000 ? ms : 0, signal) },
      partSizeBytes: 5 * MEBIBYTE,
      chunkSizeBytes: 4 * MEBIBYTE,
      attempts: 2,
    }),
    storageOf: (storageId) => (storageId === 'local' ? storage : null),
  });
  const context = jobContext({
    payload,
    memory,
    kind: 'upload',
    ...(killSwitch ? { killSwitch } : {}),
    ...(signal ? { signal } : {}),
  });
  return await settle(handler.run({ ...context, progress: (fraction) => onProgress(fraction) }));
}

function expectUploaded(): void {
  expect(store.objects.get(KEY)?.bytes.equals(content)).toBe(true);
  expect([...iconik.fileSets.values()]).toMatchObject([{ storage_id: 'cloud', name: 'clip.mov', base_dir: 'archive' }]);
  expect([...iconik.files.values()]).toMatchObject([
    { status: 'CLOSED', size: SIZE, checksum: md5, storage_id: 'cloud', directory_path: 'archive', name: 'clip.mov' },
  ]);
}

const errorOf = (outcome: JobOutcome | { kind: 'thrown'; thrown: unknown }) =>
  outcome.kind === 'thrown' ? outcome.thrown : outcome;

describe('an upload job', () => {
  it.each(['S3', 'GCS'])('makes file set and file, sends the bytes to %s and closes the record', async (method) => {
    await freshWorld(method);
    expect(await run()).toMatchObject({ kind: 'done' });
    expectUploaded();
  });

  it.each(['S3', 'GCS'])(
    'converges on %s after a kill at any external call, before or after its effect',
    async (method) => {
      let steps = 0;
      for (let at = 1; ; at += 1) {
        await freshWorld(method);
        const before = new KillSwitch(at, 'before');
        await run(before);
        if (!before.isDead) break;
        steps += 1;
        await expectConvergence(`before call ${at}`);
        await freshWorld(method);
        await run(new KillSwitch(at, 'after'));
        await expectConvergence(`after call ${at}`);
      }
      expect(steps).toBeGreaterThan(10);
    },
  );

  async function expectConvergence(where: string): Promise<void> {
    const outcome = await run();
    expect({ where, outcome: outcome.kind === 'thrown' ? String(outcome.thrown) : outcome.kind }).toEqual({
      where,
      outcome: 'done',
    });
    expectUploaded();
    expect({ where, writes: store.objects.get(KEY)?.writes }).toEqual({ where, writes: 1 });
  }

  it('is done without sending when the copy is closed already', async () => {
    await run();
    const sent = store.receivedBytes;
    memory.checkpoint = null;
    expect(await run()).toMatchObject({ kind: 'done', result: { alreadyThere: true } });
    expect(store.receivedBytes).toBe(sent);
  });

  it('does not take a closed record for the copy that says nothing of its content', async () => {
    await run();
    const [file] = iconik.files.values();
    if (file) file.checksum = null;
    store.objects.clear();
    memory = { ...memory, jobId: '2', checkpoint: null };
    expect(await run()).toMatchObject({ kind: 'done' });
    expectUploaded();
  });

  it('sends new content over a closed copy of the old one', async () => {
    await run();
    const [file] = iconik.files.values();
    if (file) file.checksum = '0'.repeat(32);
    memory = { ...memory, jobId: '2', checkpoint: null };
    expect(await run()).toMatchObject({ kind: 'done' });
    expectUploaded();
    expect(store.objects.get(KEY)?.writes).toBe(2);
  });

  it('refuses a source that has changed, naming it, and makes nothing', async () => {
    await utimes(join(folder, 'clip.mov'), 1, 1);
    expect(errorOf(await run())).toMatchObject({
      code: 'file-changed',
      retry: 'permanent',
      message: expect.stringContaining('clip.mov'),
    });
    expect(iconik.fileSets.size).toBe(0);
  });

  it('refuses a source that is gone', async () => {
    await rm(join(folder, 'clip.mov'));
    expect(errorOf(await run())).toMatchObject({ code: 'file-not-found', retry: 'permanent' });
  });

  it('leaves a destination path of another asset alone', async () => {
    await run();
    payload = { ...payload, assetId: 'other-asset', formatId: 'other-format' };
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'permanent' });
    expectFirstUntouched();
  });

  it('makes file set and file anew when users have deleted the copy, after looking twice', async () => {
    await run();
    iconik.files.clear();
    iconik.fileSets.clear();
    memory = { ...memory, jobId: '2', checkpoint: null };
    expect(await run()).toMatchObject({ kind: 'retry', afterMs: 20_000, error: { code: 'iconik-not-found' } });
    memory.attempts = 2;
    expect(await run()).toMatchObject({ kind: 'done' });
    expectUploaded();
    expect(await run()).toMatchObject({ kind: 'done', result: { alreadyThere: true } });
  });

  function expectFirstUntouched(): void {
    const files = [...iconik.files.values()].filter((file) => file.asset_id === 'asset');
    expect(files).toMatchObject([{ status: 'CLOSED', checksum: md5 }]);
    expect(store.objects.get(KEY)?.writes).toBe(1);
  }

  it('counts a 409 as done when the closed copy can be seen, else tries again', async () => {
    iconik.conflictOn = 'cloud';
    expect(await run()).toMatchObject({ kind: 'retry', error: { code: 'iconik-conflict' } });
    createOnce = createOnceDouble();
    iconik.add({
      asset_id: 'asset',
      format_id: 'format',
      storage_id: 'cloud',
      status: 'CLOSED',
      size: SIZE,
      checksum: md5,
    });
    expect(await run()).toMatchObject({ kind: 'done', result: { alreadyThere: true } });
    expect(store.receivedBytes).toBe(0);
  });

  it('marks the record failed when the store refuses for good, and opens it again when ordered anew', async () => {
    store.misbehave = ({ operation }) => (operation === 'part' ? { kind: 'answer', status: 400 } : null);
    expect(errorOf(await run())).toMatchObject({ code: 'upload-refused', retry: 'permanent' });
    expect([...iconik.files.values()]).toMatchObject([{ status: 'FAILED' }]);
    store.misbehave = () => null;
    expect(await run()).toMatchObject({ kind: 'done' });
    expectUploaded();
  });

  /** Stops the run with this reason when the store has taken a part. */
  async function runUntilPart(reason: IsgError) {
    const controller = new AbortController();
    store.misbehave = ({ operation, partNumber }) => {
      if (operation === 'part' && partNumber === 2) controller.abort(reason);
      return null;
    };
    const outcome = await run(undefined, controller.signal);
    store.misbehave = () => null;
    return errorOf(outcome);
  }

  it('drops at the store what it has sent when it is cancelled', async () => {
    const reason = new IsgError('cancelled', 'a user cancelled it', { retry: 'transient' });
    expect(await runUntilPart(reason)).toBe(reason);
    expect(store.count('abort')).toBe(1);
  });

  it('drops at the store what it has sent when it fails for good', async () => {
    store.misbehave = ({ operation }) => (operation === 'complete' ? { kind: 'answer', status: 400 } : null);
    expect(errorOf(await run())).toMatchObject({ code: 'upload-refused', retry: 'permanent' });
    expect(store.count('abort')).toBe(1);
  });

  it.each(['lease-lost', 'stopped'] as const)(
    'keeps at the store what it has sent when it ends by %s',
    async (code) => {
      const reason = new IsgError(code, 'another run goes on with it', { retry: 'transient' });
      expect(await runUntilPart(reason)).toBe(reason);
      expect(store.count('abort')).toBe(0);
      expect(await run()).toMatchObject({ kind: 'done' });
      expectUploaded();
      expect(store.receivedBytes).toBeLessThan(2 * SIZE);
    },
  );

  it('waits, without burning an attempt, for a storage that is not reached, but not for a file of one that is', async () => {
    payload = { ...payload, storageId: 'elsewhere' };
    expect(await run()).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
    payload = { ...payload, storageId: 'local' };
    source = { ...source, stat: () => Promise.reject(new IsgError('storage-hung', 'hung', { retry: 'transient' })) };
    expect(await run()).toMatchObject({ kind: 'retry', error: { code: 'storage-hung' } });
    source = { ...source, probe: async () => ({ kind: 'unreachable', reason: 'hung', detail: 'it hangs' }) };
    expect(await run()).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
  });

  it('names the lease in each creation and asks for it before each final effect', async () => {
    const fences: unknown[] = [];
    const inner = createOnce;
    createOnce = (creation) => {
      fences.push(creation.fence);
      return inner(creation);
    };
    await run();
    expect(fences).toEqual([1, 2].map(() => ({ kind: 'lease', jobId: '1', leaseToken: '10' })));
    expect(memory.confirmations).toBeGreaterThanOrEqual(2);
  });
});

describe('an upload of several files', () => {
  const files = {
    'card/a/1.mov': randomBytes(3_000),
    'card/2.mov': randomBytes(6 * MEBIBYTE),
    'card/b/3.xml': randomBytes(10),
  };

  async function order(): Promise<void> {
    await freshWorld('S3');
    const facts = [];
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      if (!(await source.stat(path))) await writeFile(join(folder, path), bytes);
      const { mtimeNs = '' } = (await source.stat(path)) ?? {};
      facts.push({ path, sizeBytes: bytes.length, md5: createHash('md5').update(bytes).digest('hex'), mtimeNs });
    }
    const [first, ...otherFiles] = facts;
    if (first) payload = { ...payload, ...first, otherFiles, destinationFilename: 'clip.mov' };
  }

  function expectAll(where: unknown): void {
    expect({ where, keys: [...store.objects.keys()].sort() }).toEqual({
      where,
      keys: ['cloud/archive/2.mov', 'cloud/archive/a/1.mov', 'cloud/archive/b/3.xml'],
    });
    for (const [path, bytes] of Object.entries(files))
      expect(store.objects.get(`cloud/archive/${path.slice(5)}`)?.bytes.equals(bytes)).toBe(true);
    expect([...iconik.fileSets.values()]).toMatchObject([{ base_dir: 'archive', name: 'card', storage_id: 'cloud' }]);
    expect([...iconik.files.values()].map((file) => file.status)).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
  }

  it('puts them into one file set, in the folders they had, also after a kill', async () => {
    await order();
    expect(await run()).toMatchObject({
      kind: 'done',
      result: { fileIds: [expect.any(String), expect.any(String), expect.any(String)] },
    });
    expectAll('one run');
    for (let at = 2; at <= 26; at += 6) {
      await order();
      await run(new KillSwitch(at, at % 4 === 0 ? 'before' : 'after'));
      expect(await run()).toMatchObject({ kind: 'done' });
      expectAll(at);
    }
  });

  it('counts a 409 for one of them as done for that one alone', async () => {
    await order();
    conflictsWith = (body) => body.name === '2.mov';
    expect(await run()).toMatchObject({ kind: 'retry', error: { code: 'iconik-conflict' } });
    const [second] = payload.otherFiles ?? [];
    await iconik.api().files.createFile('asset', {
      name: '2.mov',
      directory_path: 'archive',
      status: 'CLOSED',
      size: second?.sizeBytes,
      checksum: second?.md5,
      storage_id: 'cloud',
      format_id: 'format',
    });
    createOnce = createOnceDouble();
    expect(await run()).toMatchObject({ kind: 'done', result: { fileIds: [1, 2, 3].map(() => expect.any(String)) } });
    expect([...store.objects.keys()].sort()).toEqual(['cloud/archive/a/1.mov', 'cloud/archive/b/3.xml']);
  });

  it('shows life at each file that is there already, and asks for their file set once', async () => {
    await order();
    await run();
    memory = { ...memory, checkpoint: null };
    const told: (number | undefined)[] = [];
    onProgress = (fraction) => told.push(fraction);
    const asked: string[] = [];
    onFileSetFiles = (setId) => asked.push(setId);
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.at(-1)).toBe(1);
    expect(asked).toHaveLength(1);
  });

  it('sends nothing when one of them is not what was ordered', async () => {
    await order();
    const last = payload.otherFiles?.at(-1);
    if (last) last.mtimeNs = '1';
    expect(errorOf(await run())).toMatchObject({ code: 'file-changed', retry: 'permanent' });
    expect(store.seen).toEqual([]);
    expect(iconik.fileSets.size).toBe(0);
  });
});
