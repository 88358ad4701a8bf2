import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { orderTidying } from '../../../agent/db/queries/download-remains.ts';
import { filesOfFileSets } from '../../../agent/db/queries/ordered-file.ts';
import type { Keyframe, Proxy as ProxyRecord } from '../../../agent/iconik/api.ts';
import { createLookAtCopy } from '../../../agent/iconik/object-upload/look-at-copy.ts';
import type { JobHandler, JobOutcome } from '../../../agent/jobs/job-handler.ts';
import { findUploadSource } from '../../../agent/roles/main/queues/upload-source.ts';
import { createClearRemainsHandler } from '../../../agent/roles/transfer/clear-remains-handler.ts';
import { createDeleteCopyHandler, type DeleteCopyPayload } from '../../../agent/roles/transfer/delete-copy-handler.ts';
import { createDownloadHandler, type DownloadPayload } from '../../../agent/roles/transfer/download-handler.ts';
import { createUploadHandler } from '../../../agent/roles/transfer/upload-handler.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { isLong } from '../../support/long-version.ts';
import { ObjectStoreDouble } from '../../support/object-store-double.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createFolderStorage } from './folder-storage.ts';
import { createOnceDouble, IconikDouble } from './iconik-double.ts';
import { type JobMemory, jobContext, settle } from './job-context.ts';
import { indexRows, insertLeasedJob } from './job-row.ts';
import { KillSwitch } from './kill-switch.ts';

const original = randomBytes(40_000);
const lookAtCopy = createLookAtCopy({ attempts: 1 });
const md5Of = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex');

let db: TestDatabase;
let store: ObjectStoreDouble;
let folder: string;
let iconik: IconikDouble;
let storage: StorageAccess;
let order: DownloadPayload;
let createOnce: ReturnType<typeof createOnceDouble>;
let mayDelete: boolean;

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
afterEach(() => rm(folder, { recursive: true }));

async function freshWorld(): Promise<void> {
  if (folder) await rm(folder, { recursive: true, force: true });
  folder = await mkdtemp(join(tmpdir(), 'terms-'));
  await db.database.execute('TRUNCATE job, storage_file', []);
  store.objects.clear();
  iconik = new IconikDouble(store);
  iconik.methods.set('cloud', 'S3');
  put('cloud/remote/clip.mov', original);
  iconik.addFileSet({ id: 'source-set', storage_id: 'cloud', asset_id: 'asset', format_id: 'format' });
  iconik.add({ ...sourceFields(), name: 'clip.mov', original_name: 'clip.mov' });
  createOnce = createOnceDouble();
  storage = createFolderStorage('local', folder);
  mayDelete = true;
  order = {
    storageId: 'local',
    assetId: 'asset',
    versionId: 'v',
    formatId: 'format',
    sourceFileSetId: 'source-set',
    destinationDirectoryPath: 'in',
    destinationFileSetName: 'restored',
  };
}

const sourceFields = () => ({
  directory_path: 'remote',
  size: original.length,
  checksum: md5Of(original),
  status: 'CLOSED',
  storage_id: 'cloud',
  asset_id: 'asset',
  format_id: 'format',
  file_set_id: 'source-set',
});

function put(key: string, bytes: Buffer): void {
  store.objects.set(key, { bytes, etag: 'x', writes: 1 });
}

function addExtras(): void {
  const common = { name: null, status: 'CLOSED', storage_id: 'cloud', version_id: 'v' };
  const [proxy, poster] = [Buffer.from('the proxy'), Buffer.from('the poster')];
  put('proxy-1', proxy);
  put('poster-1', poster);
  iconik.proxies.push({ ...common, id: 'proxy-1', filename: 'p.mp4', size: proxy.length } as unknown as ProxyRecord);
  iconik.keyframes.push({
    ...common,
    id: 'poster-1',
    type: 'POSTER',
    filename: 'k.png',
    size: poster.length,
  } as unknown as Keyframe);
  iconik.values.set('asset/view', { Title: { field_values: [{ value: 'Sunrise' }] } });
}

