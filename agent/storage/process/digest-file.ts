import type { FileHandle } from 'node:fs/promises';
import { lstat } from 'node:fs/promises';
import type { DigestResult } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import { openFileInside } from './contained-path.ts';
import { createRingMemory } from './digest-ring.ts';
import { runInThread, underControl } from './digest-threads.ts';
import type { DiskPath } from './disk-path.ts';
import { factsOf, isSameContent, systemCode } from './local-filesystem.ts';

/** From this size on MD5 is worth a thread of its own beside the one that reads. */
const RING_FROM_BYTES = 2 * 1024 * 1024;

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
 * Reads a file once and computes both digests of it, in threads beside this one: one reads and computes the fast digest,
 * one computes MD5 of the same memory. Reads at most the length found at the start, so that a growing file ends.
 * `changed` when the file, or what stands under its name, is not what it was before the first byte.
 */
export async function digestFile(
  path: string,
  context: CallContext,
  bytesPerSecond: number | null = null,
): Promise<DigestResult> {
  const { handle, absolute } = await openFileInside(context.mountPoint, path);
  try {
    const before = await lookAt(handle);
    const facts = factsOf(before, path);
    const source = { fd: handle.fd, lengthBytes: facts.sizeBytes, path, bytesPerSecond };
    const { xxh128, md5, readBytes } = await digestOpenFile(source, context);
    const same = isSameContent(await lookAt(handle), before) && (await isStillThere(absolute, before));
    return { xxh128, md5, facts, changed: !same || readBytes !== facts.sizeBytes };
  } finally {
    await handle.close();
  }
}

async function digestOpenFile(
  source: { fd: number; lengthBytes: number; path: string; bytesPerSecond: number | null },
  context: CallContext,
): Promise<{ xxh128: string; md5: string; readBytes: number }> {
  assertNotCancelled(context.signal);
  const inRing = source.lengthBytes >= RING_FROM_BYTES;
  const ring = inRing ? createRingMemory() : null;
  const found = await underControl(context, ({ memory: control }) => {
    const read = runInThread<'read'>(0, { kind: 'read', ...source, control, ring });
    const sum = ring ? runInThread<'md5'>(1, { kind: 'md5', control, ring }) : read;
    return [Promise.all([read, sum]), read, sum] as const;
  });
  const [{ readBytes, xxh128 }, { md5 }] = found;
  context.progress(readBytes);
  return { readBytes, xxh128, md5: md5 ?? '' };
}
