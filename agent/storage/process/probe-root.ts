import { open, opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProbeResult } from '../storage-access.ts';
import { saysFull, systemCode } from './local-filesystem.ts';
import { isRootEmpty, OWN_PREFIX, readMarker } from './root-marker.ts';

const PROBE_PREFIX = `${OWN_PREFIX}probe-`;
/** A probe file this much older than a fresh one was left by a process that was killed. */
const STALE_MS = 10 * 60_000;
/** Stale probe files are looked for only among this many first entries: the probe must stay cheap in a huge root. */
const STALE_LOOK_ENTRIES = 1_000;

/** What stands at the mount point. Never throws. */
export async function probeRoot(
  root: { mountPoint: string; storageId: string },
  options: { testWrite: boolean },
): Promise<ProbeResult> {
  const unreachable = (reason: 'absent' | 'not-a-directory' | 'unreadable', detail: string): ProbeResult => {
    return { kind: 'unreachable', reason, detail };
  };
  try {
    if (!(await stat(root.mountPoint)).isDirectory()) {
      return unreachable('not-a-directory', 'The mount point is not a directory.');
    }
    const marker = await readMarker(root.mountPoint, root.storageId);
    const empty = await isRootEmpty(root.mountPoint);
    return { kind: 'reachable', marker, empty, writable: options.testWrite ? await testWrite(root.mountPoint) : null };
  } catch (thrown) {
    const code = systemCode(thrown) || String(thrown);
    if (code === 'ENOENT') return unreachable('absent', 'The mount point does not exist.');
    if (code === 'ENOTDIR') return unreachable('not-a-directory', 'The path of the mount point leads through a file.');
    return unreachable('unreadable', `The mount point cannot be read (${code}).`);
  }
}

/**
 * Makes, syncs and removes a small file; false when the storage refuses any of it (read-only, no rights). A full one is
 * not out of order: its files can be read and, above all, deleted. What needs room says itself that there is none.
 */
async function testWrite(mountPoint: string): Promise<boolean> {
  // Another probe may be at it: of a node with the same process id, or of this one, which was given up and goes on.
  const path = join(mountPoint, `${PROBE_PREFIX}${process.pid}-${unlikelyTwice()}`);
  try {
    const handle = await open(path, 'w', 0o644);
    let writtenAtMs: number;
    try {
      await handle.writeFile('isg-pro\n');
      await handle.sync();
      writtenAtMs = (await handle.stat()).mtimeMs;
    } finally {
      await handle.close();
    }
    await unlink(path);
    await removeStale(mountPoint, writtenAtMs);
    return true;
  } catch (thrown) {
    // Any other refusal is the answer; what the mount itself is was found before.
    await unlink(path).catch(() => undefined);
    return saysFull(thrown);
  }
}

/** 52 random bits; `node:crypto` would take 2 MB of this process for nothing else. */
const unlikelyTwice = (): string => Math.random().toString(36).slice(2);

/** Ages are compared on the file server's own clock. */
async function removeStale(mountPoint: string, nowMs: number): Promise<void> {
  let looked = 0;
  for await (const entry of await opendir(mountPoint)) {
    looked += 1;
    if (looked > STALE_LOOK_ENTRIES) return;
    if (!entry.name.startsWith(PROBE_PREFIX)) continue;
    const path = join(mountPoint, entry.name);
    try {
      if (nowMs - (await stat(path)).mtimeMs > STALE_MS) await unlink(path);
    } catch {
      // Another node was faster.
    }
  }
}
