import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assertRoot } from '../../support/privileges.ts';
import { collectWalk, useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();

function tree(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    const absolute = join(root, path);
    mkdirSync(join(absolute, path.endsWith('/') ? '.' : '..'), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(absolute, path);
  }
}

describe('a walk', () => {
  it('lists every directory once, level by level, litter left out', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, [
      'a/b/deep.mov',
      'a/x.mov',
      'y.mov',
      'empty/',
      '.DS_Store',
      '@eaDir/a',
      '.isg-pro-partial/p',
    ]);
    const { listings, paths, summary } = await collectWalk(storage, { concurrency: 1 });
    expect(paths).toEqual(['a', 'a/b', 'a/b/deep.mov', 'a/x.mov', 'empty', 'y.mov']);
    expect(listings.map((listing) => listing.kind !== 'unchanged' && listing.path)).toEqual([
      '',
      expect.any(String),
      expect.any(String),
      'a/b',
    ]);
    // Skipped: .DS_Store, @eaDir, .isg-pro-partial and the marker.
    expect(summary).toEqual({ files: 3, directories: 4, skipped: 4, unreadable: 0 });
  });

  it('looks only at the given roots, and says which of them is not there', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, ['in/sub/a', 'out/b']);
    const { listings, paths } = await collectWalk(storage, { directories: ['/in/', 'in/sub', 'nowhere'] });
    expect(paths).toEqual(['in/sub', 'in/sub/a']);
    expect(listings).toContainEqual({ kind: 'unreadable', path: 'nowhere', reason: expect.stringContaining('ENOENT') });
  });

  it('keeps names as they are: composed, decomposed, with newlines and quotes', async () => {
    const storage = await storages.open();
    const names = [
      'M\u00fcll.mov',
      'Mu\u0308ll.mov',
      'new\nline',
      'quote"\\',
      '😀',
      ' lead',
      'trail ',
      '\uFFFD',
      '...',
    ];
    tree(storage.mountPoint, names);
    const { paths } = await collectWalk(storage);
    expect(paths).toEqual([...names].sort());
  });

  it('skips and counts names that are not UTF-8, and reports that once', async () => {
    const storage = await storages.open();
    for (const bytes of [[0xff], [0xfe], [0x61, 0xff]]) {
      writeFileSync(Buffer.concat([Buffer.from(`${storage.mountPoint}/`), Buffer.from(bytes)]), 'x');
    }
    tree(storage.mountPoint, ['good', '\uFFFD']);
    storages.records.length = 0;
    const { paths, summary } = await collectWalk(storage);
    expect(paths).toEqual(['good', '\uFFFD']);
    expect(summary.skipped).toBe(4);
    expect(storages.records).toMatchObject([{ level: 'warn', fields: { count: 3 } }]);
  });

  it('reports links and never follows them, loops included', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, ['a/file']);
    symlinkSync('..', join(storage.mountPoint, 'a', 'loop'));
    symlinkSync('self', join(storage.mountPoint, 'self'));
    symlinkSync('/etc', join(storage.mountPoint, 'etc'));
    const { listings, summary, paths } = await collectWalk(storage);
    expect(paths).toEqual(['a', 'a/file', 'a/loop', 'etc', 'self']);
    const kinds = listings.flatMap((listing) =>
      listing.kind === 'listed' ? listing.entries.map((entry) => entry.kind) : [],
    );
    expect(kinds.sort()).toEqual(['directory', 'file', 'symlink', 'symlink', 'symlink']);
    expect(summary.files).toBe(1);
  });

  it('applies patterns and leaves out one that does not compile', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, ['a.tmp', 'Cache/c.mov', 'b.mov', 'sub/d.mov', 'sub/e.wav']);
    const ignored = await collectWalk(storage, { ignore: ['*.tmp', 'Cache', 're:/(/'] });
    expect(ignored.paths).toEqual(['b.mov', 'sub', 'sub/d.mov', 'sub/e.wav']);
    const included = await collectWalk(storage, { ignore: ['*.mov'], include: ['re:/^sub\\/.*mov$/', '*.tmp'] });
    expect(included.paths).toEqual(['Cache', 'a.tmp', 'sub', 'sub/d.mov']);
  });

  it('takes one directory of 30,000 entries as one listing', async () => {
    const storage = await storages.open();
    for (let index = 0; index < 30_000; index += 1) writeFileSync(join(storage.mountPoint, `f${index}`), '');
    const { listings, summary } = await collectWalk(storage);
    expect(listings).toHaveLength(1);
    expect(summary.files).toBe(30_000);
    expect(
      new Set(listings.flatMap((listing) => (listing.kind === 'listed' ? listing.entries.map((e) => e.name) : [])))
        .size,
    ).toBe(30_000);
  });

  it('waits for its consumer: what is on its way stays bounded', async () => {
    const storage = await storages.open();
    tree(
      storage.mountPoint,
      Array.from({ length: 200 }, (_, index) => `d${index}/f`),
    );
    const gate = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    let begun = 0;
    const walk = storage.walk(
      { directories: [], ignore: [], include: [], concurrency: 4 },
      async () => {
        begun += 1;
        if (begun === 5) held.resolve();
        if (begun >= 5) await gate.promise;
      },
      new AbortController().signal,
    );
    await held.promise;
    // Answered by the same process after whatever it could send.
    expect(await storage.stat('d0/f')).toMatchObject({ kind: 'file' });
    expect(begun).toBe(5);
    gate.resolve();
    expect(await walk).toMatchObject({ directories: 201, files: 200 });
  });

  it('ends with the consumer’s own error, and with the reason of its signal', async () => {
    const storage = await storages.open();
    tree(
      storage.mountPoint,
      Array.from({ length: 50 }, (_, index) => `d${index}/f`),
    );
    const options = { directories: [], ignore: [], include: [], concurrency: 4 };
    const boom = new Error('database gone');
    const failing = storage.walk(options, () => Promise.reject(boom), new AbortController().signal);
    await expect(failing).rejects.toBe(boom);
    const stop = new AbortController();
    const stopped = storage.walk(options, async () => stop.abort(), stop.signal);
    await expect(stopped).rejects.toEqual(withCode('cancelled'));
    expect(await collectWalk(storage)).toMatchObject({ summary: { files: 50 } });
  });

  it('reports what it may not read and goes on (as an unprivileged user)', async () => {
    assertRoot('to become another user');
    const directory = await storages.directory();
    tree(directory, ['open/a.mov', 'closed/b.mov', 'names-only/c.mov', 'closed.mov']);
    chmodSync(directory, 0o755);
    chmodSync(join(directory, 'closed'), 0o700);
    chmodSync(join(directory, 'names-only'), 0o744);
    chmodSync(join(directory, 'closed.mov'), 0o600);
    const script = fileURLToPath(new URL('./walk-as-user.ts', import.meta.url));
    const child = fork(script, [directory], { uid: 65_534, gid: 65_534, execArgv: [], serialization: 'advanced' });
    const [seen] = await once(child, 'message');
    const unreadable = seen.listings.filter((listing: { kind: string }) => listing.kind === 'unreadable');
    expect(unreadable).toEqual([
      { kind: 'unreadable', path: 'closed', reason: expect.stringContaining('EACCES') },
      { kind: 'unreadable', path: 'names-only', reason: expect.stringContaining('EACCES') },
    ]);
    expect(seen.summary).toEqual({ files: 2, directories: 2, skipped: 0, unreadable: 2 });
    expect(seen.code).toBe('file-unreadable');
  });

  it('sees what find sees in a real tree', async () => {
    const directory = fileURLToPath(new URL('../../../node_modules/zod', import.meta.url));
    const storage = await storages.open(directory);
    const found = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P\\n'], {
      cwd: directory,
      encoding: 'utf8',
    });
    const { paths } = await collectWalk(storage, { concurrency: 8 });
    expect(paths).toEqual(found.trim().split('\n').sort());
    expect(readFileSync(storage.absolutePath('package.json'), 'utf8')).toContain('zod');
  });
});
