import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../../agent/db/queries/job.ts';
import { applyChanges } from '../../../../agent/db/queries/storage-file.ts';
import {
  checksumJob,
  orderChecksums,
  settleStuckChecksums,
} from '../../../../agent/roles/main/scan/checksum-orders.ts';
import { takeOver, until } from './leading.ts';
import { ScanBench, STORAGE_ID } from './scan-bench.ts';

let bench: ScanBench;
beforeEach(async () => {
  bench = await ScanBench.create();
});
afterEach(() => bench.close());

const file = (path: string) => join(bench.folder, path);
const put = async (path: string, content: string) => {
  await mkdir(join(file(path), '..'), { recursive: true });
  await writeFile(file(path), content);
};

describe('a scan', () => {
  it('finds files, lets them rest, then orders one checksum for each', async () => {
    await put('a/clip.mov', 'film');
    await put('caf\u0065\u0301.wav', 'sound');
    await put('nothing.mov', '');
    await bench.scan();
    expect(await bench.index()).toEqual({
      'a/clip.mov': 'seen',
      'caf\u0065\u0301.wav': 'seen',
      'nothing.mov': 'empty',
    });
    await bench.scan();
    expect(await bench.index()).toEqual({
      'a/clip.mov': 'hashing',
      'caf\u0065\u0301.wav': 'hashing',
      'nothing.mov': 'empty',
    });
    expect(await bench.jobs()).toEqual([
      { storageId: STORAGE_ID, path: 'a/clip.mov', sizeBytes: 4, mtimeNs: expect.stringMatching(/^\d+$/) },
      { storageId: STORAGE_ID, path: 'caf\u0065\u0301.wav', sizeBytes: 5, mtimeNs: expect.stringMatching(/^\d+$/) },
    ]);
    await bench.scan();
    expect(await bench.jobs()).toHaveLength(2);
  });

  it('gives every file a row of its own, whatever its name, and writes nothing for it a second time', async () => {
    const names = ['caf\u00e9', 'cafe\u0301', 'n\new', 'tab\t"\'\\', '😀', '\u202egnp', '\u212a', 'K', 'x'.repeat(255)];
    for (const name of names) await put(`odd/${name}`, name);
    const raw = Buffer.concat([Buffer.from(file('odd/caf')), Buffer.from([0xe9])]);
    await writeFile(raw, 'latin');
    // Nearly as long as the index takes, and nothing that PostgreSQL could compress.
    const segment = () => randomBytes(116).toString('base64url').slice(0, 150);
    const long = Array.from({ length: 15 }, segment).join('/');
    await put(`${long}/${'y'.repeat(2_399 - long.length)}`, 'deep');
    await put(`${long}/${'z'.repeat(2_400 - long.length)}`, 'deeper');
    await bench.scan();
    await bench.scan();
    const rows = await bench.index();
    const expected = [
      'caf⟦e9⟧',
      'caf⟦c3a9⟧',
      'cafe\u0301',
      '⟦e284aa⟧',
      ...names.slice(2).filter((name) => name !== '\u212a'),
    ];
    expect(Object.keys(rows).sort()).toEqual(
      [...expected.map((name) => `odd/${name}`), `${long}/${'y'.repeat(2_399 - long.length)}`].sort(),
    );
    expect(new Set(Object.values(rows))).toEqual(new Set(['hashing']));
    expect(await bench.jobs()).toHaveLength(expected.length + 1);
    const before = await bench.rows();
    await bench.scan();
    expect(await bench.rows()).toEqual(before);
  });

  it('leaves a growing file alone until it was quiet for the threshold by the database', async () => {
    bench.storage.settings.growing_files_threshold = 3600;
    await put('grow.mov', '1');
    await bench.scan();
    await put('grow.mov', '12');
    await bench.scan();
    expect(await bench.index()).toEqual({ 'grow.mov': 'growing' });
    await bench.database.execute("UPDATE storage_file SET changed_at = now() - interval '1 hour'", []);
    await put('grow.mov', '123');
    await bench.scan();
    expect(await bench.index()).toEqual({ 'grow.mov': 'growing' });
    await bench.database.execute("UPDATE storage_file SET changed_at = now() - interval '1 hour'", []);
    await bench.scan();
    expect(await bench.index()).toEqual({ 'grow.mov': 'hashing' });
  });

  it('drops the digests of a changed file and keeps its iconik ids', async () => {
    await put('a.mov', 'one');
    await bench.scan();
    await bench.pretendIngested();
    await put('a.mov', 'other');
    await bench.scan();
    expect(await bench.rows()).toMatchObject([{ state: 'seen', md5: null }]);
    const kept = await bench.database.execute("SELECT 1 FROM storage_file WHERE iconik_file_id = 'r-a.mov'", []);
    expect(kept).toBe(1);
  });

  it('tells iconik once that a file is missing, and finds it again unchanged', async () => {
    await put('a/x.mov', 'x');
    await put('b/y.mov', 'y');
    await bench.scan();
    await bench.pretendIngested();
    await rename(file('a'), `${bench.folder}-aside`);
    bench.patchFails = true;
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a/x.mov': 'missing', 'b/y.mov': 'ingested' });
    bench.patchFails = false;
    await bench.scan();
    await bench.scan();
    expect(bench.patches).toEqual([
      { directory_path: 'a', name: 'x.mov', original_name: 'x.mov', type: 'FILE', status: 'MISSING' },
    ]);
    expect((await bench.rows())[0]?.error).toMatchObject({ code: 'file-not-found' });
    await rename(`${bench.folder}-aside`, file('a'));
    await bench.scan();
    expect((await bench.rows())[0]).toMatchObject({ state: 'hashed', error: null });
  });

  it('does not tell iconik that a file is missing which came back after the pass that missed it', async () => {
    for (const name of ['a.mov', 'b.mov', 'c.mov']) await put(name, name);
    await bench.scan();
    await bench.pretendIngested();
    await rm(file('a.mov'));
    await rm(file('b.mov'));
    const { access } = bench;
    bench.patchFails = true;
    await bench.scan();
    bench.patchFails = false;
    await bench.database.execute('UPDATE storage_file SET next_attempt_at = now()', []);
    // The pass has looked, and takes both for gone; then one comes back.
    bench.access = {
      ...access,
      stat: async (path, options) => {
        if (path === 'a.mov') await put('a.mov', 'a.mov');
        return await access.stat(path, options);
      },
    };
    await bench.scan();
    expect(bench.patches).toMatchObject([{ name: 'b.mov', status: 'MISSING' }]);
    bench.access = access;
    await bench.scan();
    expect((await bench.rows())[0]).toMatchObject({ path: 'a.mov', state: 'seen', error: null });
    expect(bench.patches).toHaveLength(1);
  });

  it('tells iconik of nothing missing while the storage is away', async () => {
    for (const name of ['a.mov', 'b.mov']) await put(name, name);
    await bench.scan();
    await bench.pretendIngested();
    await rm(file('a.mov'));
    bench.patchFails = true;
    await bench.scan();
    bench.patchFails = false;
    await bench.database.execute('UPDATE storage_file SET next_attempt_at = now()', []);
    await rename(bench.folder, `${bench.folder}-away`);
    await mkdir(bench.folder);
    await bench.scan();
    expect(bench.patches).toEqual([]);
    await rm(bench.folder, { recursive: true });
    await rename(`${bench.folder}-away`, bench.folder);
    await bench.scan();
    expect(bench.patches).toMatchObject([{ name: 'a.mov', status: 'MISSING' }]);
  });

  it('tells iconik later under the same leadership what it could not be told when it was due', async () => {
    await put('a.mov', 'a');
    await put('b.mov', 'b');
    await bench.scan();
    await bench.pretendIngested();
    await rm(file('a.mov'));
    bench.storage.settings.scan_interval_seconds = 0.1;
    bench.patchFails = true;
    const leadership = await takeOver(bench.database);
    const running = bench.work({ random: () => 0.5 }).run(leadership);
    const postponed = "SELECT 1 FROM storage_file WHERE state = 'missing' AND attempts = 1";
    await until('the report was put off', async () => (await bench.database.execute(postponed, [])) === 1);
    bench.patchFails = false;
    await until('iconik was told', () => Promise.resolve(bench.patches.length === 1));
    leadership.end();
    await running;
  });

  it('places a marker in a root with files, and believes nothing of a root that lost it', async () => {
    await bench.scan();
    expect(await readdir(bench.folder)).toEqual([]);
    await put('a.mov', 'a');
    await bench.scan();
    expect(await readdir(bench.folder)).toContain('.isg-pro-storage');
    await rm(file('a.mov'));
    await rm(file('.isg-pro-storage'));
    await put('stranger.mov', 's');
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'seen' });
    expect(await bench.problem()).toMatch(/marker .* gone/);
  });

  it('records a marker that was placed right before a crash', async () => {
    await put('a.mov', 'a');
    await bench.access.placeMarker();
    await bench.scan();
    const recorded = await bench.database.execute('SELECT 1 FROM storage_root WHERE placed_marker', []);
    expect(recorded).toBe(1);
  });

  it('marks nothing missing in a read-only storage that is suddenly empty', async () => {
    bench.storage.settings.write = false;
    await put('a.mov', 'a');
    await bench.scan();
    await rm(file('a.mov'));
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'seen' });
    expect(await bench.problem()).toMatch(/suddenly empty/);
  });

  it('follows folders whose names differ by composition only, also when one of them goes', async () => {
    const [apart, composed] = ['Ko\u0308ln', 'K\u00f6ln'];
    await put(`${apart}/a.mov`, 'film');
    await put(`${composed}/b.mov`, 'film');
    for (let pass = 0; pass < 3; pass += 1) await bench.scan();
    expect(await bench.problem()).toBeNull();
    expect(await bench.index()).toEqual({ [`${apart}/a.mov`]: 'hashing', [`${composed}/b.mov`]: 'hashing' });
    await put(`${composed}/b.mov`, 'another film');
    await rm(file(apart), { recursive: true });
    await bench.scan();
    expect(await bench.index()).toEqual({ [`${apart}/a.mov`]: 'missing', [`${composed}/b.mov`]: 'seen' });
  });

  it('gives a name that two such folders have to one of them, for as long as it is there', async () => {
    const [apart, composed] = ['Ko\u0308ln', 'K\u00f6ln'];
    await put(`${apart}/a.mov`, 'film');
    await put(`${composed}/a.mov`, 'another film');
    await bench.scan();
    expect(await bench.index()).toEqual({ [`${apart}/a.mov`]: 'seen' });
    await bench.scan();
    await bench.scan();
    expect(await bench.problem()).toBeNull();
    expect(await bench.index()).toEqual({ [`${apart}/a.mov`]: 'hashing' });
    await rm(file(apart), { recursive: true });
    await bench.scan();
    expect(await bench.index()).toEqual({ [`${composed}/a.mov`]: 'seen' });
  });

  it('marks nothing missing when the mount goes away between the walk and the proof', async () => {
    await put('a.mov', 'a');
    await put('b.mov', 'b');
    await bench.scan();
    const real = bench.access;
    bench.access = {
      ...real,
      walk: async (options, onDirectory, signal) => {
        await rm(file('a.mov'));
        const summary = await real.walk(options, onDirectory, signal);
        await rename(bench.folder, `${bench.folder}-away`);
        await mkdir(bench.folder);
        return summary;
      },
    };
    await bench.scan();
    bench.access = real;
    expect(await bench.index()).toEqual({ 'a.mov': 'seen', 'b.mov': 'hashing' });
    expect(await bench.problem()).toMatch(/marker .* gone/);
    await rm(bench.folder, { recursive: true });
    await rename(`${bench.folder}-away`, bench.folder);
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'missing', 'b.mov': 'hashing' });
  });

  it('marks nothing missing that only a pattern hides', async () => {
    await put('a.mov', 'a');
    await put('sub/b.mov', 'b');
    await bench.scan();
    bench.storage.settings.scan_ignore = ['*.mov', 'sub'];
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'seen', 'sub/b.mov': 'seen' });
  });

  it('marks nothing missing outside of the scanned roots, nor under one that vanished', async () => {
    await put('one/a.mov', 'a');
    await put('two/b.mov', 'b');
    await bench.scan();
    bench.storage.settings.scan_directories = ['two'];
    await rm(file('one'), { recursive: true });
    await rm(file('two'), { recursive: true });
    await bench.scan();
    expect(await bench.index()).toEqual({ 'one/a.mov': 'seen', 'two/b.mov': 'seen' });
    expect(await bench.problem()).toMatch(/two/);
  });

  it('marks missing what was in a folder that became a file', async () => {
    await put('x/a.mov', 'a');
    await bench.scan();
    await rm(file('x'), { recursive: true });
    await put('x', 'now a file');
    await bench.scan();
    expect(await bench.index()).toEqual({ x: 'seen', 'x/a.mov': 'missing' });
  });

  it('is not run while the storage is unhealthy, but orders what is ready', async () => {
    await put('a.mov', 'a');
    await bench.scan();
    await bench.database.execute("UPDATE storage_file SET state = 'ready'", []);
    await put('b.mov', 'b');
    bench.isHealthy = false;
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'hashing' });
  });

  it('follows a file that is replaced by one of the same size and time', async () => {
    const time = new Date(1_700_000_000_000);
    await put('a.mov', 'one');
    await utimes(file('a.mov'), time, time);
    await bench.scan();
    await bench.pretendIngested();
    await put('new.mov', 'two');
    await utimes(file('new.mov'), time, time);
    await rename(file('new.mov'), file('a.mov'));
    await bench.scan();
    expect(await bench.index()).toEqual({ 'a.mov': 'seen' });
  });

  it('a hint makes the next pass begin at once', async () => {
    const leadership = await takeOver(bench.database);
    const work = bench.work();
    const running = work.run(leadership);
    await put('a.mov', 'a');
    // The interval is an hour: only hints bring the pass that sees the file.
    while (!('a.mov' in (await bench.index()))) work.requestScan(STORAGE_ID);
    leadership.end();
    await running;
  });
});

