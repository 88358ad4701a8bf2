/**
 * From a path of a storage to one of this machine, with proof that its directory lies inside the mount. The last segment
 * is never followed: callers open it without following links. What is written or removed is named by way of its directory,
 * which is held meanwhile (`held-directory.ts`); what is read is looked at again once it is open.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import { directoryOf, MARKER_NAME, nameOf, pathKey, pathSegments, unwritableName } from '../storage-path.ts';
import { type DiskPath, diskPath, parentPath } from './disk-path.ts';
import { type HeldDirectory, holdDirectory, isOpenedInside } from './held-directory.ts';
import { systemCode } from './local-filesystem.ts';

/** One character for each byte, so that paths which are no text can be compared. */
async function realBytes(path: DiskPath): Promise<string> {
  return (await realpath(path, { encoding: 'buffer' })).toString('latin1');
}

function assertInside(realDirectory: string, realMount: string, path: string): void {
  const prefix = realMount.endsWith(sep) ? realMount : realMount + sep;
  if (realDirectory === realMount || realDirectory.startsWith(prefix)) return;
  throw leadsOut(path);
}

/** That a path goes through a link to somewhere else. */
export function leadsOut(path: string): IsgError {
  return new IsgError(
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

/** Absolute path of an entry whose directory exists inside the storage at this instant; for what is looked at again when it is open. */
export async function containedEntry(mountPoint: string, path: string): Promise<DiskPath> {
  const absolute = await diskPath(mountPoint, pathSegments(path));
  if (path !== '') await assertDirectoryInside(mountPoint, parentPath(absolute), path);
  return absolute;
}

/**
 * Works with an entry whose directory exists inside the storage; the entry itself may be anything or nothing. `work` gets a path
 * that leads into that very directory, whatever bears its name by then, and is good until `work` has ended.
 */
export async function withEntry<Result>(
  mountPoint: string,
  path: string,
  work: (absolute: DiskPath, directory: DiskPath) => Promise<Result>,
): Promise<Result> {
  const absolute = await diskPath(mountPoint, pathSegments(path));
  if (path === '') return await work(absolute, absolute);
  const held = await holdInside(mountPoint, parentPath(absolute), path);
  try {
    return await work(held.entry(lastName(absolute)), held.at);
  } finally {
    await held.close();
  }
}

/** Opens a regular file of the storage for reading. `absolute` is where it was found, for looking whether it is still there. */
export async function openFileInside(
  mountPoint: string,
  path: string,
): Promise<{ handle: FileHandle; absolute: DiskPath }> {
  const absolute = await containedEntry(mountPoint, path);
  const handle = await openFileForReading(absolute, path);
  try {
    if (!(await isOpenedInside(handle, absolute, mountPoint))) throw leadsOut(path);
    return { handle, absolute };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

/**
 * Throws `outside-storage` for the marker of the storage: it is placed and read by calls of its own, and no name that somebody
 * gives is to change which storage this is.
 */
export function assertNotMarker(path: string): void {
  if (pathKey(path).toLowerCase().split('/')[0] !== MARKER_NAME) return;
  throw new IsgError('outside-storage', `${JSON.stringify(path)} is the marker of the storage; it is not touched.`, {
    retry: 'permanent',
    fields: { path },
  });
}

/** A directory that is there or was made for an entry. */
export interface MadeDirectory extends HeldDirectory {
  /** By its name in the storage, for making what was made durable. */
  named: string;
  /** The topmost directory that was made, if any. */
  firstMade: string | null;
}

/**
 * The directory of an entry that is to be written, made where it is missing, and held. Throws `file-unreadable` for names that
 * this platform would write as others, and for a directory whose name is no text: what were put there would be read back from
 * another one.
 */
export async function holdDirectoryMade(mountPoint: string, path: string): Promise<MadeDirectory> {
  assertNotMarker(path);
  for (const segment of pathSegments(path)) {
    const why = unwritableName(segment);
    if (why !== null) throw unwritable(path, `the name ${JSON.stringify(segment)} ${why}`);
  }
  const segments = pathSegments(directoryOf(path));
  const named = await diskPath(mountPoint, segments);
  if (typeof named !== 'string') throw unwritable(path, 'the name of its folder on the disk is not valid UTF-8');
  try {
    return { ...(await holdInside(mountPoint, named, path)), named, firstMade: null };
  } catch (thrown) {
    if (systemCode(thrown) !== 'ENOENT') throw thrown;
  }
  return { ...(await makeBelow(mountPoint, segments, path)), named };
}

/** Goes down from the root, each directory held while the next is found or made in it. */
async function makeBelow(
  mountPoint: string,
  segments: readonly string[],
  path: string,
): Promise<HeldDirectory & { firstMade: string | null }> {
  let held = await holdInside(mountPoint, mountPoint, path);
  let firstMade: string | null = null;
  for (const [at, segment] of segments.entries()) {
    const parent = held;
    try {
      const { directory, isNew } = await enterOrMake(mountPoint, parent.entry(segment), path);
      held = directory;
      if (isNew) firstMade ??= join(mountPoint, ...segments.slice(0, at + 1));
    } finally {
      await parent.close();
    }
  }
  return { ...held, firstMade };
}

async function enterOrMake(
  mountPoint: string,
  absolute: DiskPath,
  path: string,
): Promise<{ directory: HeldDirectory; isNew: boolean }> {
  try {
    return { directory: await holdInside(mountPoint, absolute, path), isNew: false };
  } catch (thrown) {
    if (systemCode(thrown) !== 'ENOENT') throw thrown;
  }
  const isNew = await makeDirectory(absolute);
  // A dangling link is something, though nothing can be made below it: then this says again that there is nothing.
  return { directory: await holdInside(mountPoint, absolute, path), isNew };
}

async function makeDirectory(absolute: DiskPath): Promise<boolean> {
  try {
    await mkdir(absolute);
    return true;
  } catch (thrown) {
    // Made by another call in the same instant.
    if (systemCode(thrown) === 'EEXIST') return false;
    throw thrown;
  }
}

async function holdInside(mountPoint: string, directory: DiskPath, path: string): Promise<HeldDirectory> {
  const held = await holdDirectory(mountPoint, directory);
  if (held === null) throw leadsOut(path);
  return held;
}

function lastName(absolute: DiskPath): string | Buffer {
  return typeof absolute === 'string' ? nameOf(absolute) : absolute.subarray(absolute.lastIndexOf('/') + 1);
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
