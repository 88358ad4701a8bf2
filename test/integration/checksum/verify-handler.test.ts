import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fileCalls } from '../../../agent/operator/calls/file-calls.ts';
import { createMhlHandler } from '../../../agent/roles/checksum/mhl-handler.ts';
import { C4Sum } from '../../../agent/roles/checksum/mhl-plan.ts';
import { createVerifyHandler } from '../../../agent/roles/checksum/verify-handler.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
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
  storage = await storages.open();
});

afterAll(() => db.drop());

beforeEach(async () => {
  for (const name of readdirSync(storage.mountPoint)) {
    if (!name.startsWith('.')) rmSync(at(name), { recursive: true });
  }
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
    const marker = join(storage.mountPoint, '.isg-pro-storage');
    renameSync(marker, `${marker}-away`);
    rmSync(at('a'));
    try {
      expect(await run()).toMatchObject({ kind: 'snooze' });
    } finally {
      renameSync(`${marker}-away`, marker);
    }
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

describe('an ASC MHL history', () => {
  const writeMhl = (path: string, access: StorageAccess = storage) => {
    const handler = createMhlHandler({
      sql: db.database,
      storageOf: () => access,
      mayWrite: () => true,
      hostName: 'node-a',
      version: '1.0',
      wallMs: () => Date.UTC(2026, 0, 31, 9, 5, 7),
    });
    return settle(handler.run(jobContext({ payload: { storageId: 'nas', path }, memory, kind: 'write-mhl' })));
  };
  const parse = (path: string) =>
    new XMLParser({ ignoreAttributes: false, parseTagValue: false }).parse(readFileSync(at(path), 'utf8'));

  it('lists what is recorded below a directory, once, and its chain names the list by its C4 id', async () => {
    for (const path of ['reel/a & b.mov', 'reel/deep/c.mov', 'other']) await record(path);
    // What an earlier try left that was killed before its chain.
    mkdirSync(at('reel/ascmhl'));
    writeFileSync(at('reel/ascmhl/0001_reel_2026-01-31_090507Z.mhl'), 'half');
    const name = '0001_reel_2026-01-31_090507Z.mhl';
    expect(await writeMhl('reel')).toMatchObject({
      kind: 'done',
      result: { manifest: `reel/ascmhl/${name}`, files: 2, unsayable: 0 },
    });
    expect(readdirSync(at('reel/ascmhl')).toSorted()).toEqual([name, 'ascmhl_chain.xml']);
    const { hashlist } = parse(`reel/ascmhl/${name}`);
    const { md5, xxh128 } = await storage.digest('reel/a & b.mov', {});
    expect(hashlist.hashes.hash).toMatchObject([
      { path: { '#text': 'a & b.mov' }, md5: { '#text': md5 }, xxh128: { '#text': xxh128, '@_action': 'original' } },
      { path: { '#text': 'deep/c.mov' } },
    ]);
    const sum = new C4Sum();
    sum.add(readFileSync(at(`reel/ascmhl/${name}`), 'utf8'));
    expect(parse('reel/ascmhl/ascmhl_chain.xml').ascmhldirectory.hashlist).toMatchObject({ path: name, c4: sum.id() });
    // The next order is a new one.
    memory.checkpoint = null;
    expect(await writeMhl('reel')).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/already/) },
    });
  });

  it('is not begun without anything to list', async () => {
    expect(await writeMhl('')).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/nothing to list/) },
    });
    await record('reel/a.mov');
    expect(await writeMhl('reel/typo')).toMatchObject({ kind: 'failed' });
    const left = readdirSync(storage.mountPoint, { recursive: true }).filter(
      (name) => !name.toString().startsWith('.'),
    );
    expect(new Set(left)).toEqual(new Set(['reel', 'reel/a.mov']));
  });

  it('is done when an attempt that was killed after its chain is made again', async () => {
    await record('reel/a.mov');
    expect(await writeMhl('reel')).toMatchObject({ kind: 'done', result: { files: 1 } });
    const before = readFileSync(at('reel/ascmhl/ascmhl_chain.xml'), 'utf8');
    // The job goes on from what it saved.
    expect(await writeMhl('reel')).toMatchObject({ kind: 'done', result: { files: 1, unsayable: 0 } });
    expect(readFileSync(at('reel/ascmhl/ascmhl_chain.xml'), 'utf8')).toBe(before);
  });

  it('goes into the directory as the disk spells it, whose files it names right', async () => {
    const decomposed = 'caf\u0065\u0301';
    await record(`${decomposed}/a.mov`);
    await db.database.execute('UPDATE storage_file SET path_key = normalize(path_key, NFC)', []);
    expect(await writeMhl('caf\u00e9')).toMatchObject({ kind: 'done', result: { files: 1 } });
    expect(readdirSync(storage.mountPoint).filter((name) => !name.startsWith('.'))).toEqual([decomposed]);
    const [name = ''] = readdirSync(at(`${decomposed}/ascmhl`)).filter((entry) => entry.endsWith('.mhl'));
    expect(parse(`${decomposed}/ascmhl/${name}`).hashlist.hashes.hash.path['#text']).toBe('a.mov');
  });

  it('leaves nothing of a list that fails for good half way', async () => {
    await record('reel/a.mov');
    const full = new IsgError('disk-full', 'EFBIG', { retry: 'permanent' });
    const appendText: StorageAccess['appendText'] = async (path, text, offset) => {
      if (offset > 0) throw full;
      return await storage.appendText(path, text, offset);
    };
    const broken = Object.assign(Object.create(storage) as StorageAccess, { appendText });
    expect(await writeMhl('reel', broken)).toMatchObject({ kind: 'failed', error: { code: 'disk-full' } });
    expect(readdirSync(at('reel/ascmhl'))).toEqual([]);
  });
});
