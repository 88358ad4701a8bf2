/**
 * From a path of a storage to one of this machine, with proof that its directory lies inside the mount. The last segment
 * is never followed: callers open it without following links. Not promised: a directory swapped for a link between the
 * check and the use.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import { directoryOf, nameOf, pathSegments, unwritableName } from '../storage-path.ts';
import { type DiskPath, diskPath, parentPath } from './disk-path.ts';
import { systemCode } from './local-filesystem.ts';

/** One character for each byte, so that paths which are no text can be compared. */
async function realBytes(path: DiskPath): Promise<string> {
  return (await realpath(path, { encoding: 'buffer' })).toString('latin1');
}

function assertInside(realDirectory: string, realMount: string, path: string): void {
  const prefix = realMount.endsWith(sep) ? realMount : realMount + sep;
  if (realDirectory === realMount || realDirectory.startsWith(prefix)) return;
  throw new IsgError(
    'outside-storage',
    `A symbolic link in the path ${JSON.stringify(path)} leads out of the storage; it is not followed.`,
    { retry: 'permanent', fields: { path } },
  );
}

/** Absolute path of a directory of the storage, after its links were followed and found to stay inside. */
export async function containedDirectory(mountPoint: string, path: string): Promise<DiskPath> {
  const absolute = await diskPath(mountPoint, pathSegments(path));
  await assertDirectoryInside(mountPoint, absolute, path);
  return absolute;
}

async function assertDirectoryInside(mountPoint: string, absolute: DiskPath, path: string): Promise<void> {
  const [realMount, realDirectory] = await Promise.all([realBytes(mountPoint), realBytes(absolute)]);
  assertInside(realDirectory, realMount, path);
}

/** Absolute path of an entry whose directory exists inside the storage; the entry itself may be anything or nothing. */
export async function containedEntry(mountPoint: string, path: string): Promise<DiskPath> {
  const absolute = await diskPath(mountPoint, pathSegments(path));
  if (path !== '') await assertDirectoryInside(mountPoint, parentPath(absolute), path);
  return absolute;
}

async function nearestExisting(directory: string): Promise<string> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      return await realBytes(at);
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT' || dirname(at) === at) throw thrown;
      // A dangling link is something, though nothing can be made below it.
      if (await isLink(at)) throw thrown;
    }
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    // Not there: not a link.
    return false;
  }
}

/**
 * Absolute path of an entry, its directory made where it is missing. Returns also the topmost directory that was made,
 * if any, for making it durable. Throws `file-unreadable` for names that this platform would write as others, and for a
 * directory whose name is no text: what were put there would be read back from another one.
 */
export async function containedEntryMade(
  mountPoint: string,
  path: string,
): Promise<{ absolute: string; firstMade: string | null }> {
  for (const segment of pathSegments(path)) {
    const why = unwritableName(segment);
    if (why !== null) throw unwritable(path, `the name ${JSON.stringify(segment)} ${why}`);
  }
  const directory = await diskPath(mountPoint, pathSegments(directoryOf(path)));
  if (typeof directory !== 'string') throw unwritable(path, 'the name of its folder on the disk is not valid UTF-8');
  assertInside(await nearestExisting(directory), await realBytes(mountPoint), path);
  const firstMade = (await mkdir(directory, { recursive: true })) ?? null;
  await assertDirectoryInside(mountPoint, directory, path);
  return { absolute: join(directory, nameOf(path)), firstMade };
}

function unwritable(path: string, why: string): IsgError {
  return new IsgError('file-unreadable', `${JSON.stringify(path)} cannot be written here: ${why}. Rename it.`, {
    retry: 'permanent',
    fields: { path },
  });
}

/** Opens a regular file for reading: no link, no pipe (whose opening could wait forever), no device. */
export async function openFileForReading(absolute: DiskPath, path: string): Promise<FileHandle> {
  if (!(await lstat(absolute)).isFile()) throw notAFile(path);
  const handle = await open(absolute, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await handle.stat()).isFile()) throw notAFile(path);
    return handle;
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

/** That something other than a regular file stands under a name. */
export function notAFile(path: string): IsgError {
  return new IsgError(
    'file-unreadable',
    `${JSON.stringify(path)} is not a regular file; links, pipes and devices are not read.`,
    {
      retry: 'permanent',
      fields: { path },
    },
  );
}