const storageOf = (storageId: string) => (storageId === 'local' ? storage : null);

/** Runs one job once, its end committed as the runner does it. */
async function runOnce(
  kind: string,
  payload: Record<string, unknown>,
  killSwitch?: KillSwitch,
  more: { signal?: AbortSignal; earlier?: JobMemory } = {},
) {
  const wrap = <T extends object>(target: T): T => killSwitch?.wrap(target) ?? target;
  const api = { ...iconik.api(), files: wrap(iconik.api().files) };
  const sql = wrap({ query: db.database.query.bind(db.database), execute: db.database.execute.bind(db.database) });
  const nothing = async () => Promise.reject(new Error('nothing is to be sent'));
  const uploadObject = Object.assign(nothing, { abandon: nothing });
  const reach = (storageId: string) => (storageId === 'local' ? wrap(storage) : null);
  const handlers = [
    createDownloadHandler({ api, createOnce, sql, storageOf: reach }),
    createUploadHandler({ api, createOnce, uploadObject, storageOf }),
    createDeleteCopyHandler({ api, sql, storageOf: reach, mayDelete: () => mayDelete, lookAtCopy }),
    createClearRemainsHandler({ sql, storageOf: reach }),
  ] as unknown as JobHandler[];
  const handler = handlers.find((one) => one.kind === kind);
  if (!handler) throw new Error(`no handler of ${kind}`);
  const fresh = { checkpoint: null, confirmations: 0 };
  const memory: JobMemory = more.earlier ?? { ...(await insertLeasedJob(db.database, kind)), ...fresh };
  const context = jobContext({
    payload: handler.payload.parse(payload),
    memory,
    kind,
    ...(killSwitch ? { killSwitch } : {}),
    ...(more.signal ? { signal: more.signal } : {}),
  });
  const outcome = await settle(handler.run(context));
  if (!killSwitch?.isDead && 'alongside' in outcome && outcome.alongside)
    await db.database.transaction(outcome.alongside);
  return { outcome, memory };
}

const download = async (terms: Partial<DownloadPayload> = {}) =>
  (await runOnce('download', { ...order, ...terms })).outcome;
const errorOf = (outcome: JobOutcome | { kind: 'thrown'; thrown: unknown }) =>
  outcome.kind === 'thrown' ? outcome.thrown : 'error' in outcome ? outcome.error : outcome;
const content = (path: string) => readFile(join(folder, path));
const localRecords = () => [...iconik.files.values()].filter((file) => file.storage_id === 'local');

const queuedRow = z.object({ kind: z.string(), payload: z.unknown() });
const queued = () => db.database.query(`SELECT kind, payload FROM job WHERE state = 'queued'`, [], queuedRow);

