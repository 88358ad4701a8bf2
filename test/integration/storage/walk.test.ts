import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { assertRoot } from '../../support/privileges.ts';
import { childPids, collectWalk, useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();

function tree(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    const absolute = join(root, path);
    mkdirSync(join(absolute, path.endsWith('/') ? '.' : '..'), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(absolute, path);
  }
}

/** A chain of directories named `d` with a file at its end, made from the inside: its path is longer than a call may give. */
function deepTree(root: string, levels: number): { deepest: string } {
  const script = `const { mkdirSync, writeFileSync } = require('node:fs');
    process.chdir(process.argv[1]);
    for (let level = 0; level < Number(process.argv[2]); level += 1) { mkdirSync('d'); process.chdir('d'); }
    writeFileSync('f', '');`;
  execFileSync(process.execPath, ['-e', script, root, String(levels)]);
  return { deepest: [...Array(levels).fill('d'), 'f'].join('/') };
}

function residentKib(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    // Ended meanwhile.
    return 0;
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

  it('gives names that are not UTF-8 legible ones, by which every call finds them', async () => {
    const storage = await storages.open();
    const below = (...parts: (string | number[])[]) =>
      Buffer.concat([
        Buffer.from(`${storage.mountPoint}/`),
        ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
      ]);
    for (const bytes of [[0xff], [0xfe], [0x61, 0xff]]) writeFileSync(below(bytes), 'x');
    mkdirSync(below('dir', [0xe9]));
    writeFileSync(below('dir', [0xe9], '/caf', [0xe9], '.mov'), 'deep');
    tree(storage.mountPoint, ['good', '\uFFFD']);
    storages.records.length = 0;
    const { paths, summary } = await collectWalk(storage);
    const deep = 'dir⟦e9⟧/caf⟦e9⟧.mov';
    expect(paths).toEqual(['a⟦ff⟧', 'dir⟦e9⟧', deep, 'good', '⟦fe⟧', '⟦ff⟧', '\uFFFD'].sort());
    expect(summary).toMatchObject({ files: 6, skipped: 1, unreadable: 0 });
    expect(storages.records).toEqual([]);
    expect(await storage.stat(deep)).toMatchObject({ kind: 'file', sizeBytes: 4 });
    const { facts, changed } = await storage.digest(deep, {});
    expect(changed).toBe(false);
    expect(await storage.readText(deep, 10)).toBe('deep');
    expect(await storage.stat('dir⟦e9⟧/nothing⟦e9⟧')).toBeNull();
    const under = await collectWalk(storage, { directories: ['dir⟦e9⟧'] });
    expect(under.paths).toEqual([deep]);
    // Nothing is put beside them that would then be taken for them.
    await expect(storage.commitFile('good', 'dir⟦e9⟧/new')).rejects.toEqual(withCode('file-unreadable', 'permanent'));
    await expect(storage.commitFile('good', '⟦ff⟧')).rejects.toEqual(withCode('content-differs', 'permanent'));
    expect(await storage.removeFile(deep, facts)).toBe('removed');
    expect(existsSync(below('dir', [0xe9], '/caf', [0xe9], '.mov'))).toBe(false);
  });

  it('counts and reports names whose legible form is another name already', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, ['⟦ff⟧']);
    writeFileSync(Buffer.concat([Buffer.from(`${storage.mountPoint}/`), Buffer.from([0xff])]), 'other');
    storages.records.length = 0;
    const { paths, summary } = await collectWalk(storage);
    expect([paths, summary.skipped]).toEqual([['⟦ff⟧'], 2]);
    expect(storages.records).toMatchObject([{ level: 'warn', fields: { count: 1 } }]);
    expect(await storage.readText('⟦ff⟧', 10)).toBe('⟦ff⟧');
  });

  it('never leads out of the storage by a spelled name', async () => {
    const storage = await storages.open();
    const outside = await storages.directory();
    writeFileSync(join(outside, 'secret'), 'x');
    symlinkSync(outside, Buffer.concat([Buffer.from(`${storage.mountPoint}/`), Buffer.from([0xff])]));
    await expect(storage.stat('⟦ff⟧/secret')).rejects.toEqual(withCode('outside-storage', 'permanent'));
    expect(await storage.stat('⟦ff⟧')).toMatchObject({ kind: 'symlink' });
    expect(await storage.stat('⟦2e2e⟧')).toBeNull();
  });

  it('enters both of two directories that differ only in composition', async () => {
    const storage = await storages.open();
    tree(storage.mountPoint, ['caf\u00e9/a', 'cafe\u0301/b', 'other/c']);
    const { paths } = await collectWalk(storage);
    expect(paths).toEqual(['cafe\u0301', 'cafe\u0301/b', 'caf\u00e9', 'caf\u00e9/a', 'other', 'other/c']);
  });

  it('goes down a deep tree as far as the index has room, and says where it ends', async () => {
    const storage = await storages.open();
    const { deepest } = deepTree(storage.mountPoint, 1_500);
    writeFileSync(join(storage.mountPoint, 'beside'), '');
    const { listings, summary, paths } = await collectWalk(storage);
    expect(paths).toContain('beside');
    // 'd' and a slash at each level: 1,200 levels are 2,399 bytes.
    expect(summary).toEqual({ files: 1, directories: 1_200, skipped: 1, unreadable: 1 });
    expect(listings).toContainEqual({
      kind: 'unreadable',
      path: Array(1_200).fill('d').join('/'),
      reason: expect.stringContaining('2,400 bytes'),
    });
    await expect(storage.stat(deepest)).resolves.toMatchObject({ kind: 'file' });
  });

  it.runIf(isLong)(
    `4,000 levels and 200,000 entries are walked in bounded memory${onlyLong}`,
    async () => {
      const storage = await storages.open();
      deepTree(storage.mountPoint, 4_000);
      mkdirSync(join(storage.mountPoint, 'wide'));
      for (let index = 0; index < 200_000; index += 1) writeFileSync(join(storage.mountPoint, 'wide', `f${index}`), '');
      let peakKib = 0;
      const watch = setInterval(() => {
        for (const pid of childPids()) peakKib = Math.max(peakKib, residentKib(pid));
      }, 50);
      const { summary } = await collectWalk(storage);
      clearInterval(watch);
      expect(summary).toMatchObject({ files: 200_000, unreadable: 1 });
      expect(peakKib).toBeGreaterThan(0);
      expect(peakKib).toBeLessThan(300 * 1024);
      // Deeper than a path may be long: what tidies up after the tests cannot remove it.
      execFileSync('rm', ['-rf', join(storage.mountPoint, 'd')]);
    },
    600_000,
  );

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
    const walk = collectWalk(storage);
    // The process answers while it lists.
    expect(await storage.stat('f0')).toMatchObject({ kind: 'file' });
    const { listings, summary } = await walk;
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
