import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type ChildGuard, createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { createLogger, type LogRecord } from '../../../agent/runtime/logger.ts';
import { createStorageAccess, type StorageLimits } from '../../../agent/storage/create-storage-access.ts';
import type { DirectoryListing, StorageAccess, WalkOptions } from '../../../agent/storage/storage-access.ts';

/** Storages of one test file: each a fresh directory, ended and removed after the file. */
export interface StorageFixture {
  guard(): ChildGuard;
  records: LogRecord[];
  directory(): Promise<string>;
  /** Access to a directory; a fresh one with its marker when none is given. */
  open(mountPoint?: string, limits?: Partial<StorageLimits>): Promise<StorageAccess>;
}

/** Registers set-up and clean-up of a test file that uses storages. */
export function useStorages(): StorageFixture {
  const records: LogRecord[] = [];
  const log = createLogger([(record) => records.push(record)], () => 0);
  const open: StorageAccess[] = [];
  const directories: string[] = [];
  let guard: ChildGuard;
  beforeAll(async () => {
    guard = await createChildGuard();
  });
  afterAll(async () => {
    await Promise.all(open.map((storage) => storage.stop()));
    await guard.stop();
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  });
  const directory = async () => {
    const made = await realpath(await mkdtemp(join(tmpdir(), 'isg-pro-storage-')));
    directories.push(made);
    return made;
  };
  return {
    guard: () => guard,
    records,
    directory,
    async open(mountPoint, limits) {
      const storage = createStorageAccess({
        storageId: `storage-${open.length}`,
        mountPoint: mountPoint ?? (await directory()),
        guard,
        log,
        ...(limits ? { limits } : {}),
      });
      open.push(storage);
      if (mountPoint === undefined) await storage.placeMarker();
      return storage;
    },
  };
}

/** Walks and collects; defaults: the whole storage, nothing ignored, two directories at once. */
export async function collectWalk(storage: StorageAccess, options: Partial<WalkOptions> = {}) {
  const listings: DirectoryListing[] = [];
  const all = { directories: [], ignore: [], include: [], concurrency: 2, ...options };
  const onDirectory = async (listing: DirectoryListing) => {
    listings.push(listing);
  };
  const summary = await storage.walk(all, onDirectory, new AbortController().signal);
  const paths = listings.flatMap((listing) =>
    listing.kind === 'listed'
      ? listing.entries.map((entry) => (listing.path === '' ? entry.name : `${listing.path}/${entry.name}`))
      : [],
  );
  return { listings, summary, paths: paths.sort() };
}

/** An error of ours with this code, for `rejects`. */
export function withCode(code: string, retry?: 'transient' | 'permanent') {
  return expect.objectContaining(retry ? { name: 'IsgError', code, retry } : { name: 'IsgError', code });
}

/** Looks again and again until `holds`, at most `deadlineMs`. */
export async function until(holds: () => boolean | Promise<boolean>, deadlineMs: number): Promise<void> {
  const since = performance.now();
  while (!(await holds())) {
    if (performance.now() - since > deadlineMs) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Children of this process that have not been reaped (Linux). */
export function childPids(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

/** What a process has open (Linux); nothing for one that is gone. */
export function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkTarget(`/proc/${pid}/fd/${fd}`));
  } catch {
    // Ended meanwhile.
    return [];
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return '';
  }
}

/** Whether a process runs; a zombie does not (Linux). */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    // No such process.
    return false;
  }
}
