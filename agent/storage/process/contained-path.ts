/**
 * From a path of a storage to one of this machine, with proof that its directory lies inside the mount. The last segment
 * is never followed: callers open it without following links. Not promised: a directory swapped for a link between the
 * check and the use.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import { directoryOf, pathSegments } from '../storage-path.ts';
import { systemCode } from './local-filesystem.ts';

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
export async function containedDirectory(mountPoint: string, path: string): Promise<string> {
  const absolute = join(mountPoint, ...pathSegments(path));
  const [realMount, realDirectory] = await Promise.all([realpath(mountPoint), realpath(absolute)]);
  assertInside(realDirectory, realMount, path);
  return absolute;
}

/** Absolute path of an entry whose directory exists inside the storage; the entry itself may be anything or nothing. */
export async function containedEntry(mountPoint: string, path: string): Promise<string> {
  const segments = pathSegments(path);
  if (segments.length > 0) await containedDirectory(mountPoint, directoryOf(path));
  return join(mountPoint, ...segments);
}

async function nearestExisting(directory: string): Promise<string> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      return await realpath(at);
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
 * if any, for making it durable.
 */
export async function containedEntryMade(
  mountPoint: string,
  path: string,
): Promise<{ absolute: string; firstMade: string | null }> {
  const absolute = join(mountPoint, ...pathSegments(path));
  const directory = dirname(absolute);
  assertInside(await nearestExisting(directory), await realpath(mountPoint), path);
  const firstMade = (await mkdir(directory, { recursive: true })) ?? null;
  await containedDirectory(mountPoint, directoryOf(path));
  return { absolute, firstMade };
}

/** Opens a regular file for reading: no link, no pipe (whose opening could wait forever), no device. */
export async function openFileForReading(absolute: string, path: string): Promise<FileHandle> {
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

function notAFile(path: string): IsgError {
  return new IsgError(
    'file-unreadable',
    `${JSON.stringify(path)} is not a regular file; links, pipes and devices are not read.`,
    {
      retry: 'permanent',
      fields: { path },
    },
  );
}
