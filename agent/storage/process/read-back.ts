/** What the disk holds of a download, compared with what came from the network. */
import { createHash } from 'node:crypto';
import { type FileHandle, lstat } from 'node:fs/promises';
import xxhash from 'xxhash-addon';
import type { DigestResult } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import type { DiskPath } from './disk-path.ts';
import { factsOf, isSameContent, systemCode } from './local-filesystem.ts';
import type { BodyDigests } from './receive-body.ts';

const CHUNK_BYTES = 1024 * 1024;
/** XXH3 with seed 0. The constructor aborts the process when it gets no buffer. */
const SEED = Buffer.alloc(8);

/** A file that was received and is still open. */
export interface ReceivedFile {
  handle: FileHandle;
  absolute: DiskPath;
  /** Relative, for messages. */
  path: string;
}

/**
 * Digests of the file as the disk gives it back. MD5 takes most of the time of a download: when the whole file came in this
 * call (`received`), the fast digest alone is made anew, and where it is that of the bytes that came, their MD5 is the
 * file's. Reads do not block this process: it has other transfers. `changed` when the file, or what stands under its name,
 * is not what it was before the first byte.
 */
export async function readBack(
  file: ReceivedFile,
  received: BodyDigests | null,
  context: CallContext,
): Promise<DigestResult> {
  const { handle, absolute, path } = file;
  const before = await handle.stat({ bigint: true });
  const facts = factsOf(before, path);
  const { xxh128, md5, readBytes } = await digestAll(handle, facts.sizeBytes, { context, wantsMd5: received === null });
  const isSame = isSameContent(await handle.stat({ bigint: true }), before) && (await isThere(absolute, before));
  const changed = !isSame || readBytes !== facts.sizeBytes;
  if (received === null) return { xxh128, md5, facts, changed };
  // Somebody else wrote into the file, or the disk lost something: its own MD5 is to show that.
  if (received.xxh128 !== xxh128) return readBack(file, null, context);
  return { ...received, facts, changed };
}

async function isThere(absolute: DiskPath, before: Parameters<typeof isSameContent>[0]): Promise<boolean> {
  try {
    return isSameContent(await lstat(absolute, { bigint: true }), before);
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

async function digestAll(handle: FileHandle, length: number, how: { context: CallContext; wantsMd5: boolean }) {
  const fast = new xxhash.XXHash128(SEED);
  const md5 = how.wantsMd5 ? createHash('md5') : null;
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(CHUNK_BYTES, length)));
  let readBytes = 0;
  while (readBytes < length) {
    assertNotCancelled(how.context.signal);
    const wanted = Math.min(buffer.length, length - readBytes);
    const { bytesRead } = await handle.read(buffer, 0, wanted, readBytes);
    if (bytesRead === 0) break;
    const bytes = buffer.subarray(0, bytesRead);
    fast.update(bytes);
    md5?.update(bytes);
    readBytes += bytesRead;
    // Progress stays at the full length: what is left is checking.
    how.context.progress(length);
  }
  return { xxh128: fast.digest().toString('hex'), md5: md5?.digest('hex') ?? '', readBytes };
}
