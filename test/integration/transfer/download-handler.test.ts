import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registerDownload } from '../../../agent/db/queries/download-registration.ts';
import type { CreateOnce } from '../../../agent/iconik/creation/create-once.ts';
import type { JobOutcome } from '../../../agent/jobs/job-handler.ts';
import { createDownloadHandler, type DownloadPayload } from '../../../agent/roles/transfer/download-handler.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { ObjectStoreDouble } from '../../support/object-store-double.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createFolderStorage } from './folder-storage.ts';
import { createOnceDouble, IconikDouble } from './iconik-double.ts';
import { type JobMemory, jobContext, settle } from './job-context.ts';
import { indexRows, insertIndexRow, insertLeasedJob } from './job-row.ts';
import { KillSwitch } from './kill-switch.ts';

const contents = { 'clip.mov': randomBytes(50_000), 'notes.txt': randomBytes(3_000) };
const md5Of = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

let db: TestDatabase;
let store: ObjectStoreDouble;
let folder: string;
let iconik: IconikDouble;
let storage: StorageAccess;
let createOnce: CreateOnce;
let payload: DownloadPayload;
let memory: JobMemory;
let onProgress: (fraction: number) => void;
/** Checkpoints written since the world was made. */
let saves: number;

beforeAll(async () => {
  db = await createTestDatabase();
  store = new ObjectStoreDouble();
  await store.start();
});

afterAll(async () => {
  await store.stop();
  await db.drop();
});

beforeEach(() => freshWorld());

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function freshWorld(): Promise<void> {
  if (folder) await rm(folder, { recursive: true, force: true });
  folder = await mkdtemp(join(tmpdir(), 'download-'));
  await db.database.execute('TRUNCATE job, storage_file', []);
  store.objects.clear();
  store.seen.length = 0;
  store.misbehave = () => null;
  iconik = new IconikDouble(store);
  iconik.methods.set('cloud', 'S3');
  for (const [name, bytes] of Object.entries(contents)) addSource(name, bytes);
  createOnce = createOnceDouble();
  onProgress = () => undefined;
  saves = 0;
  storage = createFolderStorage('local', folder);
  memory = { ...(await insertLeasedJob(db.database, 'download')), checkpoint: null, confirmations: 0 };
  payload = {
    storageId: 'local',
    assetId: 'asset',
    formatId: 'format',
    sourceFileSetId: 'source-set',
    destinationDirectoryPath: 'in',
    destinationFileSetName: 'restored',
  };
}

function addSource(name: string, bytes: Buffer): void {
  store.objects.set(`cloud/remote/${name}`, { bytes, etag: 'x', writes: 1 });
  iconik.add({
    name,
    original_name: name,
    directory_path: 'remote',
    size: bytes.length,
    checksum: md5Of(bytes),
    status: 'CLOSED',
    storage_id: 'cloud',
    asset_id: 'asset',
    format_id: 'format',
    file_set_id: 'source-set',
  });
}

const sourceRecord = (name: string) =>
  [...iconik.files.values()].find((file) => file.name === name && file.storage_id === 'cloud');

/** One run of the job, its end committed as the runner does it. */
async function run(killSwitch?: KillSwitch, signal?: AbortSignal, confirmLease?: () => Promise<void>) {
  const wrap = <T extends object>(target: T): T => killSwitch?.wrap(target) ?? target;
  const handler = createDownloadHandler({
    api: { ...iconik.api(), files: wrap(iconik.api().files) },
    createOnce,
    sql: wrap({ query: db.database.query.bind(db.database), execute: db.database.execute.bind(db.database) }),
    storageOf: (storageId) => (storageId === 'local' ? wrap(storage) : null),
  });
  const plain = jobContext({
    payload,
    memory,
    kind: 'download',
    ...(killSwitch ? { killSwitch } : {}),
    ...(signal ? { signal } : {}),
  });
  const watched = {
    ...plain,
    progress: (fraction: number) => onProgress(fraction),
    saveCheckpoint: (value: unknown) => {
      saves += 1;
      return plain.saveCheckpoint(value);
    },
  };
  const context = confirmLease ? { ...watched, confirmLease } : watched;
  const outcome = await settle(handler.run(context));
  if (!killSwitch?.isDead && 'alongside' in outcome && outcome.alongside)
    await db.database.transaction(outcome.alongside);
  return outcome;
}

const errorOf = (outcome: JobOutcome | { kind: 'thrown'; thrown: unknown }) =>
  outcome.kind === 'thrown' ? outcome.thrown : 'error' in outcome ? outcome.error : outcome;

