import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogCache, type LogCache } from '../../../agent/cache/log/log-cache.ts';
import { beginQuarantine } from '../../../agent/cache/log/quarantine.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { openKeeper, row } from './log-rows.ts';

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
const onlyRoot = canMount ? '' : ' (skipped: takes root, to mount a small disk)';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A disk of 2 MB at the folder `disk`. */
function mountSmallDisk() {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
  return {
    path: join(disk, 'cache', 'log.db'),
    fill: () => {
      try {
        for (let n = 0; ; n += 1) writeFileSync(join(disk, `ballast-${n}`), Buffer.alloc(n < 40 ? 40_000 : 1_000));
      } catch {
        // ignored because a full disk is what is wanted
      }
    },
    free: () => {
      execFileSync('find', [disk, '-name', 'ballast-*', '-delete']);
    },
    remount: (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, disk]),
    unmount: () => execFileSync('umount', ['-l', disk]),
  };
}

const messages = (opened: ReturnType<typeof openKeeper>) => opened.read().map(({ message }) => message);

describe('a disk that does not take the log', () => {
  it.skipIf(!canMount)(
    `when full: records wait, and are written by themselves once there is room${onlyRoot}`,
    async () => {
      const disk = mountSmallDisk();
      const opened = openKeeper(disk.path);
      try {
        opened.put([row('before')]);
        expect(messages(opened)).toEqual(['before']);
        disk.fill();
        const sent = Array.from({ length: 40 }, (_, n) =>
          Array.from({ length: 50 }, (__, m) => row(`while full ${n}.${m}`)),
        );
        const last = sent.map((records) => opened.put(records)).at(-1);
        await expect.poll(() => opened.told.length, { timeout: 20_000 }).toBe(1);
        expect(opened.told[0]).toMatch(/cannot be written .*disk/);
        disk.free();
        await expect.poll(() => opened.storedUpTo(), { timeout: 20_000 }).toBe(last);
        expect(messages(opened)).toEqual(['before', ...sent.flat().map(({ message }) => message)]);
        expect(opened.told.at(-1)).toContain('written again');
      } finally {
        opened.keeper.close();
        disk.unmount();
      }
    },
  );

  it.skipIf(!canMount)(
    `when read-only: records wait, and are written by themselves once it is not${onlyRoot}`,
    async () => {
      const disk = mountSmallDisk();
      let opened = openKeeper(disk.path);
      try {
        opened.put([row('before')]);
        expect(messages(opened)).toEqual(['before']);
        opened.keeper.close();
        disk.remount('ro');
        opened = openKeeper(disk.path);
        const last = opened.put([row('while read-only')]);
        expect(opened.told).toHaveLength(1);
        disk.remount('rw');
        await expect.poll(() => opened.storedUpTo(), { timeout: 20_000 }).toBe(last);
        expect(messages(opened)).toEqual(['before', 'while read-only']);
      } finally {
        opened.keeper.close();
        disk.unmount();
      }
    },
  );

  it.skipIf(!canMount)(
    `when it is full in the middle of a salvage: that goes on by itself once there is room, and nothing is lost${onlyRoot}`,
    async () => {
      const disk = mountSmallDisk();
      let opened = openKeeper(disk.path, { capBytes: 1_200_000 });
      try {
        const sent = Array.from({ length: 8 }, (_, n) => Array.from({ length: 250 }, (__, m) => row(`${n}.${m}`)));
        for (const records of sent) opened.put(records);
        expect(messages(opened)).toHaveLength(2_000);
        const outboxId = opened.keeper.use((file) => file.identity().outboxId);
        opened.keeper.close();
        writeFileSync(join(folder, 'disk', 'ballast-1'), Buffer.alloc(1_450_000));
        beginQuarantine(disk.path, 'now');
        opened = openKeeper(disk.path, { capBytes: 1_200_000 });
        expect(opened.told).toHaveLength(1);
        expect(opened.told[0]).toMatch(/cannot be written .*disk/);
        disk.free();
        await expect.poll(() => opened.told.length, { timeout: 20_000 }).toBeGreaterThan(1);
        expect(messages(opened)).toEqual(sent.flat().map(({ message }) => message));
        expect(opened.keeper.use((file) => file.identity().outboxId)).toBe(outboxId);
      } finally {
        opened.keeper.close();
        disk.unmount();
      }
    },
  );

  it('keeps a bounded part in memory, the most severe longest, counts the rest exactly, and never throws', async () => {
    // a file where the folder should be
    writeFileSync(join(folder, 'cache'), '');
    const told: string[] = [];
    const cache: LogCache = createLogCache({
      path: join(folder, 'cache', 'log.db'),
      startThread: startLogThread,
      memoryBytes: 10_000,
      onTold: (_, message) => told.push(message),
    });
    const put = (level: 'debug' | 'error', count: number) => {
      for (let n = 0; n < count; n += 1) cache.sink({ level, message: `${level} ${n}`, fields: {}, atMs: n });
    };
    put('debug', 1_000);
    put('error', 20);
    expect(await cache.flush(10)).toBe(false);
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(1);
    const { dropped, waitingBytes } = cache.status();
    expect(waitingBytes).toBeLessThanOrEqual(10_000);
    rmSync(join(folder, 'cache'));
    expect(await cache.flush(20_000)).toBe(true);
    const { records } = await cache.lookBack(null, 5_000, {
      minLevel: 'debug',
      text: '',
      mention: null,
      fromMs: null,
      toMs: null,
    });
    const debug = records.filter(({ level }) => level === 'debug').length;
    expect(debug).toBe(1_000 - (dropped[0] ?? 0));
    expect(records).toHaveLength(debug + 20);
    expect(dropped.slice(1)).toEqual([0, 0, 0]);
    await expect.poll(() => cache.status().keeper.drops.memory, { timeout: 20_000 }).toEqual(dropped);
    cache.close();
  });
});