describe('an order to overwrite', () => {
  const rewritten = randomBytes(1_234);

  function replaceSource(): void {
    put('cloud/remote/clip.mov', rewritten);
    for (const file of iconik.files.values())
      if (file.storage_id === 'cloud') Object.assign(file, { size: rewritten.length, checksum: md5Of(rewritten) });
  }

  it('replaces the file that the index knows as the same asset’s, wherever it is killed', async () => {
    let kills = 0;
    for (let at = 1; ; at += isLong ? 1 : 3) {
      await freshWorld();
      expect(await download()).toMatchObject({ kind: 'done' });
      replaceSource();
      const killSwitch = new KillSwitch(at, at % 2 === 0 ? 'before' : 'after');
      await runOnce('download', { ...order, overwrite: true }, killSwitch);
      if (!killSwitch.isDead) break;
      kills += 1;
      expect({ at, outcome: (await download({ overwrite: true })).kind }).toEqual({ at, outcome: 'done' });
      expect((await content('in/clip.mov')).equals(rewritten)).toBe(true);
      expect(localRecords()).toMatchObject([{ status: 'CLOSED', checksum: md5Of(rewritten), size: rewritten.length }]);
      expect(await indexRows(db.database, 'local')).toMatchObject([{ state: 'ingested', md5: md5Of(rewritten) }]);
    }
    expect(kills).toBeGreaterThan(isLong ? 10 : 4);
  });

  it('leaves what it cannot prove: a file of another asset, one that changed since, one that nobody knows', async () => {
    await download();
    replaceSource();
    const reset = () => db.database.execute(`UPDATE storage_file SET asset_id = 'asset', state = 'ingested'`, []);
    const spoilers = [
      () => db.database.execute(`UPDATE storage_file SET asset_id = 'other'`, []),
      () => db.database.execute(`UPDATE storage_file SET state = 'seen'`, []),
      () => writeFile(join(folder, 'in', 'clip.mov'), 'edited by hand'),
      () => db.database.execute('DELETE FROM storage_file', []),
    ];
    for (const spoil of spoilers) {
      await reset();
      await spoil();
      const before = await content('in/clip.mov');
      expect(errorOf(await download({ overwrite: true }))).toMatchObject({
        code: 'content-differs',
        retry: 'permanent',
      });
      expect((await content('in/clip.mov')).equals(before)).toBe(true);
      expect(await readdir(join(folder, 'in'))).toEqual(['clip.mov']);
    }
  });

  it('leaves the new file when it fails for good, or is cancelled, after the old one was removed', async () => {
    const refused = new IsgError('iconik-forbidden', 'iconik says no', { retry: 'permanent' });
    for (const end of ['failed', 'cancelled'] as const) {
      await freshWorld();
      await download();
      replaceSource();
      iconik.fileSets.clear();
      createOnce = () => Promise.reject(refused);
      const stop = new AbortController();
      if (end === 'cancelled') {
        const removeFile = storage.removeFile.bind(storage);
        storage = {
          ...storage,
          removeFile: async (path, expected) => {
            const removal = await removeFile(path, expected);
            stop.abort(new IsgError('cancelled', 'a user', { retry: 'transient' }));
            return removal;
          },
        };
      }
      const run = await runOnce('download', { ...order, overwrite: true }, undefined, { signal: stop.signal });
      expect(run.outcome).toMatchObject({ kind: end });
      expect(await readdir(join(folder, 'in'))).toEqual(['clip.mov']);
      expect((await content('in/clip.mov')).equals(rewritten)).toBe(true);
    }
  });

  it('leaves the new file also when its node dies for good after the old one was removed', async () => {
    await download();
    replaceSource();
    storage = { ...storage, commitFile: () => Promise.reject(new Error('the node dies')) };
    const { memory } = await runOnce('download', { ...order, overwrite: true });
    storage = createFolderStorage('local', folder);
    expect(await readdir(join(folder, 'in'))).toEqual([`.isg-pro-part-${memory.jobId}-0`]);
    const remains = (memory.checkpoint as { remains: unknown }).remains;
    await db.database.execute(`UPDATE job SET state = 'failed' WHERE job_id = $1`, [memory.jobId]);
    const tidying = { storageId: 'local', assetId: 'asset', jobId: memory.jobId, remains };
    expect((await runOnce('clear-remains', tidying)).outcome).toMatchObject({ kind: 'done' });
    expect(await readdir(join(folder, 'in'))).toEqual(['clip.mov']);
    expect((await content('in/clip.mov')).equals(rewritten)).toBe(true);
    expect(await indexRows(db.database, 'local')).toMatchObject([{ asset_id: 'asset', md5: md5Of(rewritten) }]);
  });

  it('never moves a part into place that is no good any more', async () => {
    await download();
    replaceSource();
    storage = { ...storage, commitFile: () => Promise.reject(new Error('the node dies')) };
    const { memory } = await runOnce('download', { ...order, overwrite: true });
    storage = createFolderStorage('local', folder);
    await writeFile(join(folder, 'in', `.isg-pro-part-${memory.jobId}-0`), randomBytes(rewritten.length));
    const refused = new IsgError('download-refused', 'answered 404', { retry: 'permanent' });
    storage = {
      ...storage,
      receiveFile: async (receive) => {
        await writeFile(join(folder, receive.path), 'half of it');
        throw refused;
      },
    };
    const again = await runOnce('download', { ...order, overwrite: true }, undefined, { earlier: memory });
    expect(again.outcome).toMatchObject({ kind: 'failed' });
    expect(await readdir(join(folder, 'in'))).toEqual([]);
  });

  it('leaves the file where nothing says to overwrite', async () => {
    await download();
    replaceSource();
    expect(errorOf(await download())).toMatchObject({ code: 'content-differs', retry: 'permanent' });
    expect((await content('in/clip.mov')).equals(original)).toBe(true);
  });
});

