/** From names of the index to those on the disk: the same, except where a legible name stands for odd bytes (`../odd-name.ts`). */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { mayStandForBytes, spelledBytes } from '../odd-name.ts';
import { systemCode } from './local-filesystem.ts';

/** An absolute path; as bytes only when a segment of it stands for other bytes than its text. */
export type DiskPath = string | Buffer;

const SLASH = Buffer.from('/');
/** A name that is longer in bytes than any file system takes can only be a spelled one. */
const MAX_NAME_BYTES = 255;

/** Path of an entry below a directory. */
export function entryPath(directory: DiskPath, name: string | Buffer): DiskPath {
  if (typeof directory === 'string' && typeof name === 'string') return `${directory}/${name}`;
  return Buffer.concat([Buffer.from(directory), SLASH, Buffer.from(name)]);
}

/** Path of the directory that an entry is in. */
export function parentPath(path: DiskPath): DiskPath {
  return typeof path === 'string' ? join(path, '..') : path.subarray(0, path.lastIndexOf(SLASH));
}

async function isThere(path: DiskPath): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    // EILSEQ: a file system that knows only UTF-8.
    if (['ENOENT', 'ENAMETOOLONG', 'EILSEQ', 'EINVAL'].includes(systemCode(thrown))) return false;
    throw thrown;
  }
}

/**
 * Where the segments lie below the mount point. A segment that spells bytes is taken as written when there is such an entry, else
 * for the bytes; nothing else is looked at, and nothing is followed that a plain path would not follow.
 */
export async function diskPath(mountPoint: string, segments: readonly string[]): Promise<DiskPath> {
  if (!segments.some(mayStandForBytes)) return join(mountPoint, ...segments);
  let path: DiskPath = join(mountPoint);
  for (const segment of segments) {
    const written = entryPath(path, segment);
    const bytes = spelledBytes(segment);
    if (bytes === null || (await isThere(written))) path = written;
    else {
      const spelled = entryPath(path, bytes);
      path = Buffer.byteLength(segment) > MAX_NAME_BYTES || (await isThere(spelled)) ? spelled : written;
    }
  }
  return path;
}