async function expectDownloaded(where = ''): Promise<void> {
  const names = await readdir(join(folder, 'in'));
  expect({ where, names: names.sort() }).toEqual({ where, names: ['clip.mov', 'notes.txt'] });
  for (const [name, bytes] of Object.entries(contents)) {
    expect((await readFile(join(folder, 'in', name))).equals(bytes)).toBe(true);
  }
  const sets = [...iconik.fileSets.values()];
  expect(sets).toMatchObject([{ storage_id: 'local', base_dir: 'in', name: 'restored', format_id: 'format' }]);
  const files = [...iconik.files.values()].filter((file) => file.storage_id === 'local');
  expect(
    files
      .map((file) => [file.name, file.status, file.directory_path, file.file_set_id, file.checksum])
      .toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))),
  ).toEqual(Object.entries(contents).map(([name, bytes]) => [name, 'CLOSED', 'in', sets[0]?.id, md5Of(bytes)]));
  const rows = await indexRows(db.database, 'local');
  expect(rows).toHaveLength(2);
  for (const row of rows) {
    const facts = await storage.stat(row.path_key);
    const file = files.find((one) => `in/${one.name}` === row.path_key);
    expect(row).toMatchObject({
      state: 'ingested',
      size_bytes: String(facts?.sizeBytes),
      mtime_ns: facts?.mtimeNs,
      file_id: facts?.fileId,
      md5: file?.checksum,
      asset_id: 'asset',
      file_set_id: sets[0]?.id,
      iconik_file_id: file?.id,
    });
  }
}

