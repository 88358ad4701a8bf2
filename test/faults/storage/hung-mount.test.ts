import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createWatchFolderAccess } from '../../../agent/storage/watch-folder-access.ts';
import { until, useStorages, withCode } from '../../integration/storage/storage-fixture.ts';
import { assertCanMount, SharedMount } from '../../support/shared-mount.ts';

const storages = useStorages();
const mounts: SharedMount[] = [];

beforeAll(assertCanMount);
afterEach(async () => {
  await Promise.all(mounts.splice(0).map((mount) => mount.unmount()));
});

/** A mount that can be frozen: bindfs over a fresh directory that holds one file of 64 MiB. */
async function mount() {
  const base = await storages.directory();
  const [source, path] = [join(base, 'source'), join(base, 'mount')];
  mkdirSync(source);
  execFileSync('truncate', ['-s', '64M', join(source, 'clip.mov')]);
  const shared = new SharedMount({ source, path }, (server) => storages.guard().watch(server));
  mounts.push(shared);
  await shared.mount('clip.mov');
  return { path, source, freeze: () => shared.hang(), thaw: () => shared.answerAgain() };
}

/** Longest time this process's event loop stood still while `work` ran. */
async function longestPause(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  await work();
  clearInterval(timer);
  return longest;
}

/** Long enough for any machine: where no hung mount is expected. */
const patientProbe = { testWrite: true, timeoutMs: 20_000 };

/**
 * How long a storage process takes here and now from its start to its first answer. Silence shorter than a few times this
 * says nothing of a mount, so limits are set by it: without it a test of the storage would be one of the machine.
 */
async function coldAnswerMs(): Promise<number> {
  const healthy = await storages.open();
  const since = performance.now();
  expect(await healthy.probe(patientProbe)).toMatchObject({ kind: 'reachable' });
  const coldMs = performance.now() - since;
  await healthy.stop();
  return coldMs;
}

