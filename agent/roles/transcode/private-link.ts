import { copyFile, link, symlink } from 'node:fs/promises';
import { sep } from 'node:path';
import { mayStandForBytes, spelledBytes } from '../../storage/odd-name.ts';

/** The bytes of a path in which some segments stand for bytes that are no UTF-8; the path itself when none does. */
export function pathBytes(absolutePath: string): string | Buffer {
  if (!mayStandForBytes(absolutePath)) return absolutePath;
  const segments = absolutePath.split(sep).map((segment) => spelledBytes(segment) ?? Buffer.from(segment));
  return Buffer.concat(segments.flatMap((segment, index) => (index === 0 ? [segment] : [Buffer.from(sep), segment])));
}

/**
 * Gives a file a name of ours: a symbolic link where the system lets us (it touches nothing of the storage), else a hard link,
 * else a copy. Programs that are given the link never see the file's own name, which may hold what they take for options,
 * patterns, protocols or lists.
 */
export async function linkPrivately(target: string | Buffer, path: string): Promise<void> {
  try {
    return await symlink(target, path, 'file');
  } catch (thrown) {
    // Windows allows symbolic links to administrators and developers only.
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') throw thrown;
  }
  try {
    await link(target, path);
  } catch {
    // Ignored because a copy does as well: another volume, or a file system without hard links.
    await copyFile(target, path);
  }
}