describe('a download job', () => {
  it('brings all files of the set, enters them and closes their records', async () => {
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('converges after a kill at any external call, before or after its effect', async () => {
    let steps = 0;
    for (let at = 1; ; at += 1) {
      await freshWorld();
      const before = new KillSwitch(at, 'before');
      await run(before);
      if (!before.isDead) break;
      steps += 1;
      expect((await run()).kind).toBe('done');
      await expectDownloaded(`before call ${at}`);
      await freshWorld();
      await run(new KillSwitch(at, 'after'));
      expect((await run()).kind).toBe('done');
      await expectDownloaded(`after call ${at}`);
    }
    expect(steps).toBeGreaterThan(20);
  });

  it('converges also when iconik does not know the MD5 of the source', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 5; at <= 30; at += 5) {
        await freshWorld();
        for (const file of iconik.files.values()) file.checksum = null;
        await run(new KillSwitch(at, when));
        expect((await run()).kind).toBe('done');
        await expectDownloaded(`${when} call ${at}`);
      }
    }
  });

  it('enters a file before it has its final name, so that a scan cannot take it for new', async () => {
    const commitFile = storage.commitFile.bind(storage);
    const seen: unknown[] = [];
    storage = {
      ...storage,
      commitFile: async (from, to) => {
        const rows = await indexRows(db.database, 'local');
        seen.push(rows.find((row) => row.path_key === to));
        return await commitFile(from, to);
      },
    };
    await run();
    expect(seen).toHaveLength(2);
    for (const row of seen)
      expect(row).toMatchObject({ state: 'ingesting', asset_id: 'asset', format_id: 'format', is_due: false });
  });

  it('goes on with the bytes that an earlier attempt left', async () => {
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', `.isg-pro-part-${memory.jobId}-0`), contents['clip.mov'].subarray(0, 20_000));
    const asked: number[] = [];
    const receiveFile = storage.receiveFile.bind(storage);
    storage = {
      ...storage,
      receiveFile: async (receive, options) => {
        asked.push((await storage.stat(receive.path))?.sizeBytes ?? 0);
        return await receiveFile(receive, options);
      },
    };
    store.misbehave = () => null;
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(asked).toEqual([20_000, 0]);
  });

  it('does not build on bytes that nothing can verify', async () => {
    for (const file of iconik.files.values()) file.checksum = null;
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', `.isg-pro-part-${memory.jobId}-0`), Buffer.alloc(20_000));
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('leaves a partial file of no good to the node that has the lease now', async () => {
    await mkdir(join(folder, 'in'));
    const partial = join(folder, 'in', `.isg-pro-part-${memory.jobId}-0`);
    await writeFile(partial, Buffer.alloc(contents['clip.mov'].length));
    const lost = () => Promise.reject(new IsgError('lease-lost', 'lost', { retry: 'transient' }));
    expect(errorOf(await run(undefined, undefined, lost))).toMatchObject({ code: 'lease-lost' });
    expect((await readFile(partial)).equals(Buffer.alloc(contents['clip.mov'].length))).toBe(true);
  });

  it('is tried again when its partial file vanishes while it is received', async () => {
    const gone = new IsgError('file-not-found', 'There is no such file.', { retry: 'permanent' });
    storage = { ...storage, receiveFile: () => Promise.reject(gone) };
    expect(errorOf(await run())).toMatchObject({ code: 'file-changed', retry: 'transient' });
  });

  it('is done when a run that had lost its lease moves the file into place first, and tries again when it is nowhere', async () => {
    const commitFile = storage.commitFile.bind(storage);
    const gone = new IsgError('file-not-found', 'There is no partial file.', { retry: 'permanent' });
    storage = {
      ...storage,
      commitFile: async (from) => {
        await rm(join(folder, from));
        throw gone;
      },
    };
    expect(errorOf(await run())).toMatchObject({ code: 'file-changed', retry: 'transient' });
    storage = {
      ...storage,
      commitFile: async (from, to) => {
        await commitFile(from, to);
        throw gone;
      },
    };
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('takes a file of the same content for its own, whoever put it there', async () => {
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', 'clip.mov'), contents['clip.mov']);
    await insertIndexRow(db.database, { storageId: 'local', path: 'in/clip.mov', state: 'hashed' });
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('never touches a file of other content, and leaves nothing behind', async () => {
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', 'notes.txt'), 'mine');
    expect(errorOf(await run())).toMatchObject({
      code: 'content-differs',
      retry: 'permanent',
      message: expect.stringContaining('in/notes.txt'),
    });
    expect(await readdir(join(folder, 'in'))).toEqual(['notes.txt']);
    expect(await readFile(join(folder, 'in', 'notes.txt'), 'utf8')).toBe('mine');
    expect(await indexRows(db.database, 'local')).toEqual([]);
    expect(iconik.fileSets.size).toBe(0);
  });

  it('does not take a path that belongs to another asset', async () => {
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', 'clip.mov'), contents['clip.mov']);
    await insertIndexRow(db.database, { storageId: 'local', path: 'in/clip.mov', state: 'ingested', assetId: 'other' });
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'permanent' });
    expect(await indexRows(db.database, 'local')).toMatchObject([{ state: 'ingested', asset_id: 'other' }]);
  });

  it('takes over a path whose file is gone and whose record belongs to another asset', async () => {
    await run();
    const [first] = [...iconik.files.values()].filter((file) => file.storage_id === 'local');
    await rm(join(folder, 'in'), { recursive: true });
    await db.database.execute(`UPDATE storage_file SET state = 'missing'`, []);
    for (const file of iconik.files.values()) if (file.storage_id === 'cloud') file.asset_id = 'second';
    payload = { ...payload, assetId: 'second', formatId: 'second-format' };
    memory = { ...memory, checkpoint: null };
    expect(await run()).toMatchObject({ kind: 'done' });
    const ours = [...iconik.files.values()].filter((file) => file.storage_id === 'local' && file.asset_id === 'second');
    expect(ours.map((file) => file.status)).toEqual(['CLOSED', 'CLOSED']);
    expect(ours.map((file) => file.id)).not.toContain(first?.id);
    expect(await indexRows(db.database, 'local')).toMatchObject([{ asset_id: 'second' }, { asset_id: 'second' }]);
  });

  it('waits for ingest that is making an asset of the path right now', async () => {
    await mkdir(join(folder, 'in'));
    await writeFile(join(folder, 'in', 'clip.mov'), contents['clip.mov']);
    await insertIndexRow(db.database, { storageId: 'local', path: 'in/clip.mov', state: 'ingesting' });
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'transient' });
    expect(await indexRows(db.database, 'local')).toMatchObject([{ state: 'ingesting', asset_id: null }]);
  });

  it('fetches content that does not fit its record once more, then fails for good', async () => {
    const record = sourceRecord('clip.mov');
    if (record) record.checksum = 'f'.repeat(32);
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'transient' });
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'permanent' });
    expect(await readdir(join(folder, 'in'))).toEqual([]);
    expect(store.count('get')).toBe(2);
  });

  it('counts misfits of each file by itself', async () => {
    const receiveFile = storage.receiveFile.bind(storage);
    const torn = new Set<string>();
    storage = {
      ...storage,
      receiveFile: async (receive, options) => {
        const digest = await receiveFile(receive, options);
        if (torn.has(receive.path)) return digest;
        torn.add(receive.path);
        return { ...digest, md5: 'f'.repeat(32) };
      },
    };
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'transient' });
    expect(errorOf(await run())).toMatchObject({ code: 'content-differs', retry: 'transient' });
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('writes no checkpoint for files whose MD5 iconik knows, and shows life for each that it puts in place', async () => {
    const told: number[] = [];
    onProgress = (fraction) => told.push(fraction);
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(saves).toBe(1);
    expect(told).toEqual([1, 1, 1, 1]);
  });

  it('asks for a fresh URL when the signature has run out', async () => {
    const receiveFile = storage.receiveFile.bind(storage);
    let calls = 0;
    storage = {
      ...storage,
      receiveFile: async (receive, options) => {
        calls += 1;
        if (calls === 1) store.expireUrls();
        return await receiveFile(receive, options);
      },
    };
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('tries on within one attempt while a breaking line brings it further, and only then', async () => {
    const receiveFile = storage.receiveFile.bind(storage);
    const broken = new IsgError('download-refused', 'The connection failed.', { retry: 'transient' });
    let calls = 0;
    const breaking = (breaks: number, stepBytes: number): StorageAccess => ({
      ...storage,
      receiveFile: async (receive, options) => {
        calls += 1;
        if (calls > breaks) return await receiveFile(receive, options);
        options.onProgress?.(calls * stepBytes);
        throw broken;
      },
    });
    const whole = storage;
    storage = breaking(Number.POSITIVE_INFINITY, 1_000_000);
    expect(errorOf(await run())).toBe(broken);
    expect(calls).toBe(2);
    calls = 0;
    storage = { ...whole, ...breaking(12, 20 * 1024 * 1024) };
    expect(await run()).toMatchObject({ kind: 'done' });
    await expectDownloaded();
  });

  it('waits, without burning an attempt, for a storage that is not reached, but not for a file of one that is', async () => {
    storage = {
      ...storage,
      stat: () => Promise.reject(new IsgError('storage-unavailable', 'away', { retry: 'transient' })),
    };
    expect(await run()).toMatchObject({ kind: 'retry', error: { code: 'storage-unavailable' } });
    storage = { ...storage, probe: async () => ({ kind: 'unreachable', reason: 'hung', detail: 'it hangs' }) };
    expect(await run()).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
    payload = { ...payload, storageId: 'elsewhere' };
    expect(await run()).toMatchObject({ kind: 'snooze' });
  });

  it('leaves no partial file when it is cancelled, but keeps it when the node stops', async () => {
    const original = storage;
    for (const code of ['cancelled', 'stopped'] as const) {
      const stop = new AbortController();
      storage = {
        ...original,
        receiveFile: async (receive) => {
          await writeFile(join(folder, receive.path), 'part');
          stop.abort(new IsgError(code, 'end', { retry: 'transient' }));
          throw new IsgError(code, 'end', { retry: 'transient' });
        },
      };
      await mkdir(join(folder, 'in'), { recursive: true });
      await run(undefined, stop.signal);
      expect(await readdir(join(folder, 'in'))).toHaveLength(code === 'cancelled' ? 0 : 1);
    }
  });

  it('changes nothing once its lease is another node’s', async () => {
    await db.database.execute(`UPDATE job SET lease_token = nextval('lease_token')`, []);
    expect(errorOf(await run())).toMatchObject({ code: 'lease-lost' });
    expect(await indexRows(db.database, 'local')).toEqual([]);
    expect(iconik.fileSets.size).toBe(0);
  });
});

describe('entering a download', () => {
  it('waits for a take-over of the lease in progress and then changes nothing', async () => {
    const file = {
      storageId: 'local',
      pathKey: 'a',
      path: 'a',
      directory: '',
      sizeBytes: 1,
      mtimeNs: '1',
      fileId: '1',
      md5: 'm',
      xxh128: 'x',
      assetId: 'asset',
      versionId: null,
      formatId: 'format',
    };
    let registering: Promise<unknown> = Promise.resolve();
    await db.database.transaction(async (sql) => {
      await sql.execute(`UPDATE job SET lease_token = nextval('lease_token')`, []);
      registering = registerDownload(db.database, memory, file).catch((thrown: unknown) => thrown);
      await waitUntilBlocked();
    });
    expect(await registering).toMatchObject({ code: 'lease-lost' });
    expect(await indexRows(db.database, 'local')).toEqual([]);
  });

  async function waitUntilBlocked(): Promise<void> {
    await expect
      .poll(() =>
        db.database.execute(
          `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO storage_file%'`,
          [],
        ),
      )
      .toBeGreaterThan(0);
  }
});
