import { copyFile, link, lstat, mkdir, readdir, rename, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { IsgError } from '../../../runtime/errors.ts';
import { isPictureOf, isProxyOf, type WatchFolder } from './watch-folder-plan.ts';
import type { SeenFile } from './watch-folder-state.ts';

/** How the original was put into the watch folder. */
export type LinkKind = 'symlink' | 'hard-link' | 'copy';

const codeOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException).code ?? '';

/** What goes wrong in the watch folder is its storage's doing; the job waits and tries again. */
function troubleOf(folder: string, thrown: unknown): IsgError {
  const isFull = ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new IsgError(
    isFull ? 'disk-full' : 'file-unreadable',
    `The watch folder "${folder}" cannot be used (${codeOf(thrown) || reason}). Check that it exists and that this node may write to it; the job is tried again.`,
    { retry: 'transient', cause: thrown, fields: { folder } },
  );
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

async function place(target: string | Buffer, path: string, useSymlink: boolean): Promise<LinkKind> {
  if (useSymlink) {
    await symlink(target, path, 'file');
    return 'symlink';
  }
  try {
    await link(target, path);
    return 'hard-link';
  } catch {
    // Ignored because a copy does as well: the folder lies on another volume, or the file system has no hard links.
    await copyFile(target, `${path}.isg-part`);
    await rename(`${path}.isg-part`, path);
    return 'copy';
  }
}

/**
 * Puts the original into the watch folder: a symbolic link when the settings say so, else a hard link, else a copy that appears
 * when it is complete (reference A.7). One that stands there already is left: it is that of an earlier attempt.
 */
export async function linkOriginal(watch: WatchFolder, target: string | Buffer): Promise<LinkKind | 'kept'> {
  const path = join(watch.folder, watch.linkName);
  try {
    if (watch.isOwnFolder) await mkdir(watch.folder, { recursive: true });
    if (await isThere(path)) return 'kept';
    return await place(target, path, watch.useSymlink);
  } catch (thrown) {
    throw troubleOf(watch.folder, thrown);
  }
}

async function filesIn(
  folder: string | null,
  kind: SeenFile['kind'],
  isOurs: (name: string) => boolean,
): Promise<SeenFile[]> {
  if (folder === null) return [];
  const names = await readdir(folder).catch((thrown: unknown) => {
    // The other program makes its folders when it needs them.
    if (codeOf(thrown) === 'ENOENT') return [];
    throw troubleOf(folder, thrown);
  });
  const found: SeenFile[] = [];
  for (const name of names.filter(isOurs)) {
    const path = join(folder, name);
    const facts = await stat(path).catch(() => null);
    if (facts?.isFile()) found.push({ path, kind, sizeBytes: facts.size, mtimeMs: Math.trunc(facts.mtimeMs) });
  }
  return found;
}

/** The results that are there now. */
export async function lookForResults(watch: WatchFolder): Promise<SeenFile[]> {
  const { linkName } = watch;
  const proxies = await filesIn(watch.proxies, 'proxy', (name) => isProxyOf(name, linkName));
  const maps = await filesIn(watch.keyframeMaps, 'keyframe-map', (name) => isPictureOf(name, linkName));
  const isSameFolder = watch.keyframes === watch.keyframeMaps;
  const keyframes = isSameFolder
    ? []
    : await filesIn(watch.keyframes, 'keyframe', (name) => isPictureOf(name, linkName));
  return [...proxies, ...maps, ...keyframes];
}

/** Removes link and results. What is not there is fine; a folder that is this job's own goes when it is empty. */
export async function clearWatchFolder(watch: WatchFolder): Promise<void> {
  const link = join(watch.folder, watch.linkName);
  const results = (await lookForResults(watch)).map(({ path }) => path);
  for (const path of [link, `${link}.isg-part`, ...results]) await rm(path, { force: true });
  if (!watch.isOwnFolder) return;
  const folders = new Set([watch.proxies, watch.keyframes, watch.keyframeMaps, watch.folder]);
  for (const folder of folders) if (folder !== null) await rmdir(folder).catch(() => {});
}
