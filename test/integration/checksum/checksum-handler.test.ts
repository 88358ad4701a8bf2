import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ChecksumPayload, createChecksumHandler } from '../../../agent/roles/checksum/checksum-handler.ts';
import { type ErrorCode, IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createFolderStorage } from '../transfer/folder-storage.ts';
import { type JobMemory, jobContext, settle } from '../transfer/job-context.ts';
import { indexRows, insertIndexRow } from '../transfer/job-row.ts';

const md5 = createHash('md5').update('content').digest('hex');
// The same name as people see it, in the form that macOS stores.
const PATH = 'Cafe\u0301.mov';

let db: TestDatabase;
let folder: string;
let storage: StorageAccess;
let payload: ChecksumPayload;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(() => db.drop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checksum-'));
  await writeFile(join(folder, PATH), 'content');
  storage = createFolderStorage('local', folder);
  const facts = await storage.stat(PATH);
  payload = { storageId: 'local', path: PATH, sizeBytes: 7, mtimeNs: facts?.mtimeNs ?? '' };
  await db.database.execute('TRUNCATE storage_file', []);
  await insertRow('hashing');
});

afterEach(() => rm(folder, { recursive: true }));

const insertRow = (state: string) =>
  insertIndexRow(db.database, {
    storageId: 'local',
    path: PATH.normalize('NFC'),
    state,
    sizeBytes: 7,
    mtimeNs: payload.mtimeNs,
  });

const AWAY = { kind: 'unreachable', reason: 'hung', detail: 'it hangs' } as const;
const failing = (code: ErrorCode, retry: 'transient' | 'permanent'): StorageAccess => ({
  ...storage,
  digest: () => Promise.reject(new IsgError(code, `it is ${code}`, { retry })),
});

async function run() {
  const handler = createChecksumHandler({
    storageOf: (storageId) => (storageId === 'local' ? storage : null),
    maxBytesPerSecond: () => null,
  });
  const memory: JobMemory = { jobId: '1', leaseToken: '1', checkpoint: null, confirmations: 0 };
  const outcome = await settle(handler.run(jobContext({ payload, memory, kind: 'checksum' })));
  if ('alongside' in outcome && outcome.alongside) await db.database.transaction(outcome.alongside);
  return outcome;
}

const row = async () => (await indexRows(db.database, 'local'))[0];

describe('a checksum job', () => {
  it('stores both digests and hands the file to ingest', async () => {
    expect(await run()).toMatchObject({ kind: 'done', result: { md5 } });
    expect(await row()).toMatchObject({
      state: 'hashed',
      md5,
      xxh128: expect.stringMatching(/^[0-9a-f]{32}$/),
      is_due: true,
    });
  });

  it('gives a file that is not the one described back to the scan', async () => {
    payload = { ...payload, mtimeNs: '1' };
    await db.database.execute('UPDATE storage_file SET mtime_ns = 1', []);
    expect(await run()).toMatchObject({ kind: 'done', result: { changed: true } });
    expect(await row()).toMatchObject({ state: 'seen', md5: null });
  });

  it('gives a file that changed while it was read back to the scan', async () => {
    const inner = storage;
    storage = {
      ...storage,
      digest: async (path, options) => ({ ...(await inner.digest(path, options)), changed: true }),
    };
    expect(await run()).toMatchObject({ kind: 'done', result: { changed: true } });
    expect(await row()).toMatchObject({ state: 'seen', md5: null });
    storage = failing('file-changed', 'transient');
    await db.database.execute(`UPDATE storage_file SET state = 'hashing'`, []);
    expect(await run()).toMatchObject({ kind: 'done', result: { changed: true } });
  });

  it('leaves a file that is gone to the scan', async () => {
    await rm(join(folder, PATH));
    expect(await run()).toMatchObject({ kind: 'done', result: { gone: true } });
    expect(await row()).toMatchObject({ state: 'seen' });
  });

  it('marks a file that can never be read as faulty, with the reason', async () => {
    storage = failing('file-unreadable', 'permanent');
    expect(await run()).toMatchObject({ kind: 'failed', error: { code: 'file-unreadable' } });
    expect(await row()).toMatchObject({
      state: 'faulty',
      error: { code: 'file-unreadable', message: 'it is file-unreadable' },
    });
  });

  it('is tried again after transient trouble, the row untouched', async () => {
    storage = failing('file-unreadable', 'transient');
    expect(await run()).toMatchObject({ kind: 'thrown', thrown: { code: 'file-unreadable' } });
    expect(await row()).toMatchObject({ state: 'hashing' });
  });

  it.each(['storage-unavailable', 'storage-hung'] as const)(
    'costs an attempt when only its file is to blame, the storage itself being well: %s',
    async (code) => {
      storage = failing(code, 'transient');
      expect(await run()).toMatchObject({ kind: 'retry', error: { code } });
      expect(await row()).toMatchObject({ state: 'hashing' });
    },
  );

  it.each(['storage-unavailable', 'storage-hung'] as const)(
    'waits without burning an attempt while: %s',
    async (code) => {
      storage = { ...failing(code, 'transient'), probe: async () => AWAY };
      expect(await run()).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
      payload = { ...payload, storageId: 'elsewhere' };
      expect(await run()).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
      expect(await row()).toMatchObject({ state: 'hashing' });
    },
  );

  it('leaves a row alone that a scan has moved on meanwhile', async () => {
    await db.database.execute(`UPDATE storage_file SET state = 'growing', size_bytes = 9`, []);
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(await row()).toMatchObject({ state: 'growing', md5: null });
  });
});