describe('an export', () => {
  const extras = { exportProxy: true, exportPosters: true, exportMetadata: { format: 'CSV', viewId: 'view' } };

  it('puts proxy, poster and metadata beside the original, which alone becomes a copy in iconik', async () => {
    addExtras();
    expect(await download({ ...extras, destinationFilename: 'final', includeOriginalExtension: true })).toMatchObject({
      kind: 'done',
    });
    expect((await readdir(join(folder, 'in'))).sort()).toEqual([
      'final.mov',
      'final.mov.csv',
      'final.mov_poster.png',
      'final.mov_proxy.mp4',
    ]);
    expect(String(await content('in/final.mov.csv'))).toBe('Title\r\nSunrise\r\n');
    expect(String(await content('in/final.mov_proxy.mp4'))).toBe('the proxy');
    expect(localRecords().map(({ name }) => name)).toEqual(['final.mov']);
    const rows = await indexRows(db.database, 'local');
    expect(rows.map(({ state, asset_id }) => [state, asset_id])).toEqual([
      ['ingested', 'asset'],
      ['skipped', null],
      ['skipped', null],
      ['skipped', null],
    ]);
  });

  it('without the original makes nothing in iconik, may be repeated, and says what is not there', async () => {
    addExtras();
    iconik.keyframes.length = 0;
    const terms = { ...extras, withoutOriginal: true };
    for (const round of [1, 2]) {
      expect({ round, outcome: await download({ ...terms, overwrite: true }) }).toMatchObject({
        round,
        outcome: { kind: 'done', result: { warning: 'iconik has no poster of this asset.' } },
      });
      expect((await readdir(join(folder, 'in'))).sort()).toEqual(['clip.csv', 'clip_proxy.mp4']);
      iconik.values.set('asset/view', { Title: { field_values: [{ value: 'Sunset' }] } });
    }
    expect(String(await content('in/clip.csv'))).toBe('Title\r\nSunset\r\n');
    expect(localRecords()).toEqual([]);
    expect(iconik.fileSets.size).toBe(1);
  });

  it('of nothing that iconik has fails with words', async () => {
    expect(errorOf(await download({ withoutOriginal: true, exportProxy: true }))).toMatchObject({
      code: 'download-refused',
      retry: 'permanent',
      message: expect.stringContaining('no proxy'),
    });
  });

  it('that adds no file set puts the original in place, and neither iconik nor a scan makes anything of it', async () => {
    expect(await download({ withoutFileSet: true })).toMatchObject({ kind: 'done', result: {} });
    expect((await content('in/clip.mov')).equals(original)).toBe(true);
    expect(localRecords()).toEqual([]);
    expect(await indexRows(db.database, 'local')).toMatchObject([
      { state: 'skipped', asset_id: null, md5: md5Of(original) },
    ]);
  });
});