describe('a hung mount', () => {
  it('ends the transfer that waits for it, and none of those that share its process', async () => {
    const root = await storages.directory();
    const source = await storages.directory();
    for (const folder of [root, source]) writeFileSync(join(folder, 'clip.mov'), 'content');
    const shared = new SharedMount({ source, path: join(root, 'hung') }, (server) => storages.guard().watch(server));
    mounts.push(shared);
    await shared.mount('clip.mov');
    const storage = await storages.open(root, { stallMs: Math.max(3_000, 4 * (await coldAnswerMs())) });
    await storage.placeMarker();
    const waiting: (() => void)[] = [];
    const server = createServer((request, response) => {
      request.resume().once('end', () => waiting.push(() => response.end()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const send = async (path: string) => {
      const facts = await storage.stat('clip.mov');
      const expected = { sizeBytes: facts?.sizeBytes ?? 0, mtimeNs: facts?.mtimeNs ?? '' };
      const range = { path, offsetBytes: 0, lengthBytes: 7, url, method: 'PUT' as const, headers: {}, expected };
      return await storage.sendRange(range, {});
    };
    // One in each of the two processes; the third shares with one of them.
    const others = [send('clip.mov'), send('clip.mov')];
    await until(() => waiting.length === 2, 30_000);
    shared.hang();
    await expect(send('hung/clip.mov')).rejects.toEqual(withCode('storage-hung', 'transient'));
    for (const answer of waiting) answer();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    // And the lane still works.
    const later = send('clip.mov');
    await until(() => waiting.length === 3, 30_000);
    waiting[2]?.();
    expect((await later).status).toBe(200);
    server.closeAllConnections();
    server.close();
  });

  it('with a watch folder on it ends the looks of jobs in words, holds up nothing else here, and is looked at again', async () => {
    const { path, freeze, thaw } = await mount();
    const stallMs = Math.max(3_000, 4 * (await coldAnswerMs()));
    const access = createWatchFolderAccess({ folder: path, guard: storages.guard(), log: silentLogger, stallMs });
    const look = () =>
      access.lookForResults({ folders: [path], prefix: 'clip' }, AbortSignal.timeout(60_000)).then(
        (found) => found.map(({ name }) => name),
        (thrown: unknown) => thrown,
      );
    expect(await look()).toEqual(['clip.mov']);
    freeze();
    const pause = await longestPause(async () => {
      const looks = [look(), look()];
      expect(await readFile(new URL(import.meta.url), 'utf8')).toContain('longestPause');
      for (const end of await Promise.all(looks)) {
        expect(end).toMatchObject({ code: 'storage-hung', retry: 'transient', fields: { watchFolder: path } });
      }
    });
    expect(pause).toBeLessThan(2_000);
    thaw();
    await until(async () => Array.isArray(await look()), 30_000);
    await access.stop();
  });

  it('gets its verdict in time, blocks nothing here, delays no other storage, and stop is quick', async () => {
    const { path, freeze } = await mount();
    const hung = await storages.open(path);
    const healthy = await storages.open();
    const coldMs = await coldAnswerMs();
    const probe = { testWrite: true, timeoutMs: Math.max(2_500, 4 * coldMs) };
    await hung.placeMarker();
    expect(await hung.probe(patientProbe)).toMatchObject({ kind: 'reachable', marker: 'right', writable: true });
    expect(await healthy.probe(patientProbe)).toMatchObject({ kind: 'reachable' });
    freeze();
    const pause = await longestPause(async () => {
      // A look that waits on the mount is ended by the verdict, not by its own stall window of a minute.
      const stuck = expect(hung.stat('clip.mov')).rejects.toEqual(withCode('storage-hung', 'transient'));
      for (let round = 0; round < 3; round += 1) {
        const since = performance.now();
        const verdict = hung.probe(probe);
        expect(await healthy.probe(probe)).toMatchObject({ kind: 'reachable' });
        expect(performance.now() - since).toBeLessThan(probe.timeoutMs);
        expect(await verdict).toMatchObject({ kind: 'unreachable', reason: 'hung' });
        expect(performance.now() - since).toBeLessThan(probe.timeoutMs + Math.max(300, coldMs));
      }
      const since = performance.now();
      await hung.stop();
      await stuck;
      expect(performance.now() - since).toBeLessThan(Math.max(1_500, 3 * coldMs));
    });
    expect(pause).toBeLessThan(Math.max(1_000, coldMs));
  });

  it('fails calls after the stall window, and works again once it answers', async () => {
    const { path, freeze, thaw } = await mount();
    const stallMs = Math.max(1_000, 4 * (await coldAnswerMs()));
    const storage = await storages.open(path, { stallMs });
    await storage.placeMarker();
    await storage.digest('clip.mov', {});
    freeze();
    const failures = [
      storage.stat('clip.mov'),
      storage.digest('clip.mov', {}),
      storage.walk(
        { directories: [], ignore: [], include: [], concurrency: 4 },
        async () => {},
        new AbortController().signal,
      ),
    ].map(async (call) => {
      await expect(call).rejects.toMatchObject({
        code: expect.stringMatching(/^storage-(hung|unavailable)$/),
        retry: 'transient',
      });
    });
    const since = performance.now();
    await Promise.all(failures);
    expect(performance.now() - since).toBeLessThan(3 * stallMs);
    thaw();
    expect(await storage.stat('clip.mov')).toMatchObject({ kind: 'file' });
    expect(await storage.digest('clip.mov', {})).toMatchObject({ changed: false });
    expect(await storage.probe(patientProbe)).toMatchObject({ kind: 'reachable' });
  });

  it('does not stop the walk of a slow consumer: the stall window counts only silence of the storage', async () => {
    const storage = await storages.open(await storages.directory(), { stallMs: 200 });
    writeFileSync(join(storage.mountPoint, 'a'), '');
    const slow = new Promise((resolve) => setTimeout(resolve, 800));
    const options = { directories: [], ignore: [], include: [], concurrency: 1 };
    const walk = storage.walk(options, async () => void (await slow), new AbortController().signal);
    expect(await walk).toMatchObject({ files: 1 });
  });

  it('lets a cancelled read go after its grace, and is told so', async () => {
    const { path, freeze } = await mount();
    const storage = await storages.open(path);
    await storage.placeMarker();
    await storage.digest('clip.mov', {});
    const coldMs = await coldAnswerMs();
    freeze();
    const stop = new AbortController();
    const digest = expect(storage.digest('clip.mov', { signal: stop.signal })).rejects.toEqual(withCode('cancelled'));
    const since = performance.now();
    stop.abort();
    await digest;
    expect(performance.now() - since).toBeLessThan(Math.max(3_000, 2_000 + coldMs));
  });
});

describe('a full disk', () => {
  it('refuses a download that cannot fit, and keeps the part of one that ran out of room', async () => {
    const { createServer } = await import('node:http');
    const directory = await storages.directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]);
    const half = 1_500_000;
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': 2 * half });
      response.write(Buffer.alloc(half));
      void until(() => statSync(join(directory, 'part')).size === half, 10_000).then(() => {
        // Someone else takes the room that was there at the start.
        execFileSync('sh', ['-c', 'head -c 4M /dev/zero > "$1" || true', 'sh', join(directory, 'other')], {
          stdio: 'ignore',
        });
        response.end(Buffer.alloc(half));
      });
    }).listen(0, '127.0.0.1');
    try {
      const storage = await storages.open(directory);
      await storage.placeMarker();
      await until(() => server.address() !== null, 2_000);
      const address = server.address();
      const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
      const full = withCode('disk-full', 'transient');
      await expect(storage.receiveFile({ url, path: 'part', sizeBytes: 10_000_000 }, {})).rejects.toEqual(full);
      await expect(storage.receiveFile({ url, path: 'part', sizeBytes: 2 * half }, {})).rejects.toEqual(full);
      expect(statSync(join(directory, 'part')).size).toBeGreaterThanOrEqual(half);
      // Full is not forbidden: with the storage out of order nothing could be deleted from it.
      expect(await storage.probe({ testWrite: true, timeoutMs: 5_000 })).toMatchObject({
        marker: 'right',
        writable: true,
      });
      expect(readdirSync(directory).filter((name) => name.includes('probe'))).toEqual([]);
      // A marker that finds no room leaves nothing behind, however often it is tried.
      rmSync(join(directory, '.isg-pro-storage'));
      execFileSync('sh', ['-c', 'cat /dev/zero >> "$1" || true', 'sh', join(directory, 'other')], { stdio: 'ignore' });
      await expect(storage.placeMarker()).rejects.toEqual(full);
      expect(readdirSync(directory).toSorted()).toEqual(['other', 'part']);
      await storage.stop();
    } finally {
      server.closeAllConnections();
      server.close();
      execFileSync('umount', ['-l', directory]);
    }
  });
});
