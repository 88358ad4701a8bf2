import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fileCalls } from '../../../agent/operator/calls/file-calls.ts';
import { createVerifyHandler } from '../../../agent/roles/checksum/verify-handler.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { useStorages } from '../storage/storage-fixture.ts';
import { type JobMemory, jobContext, settle } from '../transfer/job-context.ts';

const storages = useStorages();
let db: TestDatabase;
let storage: StorageAccess;
let memory: JobMemory;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(() => db.drop());

beforeEach(async () => {
  storage = await storages.open();
  memory = { jobId: '1', leaseToken: '1', checkpoint: null, confirmations: 0 };
  await db.database.execute('TRUNCATE storage_file', []);
});

const at = (path: string) => join(storage.mountPoint, path);

/** Writes a file and records it with its digests, as a checksum job leaves it. */
async function record(path: string, { state = 'ingested', withFast = true } = {}): Promise<void> {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), `content of ${path}`);
  utimesSync(at(path), 1_000, 1_000);
  const { md5, xxh128, facts } = await storage.digest(path, {});
  await db.database.execute(
    `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, md5, xxh128)
     VALUES ('nas', $1, $1, $2, $3, $4::bigint, $5, $6, $7, $8)`,
    [path, dirname(path), facts.sizeBytes, facts.mtimeNs, facts.fileId, state, md5, withFast ? xxh128 : null],
  );
}

/** Other bytes of the same length, with the recorded time: what a failing disk does. */
function damage(path: string): void {
  writeFileSync(at(path), `CONTENT of ${path}`);
  utimesSync(at(path), 1_000, 1_000);
}

function run(path = '') {
  const handler = createVerifyHandler({
    sql: db.database,
    storageOf: (storageId) => (storageId === 'nas' ? storage : null),
    maxBytesPerSecond: () => null,
  });
  return settle(handler.run(jobContext({ payload: { storageId: 'nas', path }, memory, kind: 'verify' })));
}

describe('a verification', () => {
  it('finds content that is not the recorded one, with both digests, and nothing wrong in what merely changed', async () => {
    for (const path of ['a/good', 'a/bad', 'a/old', 'ab/bad', 'gone', 'rewritten']) await record(path);
    await record('a/bad-md5', { withFast: false });
    await record('growing', { state: 'growing' });
    for (const path of ['a/bad', 'a/bad-md5', 'ab/bad', 'growing']) damage(path);
    rmSync(at('gone'));
    writeFileSync(at('rewritten'), 'by an editor');
    const outcome = await run();
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'content-differs', retry: 'permanent' } });
    const message = outcome.kind === 'failed' ? outcome.error.message : '';
    expect(message).toMatch(/^3 of 7 files differ/);
    expect(message).toContain('"a/bad" does not hold what was recorded: XXH3-128 recorded');
    expect(message).toContain(`MD5 recorded ${md5('content of a/bad-md5')}, found ${md5('CONTENT of a/bad-md5')}`);
    // A directory of that name alone, and nothing of the index was touched.
    expect(await run('ab')).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/^1 of 1 files/) },
    });
    damage('a/bad');
    for (const path of ['a/bad', 'a/bad-md5']) {
      writeFileSync(at(path), `content of ${path}`);
      utimesSync(at(path), 1_000, 1_000);
    }
    expect(await run('a')).toMatchObject({ kind: 'done', result: { files: 4, same: 4, differs: 0 } });
  });

  it('goes on from where it was', async () => {
    for (const path of ['a', 'b', 'c']) await record(path);
    damage('a');
    expect(await run()).toMatchObject({ kind: 'failed' });
    memory.checkpoint = {
      afterPathKey: 'b',
      sums: { files: 2, bytes: 2, same: 1, changed: 0, gone: 0, differs: 1, unreadable: 0, told: ['"a" was damaged'] },
    };
    const outcome = await run();
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/^1 of 3 .*\n"a" was damaged$/) },
    });
    // The next order is a new one.
    expect(memory.checkpoint).toBeNull();
  });

  it('waits for a storage that is away', async () => {
    await record('a');
    rmSync(storage.mountPoint, { recursive: true });
    expect(await run()).toMatchObject({ kind: 'snooze' });
  });
});

it('is ordered once, however often it is asked for', async () => {
  const calls = fileCalls(db.database);
  expect(await calls['storages.verify']({ storageId: 'nas', directory: 'a/b' })).toEqual({ isNew: true });
  expect(await calls['storages.verify']({ storageId: 'nas', directory: 'a/b' })).toEqual({ isNew: false });
  expect(await calls['storages.verify']({ storageId: 'nas', directory: '' })).toEqual({ isNew: true });
  await expect(calls['storages.verify']({ storageId: 'nas', directory: '../x' })).rejects.toMatchObject({
    code: 'outside-storage',
  });
});