describe('an old term', () => {
  const change = {
    pathKey: 'a',
    path: 'a',
    directory: '',
    sizeBytes: 1,
    mtimeNs: '1',
    fileId: '1',
    state: 'seen',
    keepContent: false,
    before: null,
  } as const;

  it('changes nothing and is told so, in one statement and in a transaction', async () => {
    const old = await takeOver(bench.database);
    await applyChanges(bench.database, old, STORAGE_ID, [{ ...change, state: 'ready' }]);
    await takeOver(bench.database);
    const lost = { code: 'leadership-lost' };
    await expect(
      applyChanges(bench.database, old, STORAGE_ID, [{ ...change, path: 'b', pathKey: 'b' }]),
    ).rejects.toMatchObject(lost);
    const orders = { database: bench.database, leadership: old, storageId: STORAGE_ID, enqueueJobs };
    await expect(orderChecksums(orders)).rejects.toMatchObject(lost);
    await expect(settleStuckChecksums(orders)).rejects.toMatchObject(lost);
    expect(await bench.index()).toEqual({ a: 'ready' });
    expect(await bench.jobs()).toEqual([]);
  });

  it('is told apart from having nothing to change', async () => {
    const current = await takeOver(bench.database);
    expect(await applyChanges(bench.database, current, STORAGE_ID, [])).toBe(0);
  });

  it('a write that waited for a take-over is refused', async () => {
    const old = await takeOver(bench.database);
    let wrote: Promise<unknown> = Promise.resolve();
    await bench.database.transaction(async (sql) => {
      await sql.execute('UPDATE leader_term SET term = term + 1', []);
      wrote = applyChanges(bench.database, old, STORAGE_ID, [change]).catch((error: unknown) => error);
      // The write waits for this transaction's row lock once it shows up as blocked.
      const blocked = () =>
        sql.execute(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
          [],
        );
      while ((await blocked()) === 0) await sql.execute('SELECT pg_stat_clear_snapshot()', []);
    });
    expect(await wrote).toMatchObject({ code: 'leadership-lost' });
    expect(await bench.index()).toEqual({});
  });
});

