/**
 * Files in the folder that another program watches: originals go in, what it made comes out, and all is cleared away. The folder
 * is anywhere on this machine, as an administrator named it in iconik; its paths are absolute. Links in it are not followed.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import type { RequestOf, ResultOf } from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import type { DiskPath } from './disk-path.ts';
import { saysFull, systemCode } from './local-filesystem.ts';

const PIECE_BYTES = 1024 * 1024;
/** A link that stands there by the name of the copy is not written through. */
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** What goes wrong in the watch folder is its storage's doing; the job waits and tries again. */
function troubleOf(folder: string, thrown: unknown): IsgError {
  if (thrown instanceof IsgError) return thrown;
  const reason = systemCode(thrown) || (thrown instanceof Error ? thrown.message : String(thrown));
  return new IsgError(
    saysFull(thrown) ? 'disk-full' : 'file-unreadable',
    `The watch folder "${folder}" cannot be used (${reason}). Check that it exists and that this node may write to it; the job is tried again.`,
    { retry: 'transient', cause: thrown, fields: { folder } },
  );
}

async function inFolder<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw troubleOf(folder, thrown);
  }
}

async function openToRead(path: DiskPath): Promise<FileHandle> {
  const handle = await open(path, READ_FLAGS);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' });
}

/** Copies bytes with signs of life: a large file takes longer than a storage may be silent. */
async function copy(from: DiskPath, to: string, context: CallContext): Promise<Stats> {
  const source = await openToRead(from);
  try {
    const target = await open(to, WRITE_FLAGS);
    try {
      const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
      for (let done = 0; ; ) {
        assertNotCancelled(context.signal);
        const { bytesRead } = await source.read(buffer, 0, PIECE_BYTES, done);
        if (bytesRead === 0) return await source.stat();
        await target.writeFile(buffer.subarray(0, bytesRead));
        done += bytesRead;
        context.progress(done);
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

async function place(
  target: DiskPath,
  path: string,
  { useSymlink, context }: { useSymlink: boolean; context: CallContext },
): Promise<ResultOf<'place-original'>> {
  if (useSymlink) {
    await symlink(target, path, 'file');
    return 'symlink';
  }
  try {
    await link(target, path);
    return 'hard-link';
  } catch {
    // Ignored because a copy does as well: the folder lies on another volume, or the file system has no hard links.
    await copy(target, `${path}.isg-part`, context);
    await rename(`${path}.isg-part`, path);
    return 'copy';
  }
}

/**
 * Puts the original into the watch folder: a symbolic link when the settings say so, else a hard link, else a copy that appears
 * when it is complete (reference A.7). One that stands there already is left: it is that of an earlier attempt.
 */
export async function placeOriginal(
  { folder, makeFolder, name, target, useSymlink }: RequestOf<'place-original'>,
  context: CallContext,
): Promise<ResultOf<'place-original'>> {
  const path = join(folder, name);
  const original = typeof target === 'string' ? target : Buffer.from(target);
  return await inFolder(folder, async () => {
    if (makeFolder) await mkdir(folder, { recursive: true });
    return (await isThere(path)) ? 'kept' : await place(original, path, { useSymlink, context });
  });
}

/** The regular files in some folders whose names begin with `prefix`. A folder that is not there has none: the other program makes it when it needs it. */
export async function lookForResults({
  folders,
  prefix,
}: RequestOf<'look-for-results'>): Promise<ResultOf<'look-for-results'>> {
  const found: ResultOf<'look-for-results'> = [];
  for (const folder of folders) {
    const names = await inFolder(folder, () =>
      readdir(folder).catch((thrown: unknown) => {
        if (systemCode(thrown) === 'ENOENT') return [];
        throw thrown;
      }),
    );
    for (const name of names.filter((entry) => entry.startsWith(prefix))) {
      const facts = await lstat(join(folder, name)).catch(() => null);
      if (facts?.isFile()) found.push({ folder, name, sizeBytes: facts.size, mtimeMs: Math.trunc(facts.mtimeMs) });
    }
  }
  return found;
}

/** Copies a result to a place of ours. Throws `file-changed` when it is not the one that was seen. */
export async function takeResult(
  { from, to, sizeBytes, mtimeMs }: RequestOf<'take-result'>,
  context: CallContext,
): Promise<null> {
  const facts = await inFolder(from, () => copy(from, to, context));
  if (facts.size === sizeBytes && Math.trunc(facts.mtimeMs) === mtimeMs) return null;
  const message = `"${from}" changed while it was copied; it is waited for until it is quiet again.`;
  throw new IsgError('file-changed', message, { retry: 'transient' });
}

/** Removes files, then folders in which nothing is left. What is not there is fine. */
export async function clearResults({ files, folders }: RequestOf<'clear-results'>): Promise<null> {
  for (const file of files) await inFolder(file, () => rm(file, { force: true }));
  for (const folder of folders) await rmdir(folder).catch(() => {});
  return null;
}
