/**
 * Directories that are held open, so that what was found to lie inside the storage is what is worked in, whatever is put under
 * its name meanwhile. Node has no calls relative to an open directory; Linux has names for what a process has open
 * (`/proc/self/fd/…`), which lead to the thing itself and not to what bears its name now. Where there are none (macOS, Windows,
 * a jail without /proc) the directory is worked in by its real path, which leaves an instant for a swap.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import { type DiskPath, entryPath, parentPath } from './disk-path.ts';
import { systemCode } from './local-filesystem.ts';

/** Where this process finds what it has open by number. */
const OPEN_THINGS = '/proc/self/fd';
const DIRECTORY_FLAGS = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);
/** Linux: opens a directory that may be passed but not listed. Node has no name for it; the value is that of x64 and arm64. */
const O_PATH = 0o10000000;
/** Last: it needs the others. */
const HOLDS = process.platform === 'linux' && hasOpenThings();

function hasOpenThings(): boolean {
  try {
    const fd = openSync('/', DIRECTORY_FLAGS);
    try {
      return readlinkSync(`${OPEN_THINGS}/${fd}`) === '/';
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    // No /proc here.
    if (systemCode(thrown) !== '') return false;
    throw thrown;
  }
}

/** A directory inside the storage. Names are worked with by `entry`, for as long as it is not closed. */
export interface HeldDirectory {
  /** The directory itself, for what is asked of it (room, sync). */
  readonly at: DiskPath;
  /** Path of an entry in it, however the directory is called by then. */
  entry(name: string | Buffer): DiskPath;
  close(): Promise<void>;
}

/** One character for each byte, so that paths which are no text can be compared. */
async function realBytes(path: DiskPath): Promise<string> {
  return (await realpath(path, { encoding: 'buffer' })).toString('latin1');
}

function isInside(real: string, realMount: string): boolean {
  return real === realMount || real.startsWith(realMount.endsWith(sep) ? realMount : realMount + sep);
}

const nameOfOpen = async (fd: number) =>
  (await readlink(`${OPEN_THINGS}/${fd}`, { encoding: 'buffer' })).toString('latin1');

async function openDirectory(absolute: DiskPath): Promise<FileHandle> {
  try {
    return await open(absolute, DIRECTORY_FLAGS);
  } catch (thrown) {
    if (systemCode(thrown) !== 'EACCES') throw thrown;
    return await open(absolute, O_PATH | constants.O_DIRECTORY);
  }
}

/** Whether what is open lies in the mount. Asked of the mount itself when its real path says no: some mounts ignore case. */
async function isOpenInside(handle: FileHandle, mountPoint: string): Promise<boolean> {
  const [name, realMount] = await Promise.all([nameOfOpen(handle.fd), realBytes(mountPoint)]);
  if (isInside(name, realMount)) return true;
  const mount = await openDirectory(mountPoint);
  try {
    return isInside(name, await nameOfOpen(mount.fd));
  } finally {
    await mount.close();
  }
}

/** Holds a directory, after its links were followed; null when that leads out of the mount. */
export async function holdDirectory(mountPoint: string, absolute: DiskPath): Promise<HeldDirectory | null> {
  if (!HOLDS) {
    const [realMount, real] = await Promise.all([realBytes(mountPoint), realpath(absolute, { encoding: 'buffer' })]);
    if (!isInside(real.toString('latin1'), realMount)) return null;
    const at = typeof absolute === 'string' ? real.toString('utf8') : real;
    return { at, entry: (name) => entryPath(at, name), close: async () => {} };
  }
  const handle = await openDirectory(absolute);
  const at = `${OPEN_THINGS}/${handle.fd}`;
  try {
    if (await isOpenInside(handle, mountPoint))
      return { at, entry: (name) => entryPath(at, name), close: () => handle.close() };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
  await handle.close();
  return null;
}

/**
 * Whether a file that was opened by a path lies in the mount, wherever that path leads by now. Nothing of it may be used
 * before. Elsewhere than on Linux: whether the path leads to this very file, inside.
 */
export async function isOpenedInside(handle: FileHandle, absolute: DiskPath, mountPoint: string): Promise<boolean> {
  if (HOLDS) return await isOpenInside(handle, mountPoint);
  const [realMount, directory] = await Promise.all([
    realBytes(mountPoint),
    realpath(parentPath(absolute), { encoding: 'buffer' }),
  ]);
  if (!isInside(directory.toString('latin1'), realMount)) return false;
  const [there, opened] = await Promise.all([
    lstat(entryPath(directory, lastName(absolute)), { bigint: true }),
    handle.stat({ bigint: true }),
  ]);
  return there.ino === opened.ino && there.dev === opened.dev;
}

/** The same for threads that read many files: `realMount` is asked for once (`realMountOf`). */
export function isOpenedInsideSync(fd: number, absolute: DiskPath, realMount: string): boolean {
  if (HOLDS)
    return isInside(readlinkSync(`${OPEN_THINGS}/${fd}`, { encoding: 'buffer' }).toString('latin1'), realMount);
  // What comes from another thread is bytes without a Buffer's methods.
  const path = typeof absolute === 'string' ? absolute : Buffer.from(absolute);
  const directory = realpathSync(parentPath(path), { encoding: 'buffer' });
  if (!isInside(directory.toString('latin1'), realMount)) return false;
  const there = lstatSync(entryPath(directory, lastName(path)), { bigint: true });
  const opened = fstatSync(fd, { bigint: true });
  return there.ino === opened.ino && there.dev === opened.dev;
}

/** The mount point as `isOpenedInsideSync` compares it: as the system names what is open. */
export async function realMountOf(mountPoint: string): Promise<string> {
  if (!HOLDS) return await realBytes(mountPoint);
  const mount = await openDirectory(mountPoint);
  try {
    return await nameOfOpen(mount.fd);
  } finally {
    await mount.close();
  }
}

function lastName(path: DiskPath): string | Buffer {
  return typeof path === 'string' ? basename(path) : path.subarray(path.lastIndexOf('/') + 1);
}