describe('a deletion after a download', () => {
  async function deletion(): Promise<DeleteCopyPayload> {
    expect(await download({ deleteSource: true })).toMatchObject({ kind: 'done' });
    const jobs = await queued();
    expect(jobs.map(({ kind }) => kind)).toEqual(['delete-copy']);
    expect(iconik.deletedSets).toEqual([]);
    return jobs[0]?.payload as DeleteCopyPayload;
  }

  it('is a job of its own, born with the end of the download, and deletes the source copy once', async () => {
    const payload = await deletion();
    expect((await runOnce('delete-copy', payload)).outcome).toMatchObject({ kind: 'done' });
    expect(iconik.deletedSets).toEqual([{ setId: 'source-set', keepSource: false }]);
    expect((await runOnce('delete-copy', payload)).outcome).toMatchObject({ kind: 'done' });
  });

  it.each<[string, () => unknown]>([
    ['the copy here was changed', () => writeFile(join(folder, 'in', 'clip.mov'), 'x')],
    ['the copy here is gone', () => rm(join(folder, 'in', 'clip.mov'))],
    ['iconik shows no closed copy', () => Object.assign(localRecords()[0] ?? {}, { status: 'OPEN' })],
    ['iconik shows another content', () => Object.assign(localRecords()[0] ?? {}, { checksum: 'f'.repeat(32) })],
    [
      'the source holds a file more',
      () => iconik.add({ ...sourceFields(), name: 'late.mov', checksum: 'e'.repeat(32), size: 1 }),
    ],
  ])('keeps the source when %s', async (_what, spoil) => {
    const payload = await deletion();
    await spoil();
    expect(errorOf((await runOnce('delete-copy', payload)).outcome)).toMatchObject({
      code: 'content-differs',
      retry: 'permanent',
      message: expect.stringContaining('was kept'),
    });
    expect(iconik.deletedSets).toEqual([]);
  });
});

