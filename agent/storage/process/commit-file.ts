/** Publication of finished files: under their name at once, completely, durably, and never over another file. */
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import type { FileFacts } from '../storage-access.ts';
import { directoryOf, nameOf } from '../storage-path.ts';
import {
  assertNotMarker,
  containedEntry,
  holdDirectoryMade,
  type MadeDirectory,
  openFileForReading,
  withEntry,
} from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { factsOf, systemCode } from './local-filesystem.ts';

/** What file systems without hard links answer (exFAT, FAT, many SMB and FUSE mounts, Windows shares). */
const NO_LINKS = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EINVAL',
  'EISDIR',
  'EACCES',
  'UNKNOWN',
  'EXDEV',
]);
/** Refusals to sync a directory that say nothing about the disk. */
const NO_DIRECTORY_SYNC = new Set(['EINVAL', 'EPERM', 'EACCES', 'EISDIR', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF', 'ENOSYS']);

/** Makes the entries of a directory durable, where the platform can. */
export async function syncDirectory(absolute: DiskPath): Promise<void> {
  try {
    const handle = await open(absolute, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (!NO_DIRECTORY_SYNC.has(systemCode(thrown))) throw thrown;
  }
}

async function exists(absolute: DiskPath): Promise<boolean> {
  try {
    await lstat(absolute);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

/**
 * Gives a file its final name; false when something has that name already. A hard link decides who is first; where there
 * are none, a look before the rename must do, which another writer in the same instant can defeat.
 */
export async function publishFile(from: DiskPath, to: DiskPath): Promise<boolean> {
  try {
    await link(from, to);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw thrown;
    if (await exists(to)) return false;
    await rename(from, to);
    return true;
  }
  await unlink(from);
  return true;
}

/** Whether two names are links to one file: what a commit leaves that was cut between its two steps. */
async function isSameFile(one: DiskPath, other: DiskPath): Promise<boolean> {
  const [first, second] = await Promise.all([lstat(one, { bigint: true }), lstat(other, { bigint: true })]);
  return first.isFile() && first.ino === second.ino && first.dev === second.dev && first.ino !== 0n;
}

/** Makes new directories durable, from the parent of the topmost one down. */
async function syncMade(firstMade: string, directory: string): Promise<void> {
  for (let at = directory; at.length >= firstMade.length; at = dirname(at)) await syncDirectory(dirname(at));
}

/**
 * Moves a finished file into place: sync the file, make the directory, publish, sync the directory. Throws
 * `content-differs` when `to` exists, `file-not-found` when `from` does not: after a commit whose answer was lost, the
 * caller sees that and looks at `to`. A commit cut between link and unlink is completed by calling it again.
 */
export async function commitFile(mountPoint: string, paths: { from: string; to: string }): Promise<FileFacts> {
  assertNotMarker(paths.from);
  return await withEntry(mountPoint, paths.from, async (from, fromDirectory) => {
    await syncFile(from, paths.from);
    const directory = await holdDirectoryMade(mountPoint, paths.to);
    try {
      // A file whose odd bytes read like this name has it already.
      if (typeof (await containedEntry(mountPoint, paths.to)) !== 'string') throw nameTaken(paths.to);
      const facts = await putInPlace(from, directory, paths);
      if (directoryOf(paths.from) !== directoryOf(paths.to)) await syncDirectory(fromDirectory);
      return facts;
    } finally {
      await directory.close();
    }
  });
}

async function syncFile(absolute: DiskPath, path: string): Promise<void> {
  const handle = await openFileForReading(absolute, path);
  try {
    // Windows syncs only what is open for writing; the receiver has synced it there already.
    if (process.platform !== 'win32') await handle.sync();
  } finally {
    await handle.close();
  }
}

async function putInPlace(
  from: DiskPath,
  directory: MadeDirectory,
  paths: { from: string; to: string },
): Promise<FileFacts> {
  const to = directory.entry(nameOf(paths.to));
  if (!(await publishFile(from, to))) {
    if (paths.from === paths.to || !(await isSameFile(from, to))) throw nameTaken(paths.to);
    await unlink(from);
  }
  if (directory.firstMade !== null) await syncMade(directory.firstMade, directory.named);
  await syncDirectory(directory.at);
  return factsOf(await lstat(to, { bigint: true }), paths.to);
}

function nameTaken(path: string): IsgError {
  return new IsgError(
    'content-differs',
    `${JSON.stringify(path)} exists already and is not overwritten. Move it away, or compare it with what was to be put there.`,
    { retry: 'permanent', fields: { path } },
  );
}
