import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { type FileHandle, lstat } from 'node:fs/promises';
import xxhash from 'xxhash-addon';
import type { DigestResult } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import { containedEntry, openFileForReading } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { factsOf, isSameContent, systemCode } from './local-filesystem.ts';

/** Large enough that the system call costs nothing, small enough to be hashed while still in the processor's cache. */
const CHUNK_BYTES = 1024 * 1024;
/** Between two pauses in which a cancel can be heard. */
const PAUSE_EVERY_MS = 20;
const PROGRESS_EVERY_MS = 250;
/** XXH3 with seed 0. The constructor aborts the process when it gets no buffer. */
const SEED = Buffer.alloc(8);

async function isStillThere(absolute: DiskPath, before: Awaited<ReturnType<typeof lookAt>>): Promise<boolean> {
  try {
    return isSameContent(await lstat(absolute, { bigint: true }), before);
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

function lookAt(handle: FileHandle) {
  return handle.stat({ bigint: true });
}

/**
 * Reads a file once, by synchronous reads into one buffer (this process has nothing else to do), and feeds both digests.
 * Reads at most the length found at the start, so that a growing file ends. `changed` when the file, or what stands under
 * its name, is not what it was before the first byte.
 */
export async function digestFile(path: string, context: CallContext): Promise<DigestResult> {
  const absolute = await containedEntry(context.mountPoint, path);
  const handle = await openFileForReading(absolute, path);
  try {
    const before = await lookAt(handle);
    const facts = factsOf(before, path);
    const length = facts.sizeBytes;
    const { xxh128, md5, readBytes } = await digestBytes(handle.fd, length, context);
    const same = isSameContent(await lookAt(handle), before) && (await isStillThere(absolute, before));
    return { xxh128, md5, facts, changed: !same || readBytes !== length };
  } finally {
    await handle.close();
  }
}

async function digestBytes(fd: number, length: number, context: CallContext) {
  const fast = new xxhash.XXHash128(SEED);
  const md5 = createHash('md5');
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(CHUNK_BYTES, length)));
  let readBytes = 0;
  let pausedAt = performance.now();
  let toldAt = pausedAt;
  while (readBytes < length) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, length - readBytes), readBytes);
    if (got === 0) break;
    const bytes = got === buffer.length ? buffer : buffer.subarray(0, got);
    fast.update(bytes);
    md5.update(bytes);
    readBytes += got;
    const now = performance.now();
    if (now - toldAt >= PROGRESS_EVERY_MS) {
      context.progress(readBytes);
      toldAt = now;
    }
    if (now - pausedAt >= PAUSE_EVERY_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      assertNotCancelled(context.signal);
      pausedAt = performance.now();
    }
  }
  context.progress(readBytes);
  return { xxh128: fast.digest().toString('hex'), md5: md5.digest('hex'), readBytes };
}