describe('a deletion after an upload', () => {
  /** An upload whose copy is in the cloud already: the rest of the road is the same. */
  async function deletion(): Promise<DeleteCopyPayload> {
    await mkdir(join(folder, 'src'));
    await writeFile(join(folder, 'src', 'clip.mov'), original);
    const facts = await storage.stat('src/clip.mov');
    iconik.addFileSet({ id: 'local-set', storage_id: 'local', asset_id: 'asset', format_id: 'format' });
    const local = { storage_id: 'local', file_set_id: 'local-set', directory_path: 'src', name: 'clip.mov' };
    iconik.add({ ...sourceFields(), ...local, id: 'local-file' });
    iconik.conflictOn = 'cloud';
    const payload = {
      storageId: 'local',
      path: 'src/clip.mov',
      assetId: 'asset',
      formatId: 'format',
      fileSetId: 'local-set',
      fileId: 'local-file',
      sizeBytes: original.length,
      md5: md5Of(original),
      mtimeNs: facts?.mtimeNs,
      destinationStorageId: 'cloud',
      destinationDirectoryPath: 'remote',
      deleteLocal: true,
    };
    await db.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, iconik_file_id)
       VALUES ('local', 'src/clip.mov', 'src/clip.mov', 'src', $1, $2::bigint, '1', 'ingested', 'local-file')`,
      [original.length, facts?.mtimeNs],
    );
    expect((await runOnce('upload', payload)).outcome).toMatchObject({ kind: 'done' });
    const [job] = await queued();
    return job?.payload as DeleteCopyPayload;
  }

  it('removes the very file, its record and its row, wherever it is killed', async () => {
    let kills = 0;
    for (let at = 1; ; at += 1) {
      await freshWorld();
      const payload = await deletion();
      const killSwitch = new KillSwitch(at, at % 2 === 0 ? 'before' : 'after');
      const first = await runOnce('delete-copy', payload, killSwitch);
      if (killSwitch.isDead) {
        kills += 1;
        expect((await runOnce('delete-copy', payload)).outcome).toMatchObject({ kind: 'done' });
      } else expect(first.outcome).toMatchObject({ kind: 'done' });
      expect(await readdir(join(folder, 'src'))).toEqual([]);
      expect(iconik.deletedSets.at(-1)).toEqual({ setId: 'local-set', keepSource: true });
      expect(await indexRows(db.database, 'local')).toEqual([]);
      if (!killSwitch.isDead) break;
    }
    expect(kills).toBeGreaterThan(3);
  });

  it.each<[string, () => unknown]>([
    [
      'deleting is switched off',
      () => {
        mayDelete = false;
      },
    ],
    ['the file has changed', () => writeFile(join(folder, 'src', 'clip.mov'), randomBytes(original.length))],
    ['the object store has no object behind the record', () => store.objects.clear()],
    ['the object store has a cut one', () => put('cloud/remote/clip.mov', original.subarray(1))],
    [
      'the copy in the cloud is not closed',
      () => {
        for (const file of iconik.files.values()) if (file.storage_id === 'cloud') file.status = 'OPEN';
      },
    ],
  ])('keeps the file when %s', async (_what, spoil) => {
    const payload = await deletion();
    await spoil();
    expect(errorOf((await runOnce('delete-copy', payload)).outcome)).toMatchObject({
      message: expect.stringContaining('was kept'),
    });
    expect(await readdir(join(folder, 'src'))).toEqual(['clip.mov']);
    expect(iconik.deletedSets).toEqual([]);
  });
});

describe('a deletion of several files after an upload', () => {
  it('removes none of them when one has changed', async () => {
    const files: DeleteCopyPayload['files'] = [];
    for (const name of ['a.mov', 'b.mov']) {
      await writeFile(join(folder, name), name);
      const facts = await storage.stat(name);
      const content = { md5: md5Of(name), sizeBytes: name.length };
      iconik.add({ ...sourceFields(), name, size: name.length, checksum: md5Of(name) });
      put(`cloud/remote/${name}`, Buffer.from(name));
      iconik.add({
        ...sourceFields(),
        storage_id: 'local',
        file_set_id: 'local-set',
        name,
        checksum: md5Of(name),
      });
      files.push({ path: name, ...content, mtimeNs: facts?.mtimeNs ?? '', iconikFileId: null });
    }
    for (const file of iconik.files.values()) if (file.storage_id === 'local') file.size = 5;
    await writeFile(join(folder, 'b.mov'), 'later');
    const payload = { storageId: 'local', assetId: 'asset', fileSetId: 'local-set', keptFileSetId: 'source-set' };
    const { outcome } = await runOnce('delete-copy', { ...payload, where: 'here', files });
    expect(errorOf(outcome)).toMatchObject({ message: expect.stringContaining('b.mov has changed') });
    expect((await readdir(folder)).sort()).toEqual(['a.mov', 'b.mov']);
  });
});

describe('a download that ended without its handler', () => {
  /** Dies in the middle of its second file; its checkpoint is stored as the runner stores it. */
  async function leaveRemains(state: string, kind = 'download'): Promise<string> {
    const receiveFile = storage.receiveFile.bind(storage);
    const dying = { ...storage };
    dying.receiveFile = async (receive, options) => {
      await receiveFile(receive, options);
      throw new Error('the node dies');
    };
    const whole = storage;
    storage = dying;
    const { memory } = await runOnce('download', order);
    storage = whole;
    await db.database.execute(
      `UPDATE job SET state = $2, checkpoint = $3::jsonb, finished_at = now(), storage_id = 'local', payload = $4::jsonb,
         kind = $5 WHERE job_id = $1`,
      [memory.jobId, state, JSON.stringify(memory.checkpoint), JSON.stringify(order), kind],
    );
    expect(await readdir(join(folder, 'in'))).toEqual([`.isg-pro-part-${memory.jobId}-0`]);
    return memory.jobId;
  }

  /** The leader of a term, as the fence asks for it. */
  async function lead() {
    const runId = crypto.randomUUID();
    await db.database.execute('UPDATE leader_term SET term = term + 1, run_id = $1', [runId]);
    const [row] = await db.database.query(
      'SELECT term::int AS term FROM leader_term',
      [],
      z.object({ term: z.number() }),
    );
    return { term: row?.term ?? 0, runId, assertTrusted: () => undefined };
  }

  it.each([
    ['cancelled', 'download'],
    ['failed', 'download'],
    ['cancelled', 'direct-download'],
    ['cancelled', 'relay-download'],
  ])('leaves no partial file once it is %s: %s', async (state, kind) => {
    await leaveRemains(state, kind);
    const leader = await lead();
    expect(await orderTidying(db.database, leader)).toBe(1);
    expect(await orderTidying(db.database, leader)).toBe(0);
    const [job] = await queued();
    expect(job?.kind).toBe('clear-remains');
    expect((await runOnce('clear-remains', job?.payload as Record<string, unknown>)).outcome).toMatchObject({
      kind: 'done',
      result: { removed: 1 },
    });
    expect(await readdir(join(folder, 'in'))).toEqual([]);
  });

  it('keeps what it has when it is ordered again before the tidying comes, or when it is still queued', async () => {
    const jobId = await leaveRemains('failed');
    await orderTidying(db.database, await lead());
    const [job] = await queued();
    await db.database.execute(`UPDATE job SET state = 'queued', finished_at = NULL WHERE job_id = $1`, [jobId]);
    const outcome = (await runOnce('clear-remains', job?.payload as Record<string, unknown>)).outcome;
    expect(outcome).toMatchObject({ kind: 'done', result: { removed: 0, resumed: true } });
    expect(await readdir(join(folder, 'in'))).toHaveLength(1);
    expect(await orderTidying(db.database, await lead())).toBe(0);
  });
});

describe('an upload order for a file set of several files', () => {
  const record = {
    id: 'r',
    asset_id: 'asset',
    original_file_set_id: 'local-set',
    destination_storage_id: 'cloud',
  };
  const source = async () => {
    const indexed = await filesOfFileSets(db.database, 'local', ['local-set']);
    const deps = { iconik: iconik.api(), database: db.database };
    return await findUploadSource(deps, { storageId: 'local', record, indexed }, AbortSignal.timeout(20_000));
  };

  async function addFile(name: string): Promise<void> {
    const at = { storage_id: 'local', file_set_id: 'local-set', directory_path: 'card', name, checksum: md5Of(name) };
    iconik.add({ ...sourceFields(), ...at, id: `id of ${name}` });
    await db.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, md5, file_set_id)
       VALUES ('local', $1, $1, 'card', 1, 1, '1', 'ingested', $2, 'local-set')`,
      [`card/${name}`, md5Of(name)],
    );
  }

  it('means all of them, and none while one is not known as iconik has it', async () => {
    for (const name of ['a', 'b', 'c']) await addFile(name);
    const found = await source();
    const files = found.kind === 'found' ? [found.file, ...(found.others ?? [])] : [];
    expect(files.map(({ path, iconikFileId }) => [path, iconikFileId])).toEqual([
      ['card/a', 'id of a'],
      ['card/b', 'id of b'],
      ['card/c', 'id of c'],
    ]);
    await db.database.execute(`UPDATE storage_file SET state = 'seen' WHERE path = 'card/c'`, []);
    expect((await source()).kind).toBe('wait');
    await db.database.execute(`UPDATE storage_file SET state = 'ingested', md5 = $1 WHERE path = 'card/c'`, [
      md5Of('x'),
    ]);
    expect(await source()).toMatchObject({ kind: 'unusable', why: expect.stringContaining('checksum differs') });
    // A part of the file set in the index is not the file set, though it be a single file.
    await db.database.execute(`DELETE FROM storage_file WHERE path = 'card/c'`, []);
    expect((await source()).kind).not.toBe('found');
    await db.database.execute(`DELETE FROM storage_file WHERE path = 'card/b'`, []);
    expect((await source()).kind).not.toBe('found');
    // What iconik does not list at all is what the index says.
    iconik.files.clear();
    expect((await source()).kind).toBe('found');
  });
});
