import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ScanWork } from '../../../../agent/roles/main/scan/scanner.ts';
import { createLogger, type LogRecord } from '../../../../agent/runtime/logger.ts';
import { type TestLeadership, takeOver, until } from './leading.ts';
import { ScanBench, STORAGE_ID } from './scan-bench.ts';

// Passes are an hour apart: what is found here, only a look between them can have found.

let bench: ScanBench;
let records: LogRecord[];
let leadership: TestLeadership | null;
let running: Promise<void>;

beforeEach(async () => {
  bench = await ScanBench.create();
  records = [];
  leadership = null;
});
afterEach(async () => {
  leadership?.end();
  await running;
  await bench.close();
});

const file = (path: string) => join(bench.folder, path);
const put = async (path: string, content: string) => {
  await mkdir(join(file(path), '..'), { recursive: true });
  await writeFile(file(path), content);
};
const state = async (path: string) => (await bench.index())[path];

/** Begins to scan; resolves once the storage is watched and the pass after that is over. */
async function begin(): Promise<ScanWork> {
  let passes = 0;
  let passesBefore = Number.POSITIVE_INFINITY;
  const { access } = bench;
  const watched: typeof access = {
    ...access,
    watch: (options, onHint, signal) =>
      access.watch(
        options,
        (directories) => {
          if (directories.length === 0) passesBefore = passes;
          onHint(directories);
        },
        signal,
      ),
  };
  const sink = (record: LogRecord) => {
    records.push(record);
    if (record.message.startsWith('Storage scanned')) passes += 1;
  };
  const work = bench.work({
    storages: () => [{ storage: bench.storage, access: watched }],
    log: createLogger([sink], () => 0),
  });
  leadership = await takeOver(bench.database);
  running = work.run(leadership);
  await until('the storage is watched and the pass after that is over', async () => passes > passesBefore);
  return work;
}

const passesSeen = () => records.filter(({ message }) => message.startsWith('Storage scanned')).length;

describe('between passes', () => {
  it('notices a new file and orders its checksum when it is quiet', async () => {
    bench.storage.settings.growing_files_threshold = 1;
    await put('a/old.mov', 'old');
    await begin();
    const passes = passesSeen();
    const row = z.object({ late_ms: z.number() });
    await put('a/new.mov', 'new');
    await until('the file was noticed', async () => (await state('a/new.mov')) !== undefined);
    await until('its checksum was ordered', async () => (await state('a/new.mov')) === 'hashing');
    const [job] = await bench.database.query(
      `SELECT (extract(epoch FROM job.created_at - file.changed_at) * 1000 - 1000)::float8 AS late_ms
       FROM job JOIN storage_file AS file ON job.payload ->> 'path' = file.path WHERE file.path = 'a/new.mov'`,
      [],
      row,
    );
    expect(job?.late_ms).toBeGreaterThanOrEqual(0);
    expect(job?.late_ms).toBeLessThan(2000);
    expect(passesSeen()).toBe(passes);
  });

  it('sees files that grow, in folders that are new, and files and folders that go', async () => {
    bench.storage.settings.growing_files_threshold = 3600;
    await put('a/x.mov', 'x');
    await put('b/y.mov', 'y');
    await begin();
    const passes = passesSeen();
    await put('new/deep/z.mov', 'z');
    await until('the new folders were looked into', async () => (await state('new/deep/z.mov')) === 'seen');
    await put('new/deep/z.mov', 'longer');
    await put('a/x.mov', 'longer');
    await until('growth was seen in an old folder', async () => (await state('a/x.mov')) === 'growing');
    await until('growth was seen in a new folder', async () => (await state('new/deep/z.mov')) === 'growing');
    await rm(file('a/x.mov'));
    await rm(file('b'), { recursive: true });
    await until(
      'both are missing',
      async () => (await state('a/x.mov')) === 'missing' && (await state('b/y.mov')) === 'missing',
    );
    expect(passesSeen()).toBe(passes);
  });

  it('looks at the part of a storage that is asked for, and names a pattern that does not compile once', async () => {
    bench.storage.settings.growing_files_threshold = 3600;
    bench.storage.settings.scan_ignore = ['re:/(/'];
    await put('a/x.mov', 'x');
    const { access } = bench;
    // A storage that cannot be watched.
    bench.access = { ...access, watch: async () => ({ kind: 'not-local', fileSystem: 'nfs' }) };
    const log = createLogger([(record) => records.push(record)], () => 0);
    const work = bench.work({ log });
    leadership = await takeOver(bench.database);
    running = work.run(leadership);
    await until('the first pass was over', async () => passesSeen() === 1);
    await put('b/deep/y.mov', 'y');
    await put('c/z.mov', 'z');
    await put('c/below/not-asked-for.mov', 'n');
    work.requestScan(STORAGE_ID, { paths: ['b'], files: ['a/x.mov'] });
    await until('the path was looked at', async () => (await state('b/deep/y.mov')) === 'seen');
    expect(await state('c/z.mov')).toBeUndefined();
    expect(passesSeen()).toBe(1);
    work.requestScan(STORAGE_ID);
    await until('a whole pass found the rest', async () => (await state('c/z.mov')) === 'seen');
    const said = records.filter(({ message }) => message.includes('does not compile'));
    expect(said).toMatchObject([{ level: 'warn', fields: { setting: 'scan_ignore', storageId: STORAGE_ID } }]);
  });

  it('believes nothing of a storage that went away', async () => {
    await put('a/x.mov', 'x');
    await begin();
    await rename(bench.folder, `${bench.folder}-away`);
    await mkdir(bench.folder);
    await writeFile(file('stranger.mov'), 'not of this storage');
    await until('the doubt was noted', async () => (await bench.problem()) !== null);
    expect(await state('a/x.mov')).not.toBe('missing');
    expect(await state('stranger.mov')).toBeUndefined();
    await rm(bench.folder, { recursive: true });
    await rename(`${bench.folder}-away`, bench.folder);
  });
});
