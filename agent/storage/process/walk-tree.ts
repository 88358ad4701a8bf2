/**
 * Walks directories of a storage, level by level, several at a time. Nothing that is found stops it: what cannot be read
 * is reported as such and counted.
 */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { compileSelection, type WalkSelection } from '../ignore-patterns.ts';
import type { WalkSummary } from '../storage-access.ts';
import { ENTRY_KINDS, type RequestOf } from '../storage-messages.ts';
import { joinPath, outermostDirectories } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { containedDirectory } from './contained-path.ts';
import { assertNotCancelled } from './digest-file.ts';
import { classifyFileError, factsOf, systemCode } from './local-filesystem.ts';

/** Entries per message. */
const PART_ENTRIES = 1_024;
/** Entries looked at together when the storage is slow. */
const ENTRIES_AT_ONCE = 32;
/** A look that took less is answered from memory: then synchronous looks are several times faster than waiting for each. */
const FAST_LOOK_MS = 0.2;
/** Synchronous work is interrupted this often for other calls and for a cancel. */
const BREATHE_EVERY_MS = 10;
/** What stands in a name for bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';

interface Walk {
  context: CallContext;
  selection: WalkSelection;
  summary: WalkSummary;
  /** Directories still to be listed, in the order found. */
  queue: string[];
  /** Whether the storage answered the last looks from memory. */
  isFast: boolean;
  breathedAt: number;
  lastListingId: number;
  unnameable: number;
}

/** Walks as asked; sums at the end. Throws `outside-storage` for a root that leads out of the storage, and `cancelled`. */
export async function walkTree(request: RequestOf<'walk'>, context: CallContext): Promise<WalkSummary> {
  const roots = outermostDirectories(request.directories);
  const { selection, invalid } = compileSelection(request, { ignoreCase: process.platform === 'win32' });
  for (const { pattern, reason } of invalid)
    context.warn('a pattern does not compile and is left out', { pattern, reason });
  const walk: Walk = {
    context,
    selection,
    summary: { files: 0, directories: 0, skipped: 0, unreadable: 0 },
    queue: [],
    isFast: false,
    breathedAt: performance.now(),
    lastListingId: 0,
    unnameable: 0,
  };
  for (const root of roots) if (await isListable(walk, root)) walk.queue.push(root);
  await listAll(walk, request.concurrency);
  if (walk.unnameable > 0) {
    context.warn('names that are not valid UTF-8 were skipped', { count: walk.unnameable });
  }
  return walk.summary;
}

/** A root that leads out of the storage is refused; one that cannot be read is reported like any directory. */
async function isListable(walk: Walk, root: string): Promise<boolean> {
  try {
    await containedDirectory(walk.context.mountPoint, root);
    return true;
  } catch (thrown) {
    const error = classifyFileError(thrown, root);
    if (error.code === 'outside-storage') throw error;
    await reportUnreadable(walk, root, error.message);
    return false;
  }
}

/** Lists what is queued, at most `concurrency` at a time, until nothing is left and nobody may find more. */
function listAll(walk: Walk, concurrency: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let active = 0;
  let next = 0;
  const fill = () => {
    while (active < concurrency && next < walk.queue.length) {
      const path = walk.queue[next] ?? '';
      next += 1;
      // The done part of the queue is dropped now and then, so that memory follows the width of the tree.
      if (next > 4_096 && next * 2 > walk.queue.length) {
        walk.queue.splice(0, next);
        next = 0;
      }
      active += 1;
      listDirectory(walk, path).then(() => {
        active -= 1;
        fill();
      }, reject);
    }
    if (active === 0) resolve();
  };
  fill();
  return promise;
}

async function reportUnreadable(walk: Walk, path: string, reason: string): Promise<void> {
  walk.summary.unreadable += 1;
  await walk.context.sendUnreadable(path, reason);
}

async function breathe(walk: Walk): Promise<void> {
  if (performance.now() - walk.breathedAt > BREATHE_EVERY_MS) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    walk.breathedAt = performance.now();
  }
  assertNotCancelled(walk.context.signal);
}

async function listDirectory(walk: Walk, path: string): Promise<void> {
  await breathe(walk);
  const absolute = join(walk.context.mountPoint, path);
  let names: string[];
  try {
    names = await readNames(walk, absolute);
  } catch (thrown) {
    assertNotCancelled(walk.context.signal);
    return reportUnreadable(walk, path, classifyFileError(thrown, path).message);
  }
  const { found, failed } = await lookAtAll(walk, { path, absolute, names });
  if (failed.length > 0 && found.length === 0) return reportUnreadable(walk, path, failed[0]?.reason ?? '');
  // Before the listing, so that nobody takes them for absent when it comes.
  for (const entry of failed) await reportUnreadable(walk, joinPath(path, entry.name), entry.reason);
  walk.summary.directories += 1;
  await sendListing(walk, path, found);
}

