import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CallContext } from '../../../agent/storage/process/call-context.ts';
import { digestFile } from '../../../agent/storage/process/digest-file.ts';
import { childPids, collectWalk, openFiles, until, useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
const quietContext: Omit<CallContext, 'mountPoint' | 'progress'> = {
  storageId: 's',
  httpsProxy: null,
  extraCa: null,
  httpStallMs: 1_000,
  markerExpected: false,
  signal: new AbortController().signal,
  sendPart: async () => {},
  sendUnchanged: async () => {},
  sendUnreadable: async () => {},
  askFingerprints: async () => [],
  sendHint: () => {},
  isPaced: () => false,
  leave: async (bytes) => bytes,
  warn: () => {},
};
const factsOf = (path: string) => {
  const stats = statSync(path, { bigint: true });
  return { sizeBytes: Number(stats.size), mtimeNs: String(stats.mtimeNs) };
};

describe('text of small files', () => {
  it('is read whole, or not at all when it is longer than allowed', async () => {
    const directory = await storages.directory();
    writeFileSync(join(directory, 'a.json'), '{"a":"é"}');
    const storage = await storages.open(directory);
    expect(await storage.readText('a.json', 100)).toBe('{"a":"é"}');
    expect(await storage.readText('a.json', 9)).toBeNull();
    await expect(storage.readText('b.json', 100)).rejects.toMatchObject({ retry: expect.any(String) });
  });
});

describe('probe and marker', () => {
  it('tells an unmarked empty root from a marked one and from another storage', async () => {
    const directory = await storages.directory();
    const [one, other] = [await storages.open(directory), await storages.open(directory)];
    const options = { testWrite: false, timeoutMs: 5_000 };
    expect(await one.probe(options)).toEqual({ kind: 'reachable', marker: 'absent', empty: true, writable: null });
    await one.placeMarker();
    await one.placeMarker();
    expect(await one.probe({ ...options, testWrite: true })).toEqual({
      kind: 'reachable',
      marker: 'right',
      empty: true,
      writable: true,
    });
    expect(await other.probe(options)).toMatchObject({ marker: 'wrong' });
    await expect(other.placeMarker()).rejects.toEqual(withCode('content-differs', 'permanent'));
    expect(readdirSync(directory)).toEqual(['.isg-pro-storage']);
  });

  it('lets only one of two storages mark the same root', async () => {
    const directory = await storages.directory();
    const racers = [await storages.open(directory), await storages.open(directory)];
    const outcomes = await Promise.allSettled(racers.map((racer) => racer.placeMarker()));
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(readdirSync(directory)).toEqual(['.isg-pro-storage']);
  });

  it('says what is wrong with a mount point', async () => {
    const directory = await storages.directory();
    writeFileSync(join(directory, 'file'), '');
    const options = { testWrite: false, timeoutMs: 5_000 };
    const absent = await storages.open(join(directory, 'nowhere'));
    const file = await storages.open(join(directory, 'file'));
    expect(await absent.probe(options)).toMatchObject({ kind: 'unreachable', reason: 'absent' });
    expect(await file.probe(options)).toMatchObject({ kind: 'unreachable', reason: 'not-a-directory' });
  });

  it('takes a damaged marker for a wrong one', async () => {
    const directory = await storages.directory();
    writeFileSync(join(directory, '.isg-pro-storage'), '{"storageI');
    const storage = await storages.open(directory);
    expect(await storage.probe({ testWrite: false, timeoutMs: 5_000 })).toMatchObject({ marker: 'wrong' });
  });
});

describe('absence', () => {
  it('is believed only while the marker stands', async () => {
    const storage = await storages.open();
    writeFileSync(join(storage.mountPoint, 'a'), 'x');
    const expected = factsOf(join(storage.mountPoint, 'a'));
    expect(await storage.stat('b')).toBeNull();
    expect(await storage.removeFile('b', expected)).toBe('absent');
    const away = `${storage.mountPoint}-away`;
    await rename(storage.mountPoint, away);
    mkdirSync(storage.mountPoint);
    const unavailable = withCode('storage-unavailable', 'transient');
    await expect(storage.stat('a')).rejects.toEqual(unavailable);
    await expect(storage.removeFile('a', expected)).rejects.toEqual(unavailable);
    await expect(storage.digest('a', {})).rejects.toEqual(unavailable);
    await expect(storage.commitFile('a', 'b')).rejects.toEqual(unavailable);
    writeFileSync(join(storage.mountPoint, 'left-behind'), '');
    await expect(storage.stat('a')).rejects.toEqual(unavailable);
    await rm(storage.mountPoint, { recursive: true });
    await rename(away, storage.mountPoint);
    expect(await storage.stat('a')).toMatchObject({ kind: 'file' });
  });

  it('of an unmarked storage is believed when its root holds something', async () => {
    const directory = await storages.directory();
    const storage = await storages.open(directory);
    await expect(storage.stat('a')).rejects.toEqual(withCode('storage-unavailable'));
    writeFileSync(join(directory, 'b'), '');
    expect(await storage.stat('a')).toBeNull();
  });
});

describe('paths', () => {
  it('that lead out of the storage are refused, through links too', async () => {
    const storage = await storages.open();
    const outside = await storages.directory();
    writeFileSync(join(outside, 'secret'), 'x');
    symlinkSync(outside, join(storage.mountPoint, 'out'));
    symlinkSync(join(outside, 'secret'), join(storage.mountPoint, 'link'));
    const refused = withCode('outside-storage', 'permanent');
    for (const path of ['../x', '/etc/passwd', 'a/../../x']) await expect(storage.stat(path)).rejects.toEqual(refused);
    const walk = { directories: ['out'], ignore: [], include: [], concurrency: 1 };
    writeFileSync(join(storage.mountPoint, 'mine'), 'x');
    await expect(storage.stat('out/secret')).rejects.toEqual(refused);
    await expect(storage.digest('out/secret', {})).rejects.toEqual(refused);
    await expect(storage.removeFile('out/secret', factsOf(join(outside, 'secret')))).rejects.toEqual(refused);
    await expect(storage.commitFile('mine', 'out/new')).rejects.toEqual(refused);
    await expect(storage.commitFile('mine', 'out/deep/er/new')).rejects.toEqual(refused);
    await expect(storage.walk(walk, async () => {}, new AbortController().signal)).rejects.toEqual(refused);
    await expect(storage.digest('link', {})).rejects.toEqual(withCode('file-unreadable', 'permanent'));
    expect(await storage.stat('link')).toMatchObject({ kind: 'symlink' });
    expect(() => storage.absolutePath('../x')).toThrow(refused);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('through links that stay inside are fine', async () => {
    const storage = await storages.open();
    mkdirSync(join(storage.mountPoint, 'real'));
    writeFileSync(join(storage.mountPoint, 'real', 'a'), 'x');
    symlinkSync('real', join(storage.mountPoint, 'alias'));
    expect(await storage.stat('alias/a')).toMatchObject({ kind: 'file', sizeBytes: 1 });
    expect(storage.absolutePath('alias/a')).toBe(join(storage.mountPoint, 'alias', 'a'));
  });
});

describe('digest', () => {
  it.each([0, 1, 240, 1_048_576, 5_000_003])('of %d bytes equals xxhsum -H2 and md5sum', async (size) => {
    const storage = await storages.open();
    const path = join(storage.mountPoint, 'file');
    writeFileSync(path, randomBytes(size));
    const [xxh128] = execFileSync('xxhsum', ['-H2', path], { encoding: 'utf8', stdio: 'pipe' }).split(/\s/);
    const [md5] = execFileSync('md5sum', [path], { encoding: 'utf8' }).split(/\s/);
    const digest = await storage.digest('file', {});
    expect(digest).toMatchObject({ xxh128, md5, changed: false, facts: { kind: 'file', ...factsOf(path) } });
  });

  it('says when the file changed while it was read, and can be stopped', async () => {
    const storage = await storages.open();
    const path = join(storage.mountPoint, 'large');
    execFileSync('truncate', ['-s', '1G', path]);
    let touched = false;
    const stop = new AbortController();
    const done: number[] = [];
    const changing = storage.digest('large', {
      onProgress: () => {
        if (!touched) utimesSync(path, 1, 1);
        touched = true;
      },
    });
    const stopped = storage.digest('large', {
      signal: stop.signal,
      onProgress: (doneBytes) => {
        done.push(doneBytes);
        stop.abort();
      },
    });
    await expect(stopped).rejects.toEqual(withCode('cancelled'));
    expect(done).toHaveLength(1);
    expect(await changing).toMatchObject({ changed: true });
  });

  it.each<[string, (path: string) => void]>([
    ['grows', (path) => truncateSync(path, 5)],
    ['shrinks', (path) => truncateSync(path, 1)],
    ['vanishes', (path) => unlinkSync(path)],
    ['is replaced by another file', (path) => renameSync(`${path}-other`, path)],
    ['is replaced by a link', (path) => renameSync(`${path}-link`, path)],
  ])('of a file that %s while it is read says so', async (_what, change) => {
    const mountPoint = await storages.directory();
    const path = join(mountPoint, 'file');
    writeFileSync(path, 'abcd');
    writeFileSync(`${path}-other`, 'x');
    symlinkSync('file-other', `${path}-link`);
    // Called in this process, where progress is told between the last byte and the second look.
    const digest = await digestFile('file', { ...quietContext, mountPoint, progress: () => change(path) });
    expect(digest).toMatchObject({ changed: true, md5: 'e2fc714c4727ee9395f324cd2e7f331f', facts: { sizeBytes: 4 } });
  });

  it('finds files of any time, to the nanosecond, and as a walk saw them', async () => {
    const storage = await storages.open();
    const times = [
      '1969-12-31T23:59:59.123456789Z',
      '1901-12-14T00:00:00Z',
      '2040-01-01T00:00:00.000000001Z',
      '2440-01-01T00:00:00Z',
    ];
    for (const time of times) execFileSync('touch', ['-d', time, join(storage.mountPoint, time)]);
    const { listings } = await collectWalk(storage);
    const entries = listings.flatMap((listing) => (listing.kind === 'listed' ? listing.entries : []));
    expect(entries.map((entry) => entry.name)).toEqual(times.toSorted());
    for (const { name, ...facts } of entries) {
      expect(await storage.stat(name)).toEqual(facts);
      expect(await storage.digest(name, {})).toMatchObject({ changed: false, facts });
      expect(await storage.removeFile(name, facts)).toBe('removed');
    }
    const early = entries.find((entry) => entry.name.startsWith('1969'));
    expect(early?.mtimeNs).toBe('-876543211');
    // More nanoseconds than 64 bits hold: the end of the range.
    expect(BigInt(entries.at(-1)?.mtimeNs ?? 0)).toBeLessThan(2n ** 63n);
  });

  it('refuses what is not a regular file instead of waiting for it', async () => {
    const storage = await storages.open();
    execFileSync('mkfifo', [join(storage.mountPoint, 'pipe')]);
    execFileSync('mknod', [join(storage.mountPoint, 'device'), 'c', '1', '5']);
    const server = createServer().listen(join(storage.mountPoint, 'socket'));
    await once(server, 'listening');
    const { listings } = await collectWalk(storage);
    const kinds = listings.flatMap((one) => (one.kind === 'listed' ? one.entries.map((entry) => entry.kind) : []));
    expect(kinds).toEqual(['other', 'other', 'other']);
    for (const name of ['device', 'socket']) {
      await expect(storage.digest(name, {})).rejects.toEqual(withCode('file-unreadable', 'permanent'));
    }
    server.close();
    mkdirSync(join(storage.mountPoint, 'directory'));
    await expect(storage.digest('pipe', {})).rejects.toEqual(withCode('file-unreadable', 'permanent'));
    await expect(storage.digest('directory', {})).rejects.toEqual(withCode('file-unreadable', 'permanent'));
    await expect(storage.digest('nothing', {})).rejects.toEqual(withCode('file-not-found', 'permanent'));
  });

  it('runs more calls than processes, in turn', async () => {
    const directory = await storages.directory();
    writeFileSync(join(directory, 'a'), 'x');
    const storage = await storages.open(directory, { bulkProcesses: 2 });
    const digests = await Promise.all(Array.from({ length: 9 }, () => storage.digest('a', {})));
    expect(new Set(digests.map((digest) => digest.md5)).size).toBe(1);
  });

  it('goes on after idle processes have ended', async () => {
    const directory = await storages.directory();
    writeFileSync(join(directory, 'a'), 'x');
    const storage = await storages.open(directory, { bulkProcesses: 2, idleMs: 10 });
    for (let round = 0; round < 2; round += 1) {
      const before = new Set(childPids());
      await storage.digest('a', {});
      await until(() => childPids().every((pid) => before.has(pid)), 10_000);
    }
    expect(storages.records.filter((record) => record.message.includes('unexpectedly'))).toEqual([]);
  });
});

describe('commit', () => {
  it('makes directories and moves the file there', async () => {
    const storage = await storages.open();
    writeFileSync(join(storage.mountPoint, 'part'), 'content');
    const facts = await storage.commitFile('part', 'a/b/final.mov');
    expect(facts).toMatchObject({ kind: 'file', ...factsOf(join(storage.mountPoint, 'a/b/final.mov')) });
    expect(existsSync(join(storage.mountPoint, 'part'))).toBe(false);
    await expect(storage.commitFile('part', 'a/b/final.mov')).rejects.toEqual(withCode('file-not-found'));
  });

  it('takes every name that the disk takes, and a walk shows it as it was given', async () => {
    const storage = await storages.open();
    const names = [
      'n\new\tline',
      `quote'"\\`,
      '😀.mov',
      '\u202egnp.mov',
      'e\u0301',
      '\u00e9',
      '%41',
      '⟦e9⟧',
      'CON',
      'dot.',
      'x'.repeat(255),
      'é'.repeat(127),
    ];
    for (const name of names) {
      writeFileSync(join(storage.mountPoint, 'part'), name);
      await storage.commitFile('part', `to/${name}`);
      expect(await storage.readText(`to/${name}`, 600)).toBe(name);
    }
    const { paths } = await collectWalk(storage, { directories: ['to'] });
    expect(paths).toEqual(names.map((name) => `to/${name}`).sort());
    writeFileSync(join(storage.mountPoint, 'part'), '');
    await expect(storage.commitFile('part', 'x'.repeat(256))).rejects.toEqual(withCode('file-unreadable', 'permanent'));
  });

  it('never overwrites, whatever stands there', async () => {
    const storage = await storages.open();
    const at = (name: string) => join(storage.mountPoint, name);
    for (const name of ['part', 'file']) writeFileSync(at(name), name);
    mkdirSync(at('directory'));
    symlinkSync('nowhere', at('dangling'));
    for (const to of ['file', 'directory', 'dangling', 'part']) {
      await expect(storage.commitFile('part', to)).rejects.toEqual(withCode('content-differs', 'permanent'));
    }
    expect([readFileSync(at('file'), 'utf8'), readFileSync(at('part'), 'utf8')]).toEqual(['file', 'part']);
  });

  it('lets one of many racers win and keeps the losers’ files', async () => {
    const directory = await storages.directory();
    const racers = await Promise.all(['a', 'b', 'c'].map(() => storages.open(directory)));
    const names = ['a', 'b', 'c'];
    for (const name of names) writeFileSync(join(directory, name), name);
    const outcomes = await Promise.allSettled(
      racers.map((racer, index) => racer.commitFile(names[index] ?? '', 'final')),
    );
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(readdirSync(directory)).toHaveLength(3);
  });

  it('completes a commit that was cut between its two steps', async () => {
    const storage = await storages.open();
    writeFileSync(join(storage.mountPoint, 'part'), 'content');
    linkSync(join(storage.mountPoint, 'part'), join(storage.mountPoint, 'final'));
    expect(await storage.commitFile('part', 'final')).toMatchObject({ sizeBytes: 7 });
    expect(readdirSync(storage.mountPoint).sort()).toEqual(['.isg-pro-storage', 'final']);
  });
});

describe('removal', () => {
  it('takes only the file that was recorded', async () => {
    const storage = await storages.open();
    const path = join(storage.mountPoint, 'a');
    writeFileSync(path, 'one');
    const recorded = factsOf(path);
    writeFileSync(path, 'two');
    utimesSync(path, 1, 1);
    expect(await storage.removeFile('a', recorded)).toBe('differs');
    expect(await storage.removeFile('a', { ...factsOf(path), sizeBytes: 4 })).toBe('differs');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(await storage.removeFile('a', factsOf(path))).toBe('removed');
    expect(await storage.removeFile('a', recorded)).toBe('absent');
    expect(await storage.removeFile('a/b', recorded)).toBe('absent');
  });

  it('refuses directories and links', async () => {
    const storage = await storages.open();
    mkdirSync(join(storage.mountPoint, 'directory'));
    writeFileSync(join(storage.mountPoint, 'target'), 'x');
    symlinkSync('target', join(storage.mountPoint, 'link'));
    const target = factsOf(join(storage.mountPoint, 'target'));
    expect(await storage.removeFile('directory', factsOf(join(storage.mountPoint, 'directory')))).toBe('differs');
    expect(await storage.removeFile('link', target)).toBe('differs');
    expect(existsSync(join(storage.mountPoint, 'target'))).toBe(true);
  });
});

describe('the end', () => {
  it('rejects calls in progress and later ones as stopped, and leaves no process', async () => {
    const storage = await storages.open();
    execFileSync('truncate', ['-s', '20G', join(storage.mountPoint, 'large')]);
    const started = Promise.withResolvers<void>();
    const digest = storage.digest('large', { onProgress: () => started.resolve() });
    const stopped = expect(digest).rejects.toEqual(withCode('stopped', 'transient'));
    await started.promise;
    await Promise.all([storage.stop(), storage.stop()]);
    await stopped;
    await expect(storage.stat('large')).rejects.toEqual(withCode('stopped'));
    expect(await storage.probe({ testWrite: false, timeoutMs: 1_000 })).toMatchObject({ kind: 'unreachable' });
    expect(readerOf(storage.mountPoint)).toBeUndefined();
  });

  it('of one process fails its calls as transient, and the next call gets a new one', async () => {
    const storage = await storages.open();
    execFileSync('truncate', ['-s', '20G', join(storage.mountPoint, 'large')]);
    const started = Promise.withResolvers<void>();
    const digest = storage.digest('large', { onProgress: () => started.resolve() });
    const failed = expect(digest).rejects.toEqual(withCode('storage-unavailable', 'transient'));
    await started.promise;
    const reader = readerOf(storage.mountPoint);
    assert(reader);
    process.kill(reader, 'SIGKILL');
    await failed;
    writeFileSync(join(storage.mountPoint, 'small'), 'x');
    expect(await storage.digest('small', {})).toMatchObject({ changed: false });
  });
});

/** The child of this process that has a file below this directory open. */
function readerOf(directory: string): number | undefined {
  return childPids().find((pid) => openFiles(pid).some((path) => path.startsWith(directory)));
}
