import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { type FileHandle, lstat } from 'node:fs/promises';
import { IsgError } from '../../runtime/errors.ts';
import type { DigestRange } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import { openFileInside } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { isAsExpected } from './local-filesystem.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Bytes between two pauses in which a cancel can be heard: some 20 ms of hashing. */
const PAUSE_EVERY_BYTES = 8 * CHUNK_BYTES;

/**
 * Digest of a range of a file, in hex. Throws `file-changed` unless the file looks as expected before the first byte and
 * after the last, so that a digest never describes two states of it.
 */
export async function digestRange(range: DigestRange, context: CallContext): Promise<string> {
  const { handle, absolute } = await openFileInside(context.mountPoint, range.path);
  try {
    await assertUnchanged(handle, absolute, range);
    const digest = await digestBytes(handle.fd, range, context);
    await assertUnchanged(handle, absolute, range);
    return digest;
  } finally {
    await handle.close();
  }
}

async function assertUnchanged(handle: FileHandle, absolute: DiskPath, range: DigestRange): Promise<void> {
  const looks = [await handle.stat({ bigint: true }), await lstat(absolute, { bigint: true })];
  if (!looks.every((stats) => isAsExpected(stats, range.expected))) throw changed(range.path);
}

async function digestBytes(fd: number, range: DigestRange, context: CallContext): Promise<string> {
  const hash = createHash(range.algorithm);
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(CHUNK_BYTES, range.lengthBytes)));
  let doneBytes = 0;
  let pausedAtBytes = 0;
  while (doneBytes < range.lengthBytes) {
    const wanted = Math.min(buffer.length, range.lengthBytes - doneBytes);
    const got = readSync(fd, buffer, 0, wanted, range.offsetBytes + doneBytes);
    if (got === 0) throw changed(range.path);
    hash.update(buffer.subarray(0, got));
    doneBytes += got;
    context.progress(doneBytes);
    if (doneBytes - pausedAtBytes < PAUSE_EVERY_BYTES) continue;
    pausedAtBytes = doneBytes;
    await new Promise<void>((resolve) => setImmediate(resolve));
    assertNotCancelled(context.signal);
  }
  return hash.digest('hex');
}

function changed(path: string): IsgError {
  const message = `${JSON.stringify(path)} changed since it was recorded; its digest was not taken. The scan will find the new state.`;
  return new IsgError('file-changed', message, { retry: 'permanent', fields: { path } });
}
