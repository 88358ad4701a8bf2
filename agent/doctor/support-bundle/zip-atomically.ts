import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { IsgError } from '../../runtime/errors.ts';

/** One file of the zip: its name in it, and its content, which is made when its turn comes. */
export interface ZipEntry {
  name: string;
  content: () => Promise<string>;
}

/** Where the zip goes. */
export interface ZipTarget {
  /** Absolute path. A file that is there is replaced, but only by a whole zip. */
  file: string;
  signal: AbortSignal;
  /** Told before each entry. */
  onEntry: (name: string) => void;
  /** Opens the file that is written first; replaced only in tests. */
  open?: (path: string) => Writable;
}

const WORDS: Partial<Record<string, string>> = {
  ENOSPC: 'there is no room left on the disk. Free some, or choose another folder',
  EDQUOT: 'your quota on that disk is used up. Free some room, or choose another folder',
  EACCES: 'this user may not write there. Choose another folder',
  EPERM: 'this user may not write there. Choose another folder',
  EROFS: 'that disk is read-only. Choose another folder',
  ENOENT: 'there is no such folder. Choose another one',
  ENOTDIR: 'there is no such folder. Choose another one',
  EISDIR: 'a folder has that name. Choose another name',
};

function failure(thrown: unknown, file: string): IsgError {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const why =
    WORDS[code] ?? `${thrown instanceof Error ? thrown.message : 'unknown'}. Try again, or choose another folder`;
  const errorCode = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'unexpected';
  return new IsgError(errorCode, `The support bundle ${file} was not written: ${why}. Nothing was left behind.`, {
    retry: 'transient',
    cause: thrown,
  });
}

/**
 * Writes a zip under a name of its own beside the target and renames it when it is whole, so that there is a whole file or
 * none. Only its owner may read it. Throws an `IsgError` in words, or the signal's reason; leaves nothing behind then.
 */
export async function zipAtomically(entries: readonly ZipEntry[], target: ZipTarget): Promise<void> {
  const { file, signal, onEntry, open = (path) => createWriteStream(path, { mode: 0o600 }) } = target;
  const part = `${file}.part`;
  const zip = new ZipFile();
  for (const { name, content } of entries) {
    zip.addReadStreamLazy(name, { mode: 0o100600 }, (done) => {
      onEntry(name);
      content().then(
        (text) => done(null, Readable.from([Buffer.from(text)])),
        (thrown: unknown) => zip.emit('error', thrown),
      );
    });
  }
  zip.end();
  const broken = new AbortController();
  zip.once('error', (thrown: unknown) => broken.abort(thrown));
  try {
    await pipeline(zip.outputStream, open(part), { signal: AbortSignal.any([signal, broken.signal]) });
    await rename(part, file);
  } catch (thrown) {
    await rm(part, { force: true }).catch(() => undefined);
    signal.throwIfAborted();
    throw failure(broken.signal.aborted ? broken.signal.reason : thrown, file);
  }
}
