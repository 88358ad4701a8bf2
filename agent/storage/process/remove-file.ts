import { lstat, rmdir, unlink } from 'node:fs/promises';
import { IsgError } from '../../runtime/errors.ts';
import { syncDirectory } from './commit-file.ts';
import { assertNotMarker, withEntry } from './contained-path.ts';
import { isAsExpected, systemCode } from './local-filesystem.ts';

/**
 * Unlinks a regular file whose size and modification time are the recorded ones; `differs` for anything else, `absent`
 * when there is none (the caller proves the storage). A change between the look and the unlink is not noticed.
 */
export async function removeFile(
  mountPoint: string,
  path: string,
  expected: { sizeBytes: number; mtimeNs: string },
): Promise<'removed' | 'absent' | 'differs'> {
  assertNotMarker(path);
  try {
    return await withEntry(mountPoint, path, async (absolute, directory) => {
      if (!isAsExpected(await lstat(absolute, { bigint: true }), expected)) return 'differs';
      await unlink(absolute);
      await syncDirectory(directory);
      return 'removed';
    });
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
    throw thrown;
  }
}

/** What systems answer for a directory that holds something. */
const NOT_EMPTY = new Set(['ENOTEMPTY', 'EEXIST']);

/** Removes a directory in which nothing is: the system itself decides that, in the same instant. `absent` as above. */
export async function removeDirectory(
  mountPoint: string,
  path: string,
): Promise<'removed' | 'absent' | 'not-empty' | 'differs'> {
  if (path === '')
    throw new IsgError('outside-storage', 'The root of a storage is never removed.', { retry: 'permanent' });
  try {
    return await withEntry(mountPoint, path, async (absolute, directory) => {
      if (!(await lstat(absolute)).isDirectory()) return 'differs';
      await rmdir(absolute);
      await syncDirectory(directory);
      return 'removed';
    });
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
    if (NOT_EMPTY.has(code)) return 'not-empty';
    throw thrown;
  }
}