describe('rows that wait for a checksum', () => {
  const order = { path: 'a', pathKey: 'a', sizeBytes: 1, mtimeNs: '1' };

  async function waiting() {
    const leadership = await takeOver(bench.database);
    const row = { ...order, directory: '', fileId: '1', keepContent: false, before: null };
    await applyChanges(bench.database, leadership, STORAGE_ID, [{ ...row, state: 'hashing' }]);
    return { database: bench.database, leadership, storageId: STORAGE_ID, enqueueJobs };
  }

  it('stay while their job is there', async () => {
    const context = await waiting();
    await enqueueJobs(bench.database, [checksumJob(STORAGE_ID, order)]);
    expect(await settleStuckChecksums(context)).toBe(0);
  });

  it('are faulty with the error of the job that failed', async () => {
    const context = await waiting();
    await enqueueJobs(bench.database, [checksumJob(STORAGE_ID, order)]);
    await bench.database.execute(`UPDATE job SET state = 'failed', error = '{"code":"file-unreadable"}'`, []);
    expect(await settleStuckChecksums(context)).toBe(1);
    expect(await bench.rows()).toMatchObject([{ state: 'faulty', error: { code: 'file-unreadable' } }]);
  });

  it('are ordered anew when their job is gone', async () => {
    const context = await waiting();
    expect(await settleStuckChecksums(context)).toBe(1);
    expect(await bench.index()).toEqual({ a: 'ready' });
  });
});

