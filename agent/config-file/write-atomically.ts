import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissingFile } from './config-file-error.ts';
import { syncFolder } from './sync-folder.ts';

/** Holds secrets: nobody but the owner reads it. */
const MODE = 0o600;
const FOLDER_MODE = 0o700;
const OWNER_MAY_WRITE = 0o200;

/** A file that its owner has marked as not to be written. */
class ReadOnlyFileError extends Error {
  readonly code = 'READ-ONLY';
}

/**
 * Replaces a file as a whole: after a crash or power cut at any moment the old or the new content is there, never a part.
 * Mode and owner stay; a new file is the owner's alone (0600). A symbolic link stays one; its target is replaced. The folder
 * is made if missing. What an ended process left behind is removed. Throws `ReadOnlyFileError` and what the file system throws.
 */
export async function writeAtomically(path: string, content: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  const target = await unlessMissing(realpath(path), path);
  const before = await unlessMissing(stat(target), null);
  // a rename would replace it all the same, and its owner did not mean that
  if (before !== null && (before.mode & OWNER_MAY_WRITE) === 0) throw new ReadOnlyFileError(target);
  await removeLeftOvers(target);
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', MODE);
    try {
      await file.writeFile(content);
      if (before !== null) await takeAfter(file, before);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncFolder(dirname(target));
}

async function unlessMissing<T, D>(promise: Promise<T>, otherwise: D): Promise<T | D> {
  try {
    return await promise;
  } catch (thrown) {
    if (isMissingFile(thrown)) return otherwise;
    throw thrown;
  }
}

/** The owner first: a change of owner may take rights away. Windows has neither; files inherit the folder's rights there. */
async function takeAfter(file: FileHandle, before: Stats): Promise<void> {
  if (process.platform === 'win32') return;
  const own = await file.stat();
  if (own.uid !== before.uid || own.gid !== before.gid) {
    await file.chown(before.uid, before.gid).catch(async () => {
      // ignored because only root gives files away; a group of one's own can still be kept
      await file.chown(own.uid, before.gid).catch(() => {});
    });
  }
  await file.chmod(before.mode & 0o777);
}

/** Temporary files of processes that were ended while they saved. */
async function removeLeftOvers(target: string): Promise<void> {
  const folder = dirname(target);
  const start = `${basename(target)}.`;
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(start) ? /^(\d+)-[0-9a-f]{8}\.tmp$/.exec(name.slice(start.length))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM';
  }
}
