import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
/** So slow that a call which waits for its pace does not end within a test. */
const SLOW = 2_000;

let storage: StorageAccess;
const at = (path: string) => join(storage.mountPoint, path);
const firstWord = (program: string, args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' }).split(/\s/)[0];
const peersOf = (path: string) => ({
  xxh128: firstWord('xxhsum', ['-H2', at(path)]),
  md5: firstWord('md5sum', [at(path)]),
});

beforeAll(async () => {
  storage = await storages.open();
});

/** Carries out `change` once so many bytes are read. */
const once = (bytes: number, change: () => void) => {
  let isDone = false;
  return (doneBytes: number) => {
    if (isDone || doneBytes < bytes) return;
    isDone = true;
    change();
  };
};

describe('a list of files', () => {
  it('has both digests of each, or says of each why not, in its order', async () => {
    mkdirSync(at('reel'));
    const contents: Record<string, Buffer> = {
      empty: randomBytes(0),
      'reel/short': randomBytes(11),
      // More than one piece, and an end that fills none.
      'reel/long': randomBytes(600_001),
      'caf⟦e9⟧.mov': randomBytes(5),
    };
    for (const [path, content] of Object.entries(contents))
      if (!path.startsWith('caf')) writeFileSync(at(path), content);
    const odd = Buffer.concat([Buffer.from(at('caf')), Buffer.from([0xe9]), Buffer.from('.mov')]);
    writeFileSync(odd, 'e-acute');
    symlinkSync('empty', at('link'));
    execFileSync('mkfifo', [at('pipe')]);
    const files = await storage.digestMany(
      ['empty', 'link', 'reel/short', 'gone', 'reel', 'caf⟦e9⟧.mov', '../x', 'pipe', 'reel/long', 'no/such/folder'],
      { withMd5: true },
    );
    expect(files).toMatchObject([
      { kind: 'digested', changed: false, facts: { sizeBytes: 0 }, ...peersOf('empty') },
      { kind: 'trouble', error: { code: 'file-unreadable', retry: 'permanent' } },
      { kind: 'digested', changed: false, facts: { sizeBytes: 11 }, ...peersOf('reel/short') },
      { kind: 'trouble', error: { code: 'file-not-found' } },
      { kind: 'trouble', error: { code: 'file-unreadable' } },
      { kind: 'digested', changed: false, facts: { sizeBytes: 7 } },
      { kind: 'trouble', error: { code: 'outside-storage' } },
      { kind: 'trouble', error: { code: 'file-unreadable' } },
      { kind: 'digested', changed: false, facts: { sizeBytes: 600_001 }, ...peersOf('reel/long') },
      { kind: 'trouble', error: { code: 'file-not-found' } },
    ]);
    expect(files[8]).toMatchObject({ facts: await storage.stat('reel/long') });
    const [fast] = await storage.digestMany(['reel/long'], { withMd5: false });
    expect(fast).toMatchObject({ xxh128: peersOf('reel/long').xxh128, md5: null });
  });

  it('says which files vanished or were replaced while they were read', async () => {
    for (const path of ['vanishes', 'replaced', 'other']) writeFileSync(at(path), randomBytes(300_000));
    const files = await storage.digestMany(['vanishes', 'replaced'], {
      withMd5: false,
      maxBytesPerSecond: 400_000,
      onProgress: once(200_000, () => {
        unlinkSync(at('vanishes'));
        writeFileSync(at('other'), 'x');
        renameSync(at('other'), at('replaced'));
      }),
    });
    expect(files).toMatchObject([
      { kind: 'digested', changed: true },
      { kind: 'digested', changed: true },
    ]);
  });

  it('is not believed to be missing when the storage is away', async () => {
    const away = await storages.open();
    rmSync(join(away.mountPoint, '.isg-pro-storage'));
    await expect(away.digestMany(['gone'], { withMd5: false })).rejects.toEqual(withCode('storage-unavailable'));
  });
});

describe('a digest in two threads', () => {
  const path = 'large';
  beforeAll(() => writeFileSync(at(path), randomBytes(3_000_001)));

  it.each([
    ['one file', (options: object) => storage.digest(path, options)],
    ['a list', (options: object) => storage.digestMany([path, path], { withMd5: false, ...options })],
  ])(
    'of %s stops at once when it is cancelled, also while it keeps its pace, and the process serves on',
    async (_what, digest) => {
      const stop = new AbortController();
      const since = performance.now();
      const work = digest({ signal: stop.signal, maxBytesPerSecond: SLOW, onProgress: () => stop.abort() });
      await expect(work).rejects.toEqual(withCode('cancelled'));
      // Its next piece would be due after more than two minutes.
      expect(performance.now() - since).toBeLessThan(60_000);
      expect(await storage.digest(path, {})).toMatchObject({ changed: false, ...peersOf(path) });
      expect(storages.records.filter(({ message }) => /ended unexpectedly|no progress/.test(message))).toEqual([]);
    },
  );

  it('says that a file was cut while it was read', async () => {
    writeFileSync(at('cut'), randomBytes(3_000_001));
    const cut = once(1, () => truncateSync(at('cut'), 600_000));
    const digest = await storage.digest('cut', { maxBytesPerSecond: 1_000_000, onProgress: cut });
    expect(digest).toMatchObject({ changed: true, facts: { sizeBytes: 3_000_001 } });
  });

  it.runIf(isLong)(`reads 5 GiB of nothing as the others do${onlyLong}`, { timeout: 300_000 }, async () => {
    execFileSync('truncate', ['-s', '5G', at('sparse')]);
    expect(await storage.digest('sparse', {})).toMatchObject({ changed: false, ...peersOf('sparse') });
  });
});