describe('the thread of the log', () => {
  it('is started again when it ends, and no record is lost or doubled by that', async () => {
    const threads: ReturnType<typeof startLogThread>[] = [];
    const written: string[] = [];
    const cache = createLogCache({
      path: join(folder, 'cache', 'log.db'),
      startThread: (data) => {
        const thread = startLogThread(data);
        threads.push(thread);
        return thread;
      },
      onWritten: (records) => written.push(...records.map(({ message }) => message)),
    });
    const expected: string[] = [];
    for (let n = 0; n < 3_000; n += 1) {
      expected.push(`record ${n}`);
      cache.sink({ level: 'info', message: `record ${n}`, fields: {}, atMs: n });
      if (n === 1_500) expect(await cache.flush(20_000)).toBe(true);
      if (n === 2_500) void threads[0]?.terminate();
    }
    expect(await cache.flush(30_000)).toBe(true);
    expect(threads).toHaveLength(2);
    const { records } = await cache.lookBack(null, 5_000, {
      minLevel: 'debug',
      text: '',
      mention: null,
      fromMs: null,
      toMs: null,
    });
    expect(records.map(({ message }) => message)).toEqual(expected);
    expect(records.map(({ seq }) => seq)).toEqual(expected.map((_, n) => n + 1));
    cache.close();
  });

  it('has all records on disk when close returns, with numbers told in order', async () => {
    const path = join(folder, 'cache', 'log.db');
    const cache = createLogCache({ path, startThread: startLogThread });
    for (let n = 0; n < 500; n += 1) cache.sink({ level: 'warn', message: `last words ${n}`, fields: {}, atMs: n });
    cache.close(20_000);
    const opened = openKeeper(path);
    await expect.poll(() => messages(opened).length, { timeout: 20_000 }).toBe(500);
    opened.keeper.close();
  });
});