async function readNames(walk: Walk, absolute: string): Promise<string[]> {
  if (walk.isFast) return readdirSync(absolute);
  const names: string[] = [];
  for await (const entry of await opendir(absolute, { bufferSize: 512 })) {
    names.push(entry.name);
    if (names.length % 4_096 === 0) {
      walk.context.progress(walk.summary.files + names.length);
      assertNotCancelled(walk.context.signal);
    }
  }
  return names;
}

interface Look {
  name: string;
  stats: BigIntStats;
}

interface FailedLook {
  name: string;
  reason: string;
}

/** Looks at every entry that the selection leaves in. Entries that are gone by now are left out. */
async function lookAtAll(
  walk: Walk,
  directory: { path: string; absolute: string; names: string[] },
): Promise<{ found: Look[]; failed: FailedLook[] }> {
  const found: Look[] = [];
  const failed: FailedLook[] = [];
  const doubtful = new Set<string>();
  const settle = (name: string, outcome: BigIntStats | Error) => {
    if (!(outcome instanceof Error)) return keepOrSkip(walk, directory.path, { name, stats: outcome }, found);
    if (systemCode(outcome) !== 'ENOENT') {
      failed.push({ name, reason: classifyFileError(outcome, joinPath(directory.path, name)).message });
    } else if (name.includes(REPLACEMENT)) {
      walk.summary.skipped += 1;
      walk.unnameable += 1;
    }
  };
  const names = directory.names.filter((name) => {
    if (!name.includes(REPLACEMENT)) return true;
    // Several names of invalid bytes may read the same: only the first is looked for, the others cannot be named.
    const isRepeated = doubtful.has(name);
    doubtful.add(name);
    if (isRepeated) {
      walk.summary.skipped += 1;
      walk.unnameable += 1;
    }
    return !isRepeated;
  });
  for (let at = 0; at < names.length; ) {
    const startedAt = performance.now();
    const first = names[at] ?? '';
    settle(first, lookNow(join(directory.absolute, first)));
    walk.isFast = performance.now() - startedAt < FAST_LOOK_MS;
    at += 1;
    if (!walk.isFast) {
      const together = names.slice(at, at + ENTRIES_AT_ONCE);
      const outcomes = await Promise.all(together.map((name) => look(join(directory.absolute, name))));
      together.forEach((name, index) => {
        settle(name, outcomes[index] ?? new Error('no outcome'));
      });
      at += together.length;
      walk.context.progress(walk.summary.files + found.length);
    }
    if (at % ENTRIES_AT_ONCE === 0 || !walk.isFast) await breathe(walk);
  }
  return { found, failed };
}

function lookNow(absolute: string): BigIntStats | Error {
  try {
    return lstatSync(absolute, { bigint: true });
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

async function look(absolute: string): Promise<BigIntStats | Error> {
  try {
    return await lstat(absolute, { bigint: true });
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

function keepOrSkip(walk: Walk, directory: string, look: Look, found: Look[]): void {
  const path = joinPath(directory, look.name);
  const isDirectory = look.stats.isDirectory();
  if (isDirectory ? walk.selection.skipsDirectory(path) : walk.selection.skipsEntry(path)) {
    walk.summary.skipped += 1;
    return;
  }
  found.push(look);
  if (isDirectory) walk.queue.push(path);
  else if (look.stats.isFile()) walk.summary.files += 1;
}

/** Sends a listing in parts, each when there is room for it. */
async function sendListing(walk: Walk, path: string, found: readonly Look[]): Promise<void> {
  walk.lastListingId += 1;
  const listingId = walk.lastListingId;
  for (let at = 0; at === 0 || at < found.length; at += PART_ENTRIES) {
    const part = found.slice(at, at + PART_ENTRIES);
    await walk.context.sendPart({
      listingId,
      path,
      names: part.map((entry) => entry.name),
      kinds: Uint8Array.from(part, (entry) => ENTRY_KINDS.indexOf(factsOf(entry.stats).kind)),
      sizes: Float64Array.from(part, (entry) => Number(entry.stats.size)),
      mtimesNs: BigInt64Array.from(part, (entry) => entry.stats.mtimeNs),
      fileIds: BigUint64Array.from(part, (entry) => entry.stats.ino),
      last: at + PART_ENTRIES >= found.length,
    });
    assertNotCancelled(walk.context.signal);
  }
}