describe('a takeover amid a first scan', () => {
  it('writes only what the former leader had not written, and completes', async () => {
    bench.storage.settings.growing_files_threshold = 3600;
    for (let directory = 0; directory < 300; directory += 1) {
      await mkdir(join(bench.folder, `d${directory}`));
      for (let index = 0; index < 5; index += 1) await writeFile(join(bench.folder, `d${directory}`, `f${index}`), 'x');
    }
    const former = await takeOver(bench.database);
    const { access } = bench;
    let listings = 0;
    const dying: typeof access = {
      ...access,
      walk: (options, onDirectory, signal) =>
        access.walk(
          options,
          async (listing) => {
            await onDirectory(listing);
            listings += 1;
            if (listings === 150) former.end();
          },
          signal,
        ),
    };
    await bench.work({ storages: () => [{ storage: bench.storage, access: dying }] }).run(former);
    // xmin names the transaction that wrote a row last.
    const rows = () =>
      bench.database.query(
        'SELECT path, xmin::text FROM storage_file',
        [],
        z.object({ path: z.string(), xmin: z.string() }),
      );
    const written = await rows();
    expect(written.length).toBeGreaterThan(100);
    expect(written.length).toBeLessThan(1500);
    await bench.scan();
    const after = new Map((await rows()).map(({ path, xmin }) => [path, xmin]));
    expect(after.size).toBe(1500);
    const rewritten = written.filter(({ path, xmin }) => after.get(path) !== xmin);
    expect(rewritten).toEqual([]);
  });
});
