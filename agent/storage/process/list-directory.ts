/**
 * Lists one directory: looks at every entry, leaves out what the selection skips, and puts the rest into columns with a
 * fingerprint over them. Runs in the storage process itself or in one of its walk threads.
 */

import { isUtf8 } from 'node:buffer';
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { lstat, opendir, readdir } from 'node:fs/promises';
import xxhash from 'xxhash-addon';
import { mayBeLitter, type WalkSelection } from '../ignore-patterns.ts';
import { legibleName, mayStandForBytes } from '../odd-name.ts';
import { isIndexable, joinPath, pathSegments } from '../storage-path.ts';
import { type DiskPath, diskPath, entryPath } from './disk-path.ts';
import { classifyFileError, isCountable, mtimeNsOf, systemCode, uncountable } from './local-filesystem.ts';

/** Entries looked at together. */
const ENTRIES_AT_ONCE = 32;
/** A group of looks that took less is answered from memory: then synchronous looks are several times faster. */
const FAST_GROUP_MS = ENTRIES_AT_ONCE * 0.2;
/** Entries that the columns of a lister have room for at least. */
const SCRATCH_ENTRIES = 4_096;
/** What stands in a name for bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';
/** XXH3 with seed 0. The constructor aborts the process when it gets no buffer. */
const SEED = Buffer.alloc(8);

const FILE = 0;
const DIRECTORY = 1;
const SYMLINK = 2;
const OTHER = 3;

/** Entries of a directory by columns; `kinds` index into `ENTRY_KINDS`, names are in the order of their code units. */
export interface EntryColumns {
  names: string[];
  kinds: Uint8Array;
  /** 0 for directories, like their times: theirs change with what happens inside them, which says nothing here. */
  sizes: Float64Array;
  mtimesNs: BigInt64Array;
  fileIds: BigUint64Array;
}

/** What became of one directory. */
export type ListOutcome =
  | { kind: 'unreadable'; path: string; reason: string }
  | {
      kind: 'listed';
      path: string;
      /** Over path and columns; null when an entry could not be looked at, so that nothing may rely on it. */
      fingerprint: string | null;
      /** null: the fingerprint is the expected one. */
      columns: EntryColumns | null;
      /** Names of directories in it. */
      children: string[];
      /** Names of what is neither file nor directory. */
      others: string[];
      failed: { path: string; reason: string }[];
      files: number;
      /** Left out by the selection, unnameable, and of an unchanged directory what is no file of the index. */
      skipped: number;
      unnameable: number;
    };

/** How a lister works. */
export interface ListerOptions {
  mountPoint: string;
  selection: WalkSelection;
  /** Called every few entries with how many were looked at in the call so far: says that the work lives, throws when it shall stop. */
  step(entries: number): Promise<void> | null;
}

/** Lists directories one after the other; remembers whether the storage answers from memory. */
export class DirectoryLister {
  readonly #options: ListerOptions;
  #isFast = false;
  /** One for each directory listed at a time. */
  readonly #free: ScratchColumns[] = [];

  constructor(options: ListerOptions) {
    this.#options = options;
  }

  /** Lists `path`; without columns when its fingerprint is `expected`. Throws only what `step` throws. */
  async list(path: string, expected: string | null): Promise<ListOutcome> {
    let absolute: DiskPath = path === '' ? this.#options.mountPoint : `${this.#options.mountPoint}/${path}`;
    let names: string[];
    let spelled: SpelledNames = PLAIN;
    try {
      if (mayStandForBytes(path)) absolute = await diskPath(this.#options.mountPoint, pathSegments(path));
      names = await this.#readNames(absolute);
      if (names.some((name) => name.includes(REPLACEMENT))) {
        spelled = spellOut(await readdir(absolute, { encoding: 'buffer' }));
        names = spelled.names;
      }
      names.sort();
    } catch (thrown) {
      await this.#options.step(0);
      return { kind: 'unreadable', path, reason: classifyFileError(thrown, path).message };
    }
    const columns = this.#free.pop() ?? new ScratchColumns();
    columns.reserve(names.length);
    const found = new Findings(path, columns, this.#options.selection);
    found.skipUnnameable(spelled.unnameable);
    const distinct = found.dropRepeated(names);
    await this.#lookAtAll((name) => entryPath(absolute, spelled.bytes.get(name) ?? name), distinct, found);
    const outcome = found.outcome(expected);
    this.#free.push(columns);
    return outcome;
  }

  async #readNames(absolute: DiskPath): Promise<string[]> {
    if (this.#isFast) return readdirSync(absolute);
    const names: string[] = [];
    for await (const entry of await opendir(absolute, { bufferSize: 512 })) {
      names.push(entry.name);
      if (names.length % 4_096 === 0) await this.#options.step(names.length);
    }
    return names;
  }

  async #lookAtAll(where: (name: string) => DiskPath, names: readonly string[], found: Findings): Promise<void> {
    for (let at = 0; at < names.length; ) {
      const startedAt = performance.now();
      // The first of a slow storage is looked at alone: a group of synchronous looks would block for all of them.
      const end = Math.min(names.length, at + (this.#isFast ? ENTRIES_AT_ONCE : 1));
      const count = end - at;
      for (; at < end; at += 1) {
        const name = names[at] ?? '';
        found.take(name, lookNow(where(name)));
      }
      this.#isFast = performance.now() - startedAt < (FAST_GROUP_MS * count) / ENTRIES_AT_ONCE;
      if (!this.#isFast) {
        const together = names.slice(at, at + ENTRIES_AT_ONCE);
        const looks = await Promise.all(together.map((name) => look(where(name))));
        for (const [index, name] of together.entries()) found.take(name, looks[index] ?? new Error('no outcome'));
        at += together.length;
      }
      const pause = this.#options.step(at);
      if (pause) await pause;
    }
  }
}

/** Names of a directory in which some are not UTF-8. */
interface SpelledNames {
  names: string[];
  /** What legible names stand for. */
  bytes: ReadonlyMap<string, Buffer>;
  /** Entries without a legible name of their own. */
  unnameable: number;
}

const PLAIN: SpelledNames = { names: [], bytes: new Map(), unnameable: 0 };

function spellOut(entries: readonly Buffer[]): SpelledNames {
  const plain = new Set(entries.filter((entry) => isUtf8(entry)).map((entry) => entry.toString('utf8')));
  const bytes = new Map<string, Buffer>();
  let unnameable = 0;
  for (const entry of entries) {
    if (isUtf8(entry)) continue;
    const name = legibleName(entry);
    if (name === null || plain.has(name)) unnameable += 1;
    else bytes.set(name, entry);
  }
  return { names: [...plain, ...bytes.keys()], bytes, unnameable };
}

function lookNow(absolute: DiskPath): BigIntStats | Error {
  try {
    return lstatSync(absolute, { bigint: true });
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

async function look(absolute: DiskPath): Promise<BigIntStats | Error> {
  try {
    return await lstat(absolute, { bigint: true });
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

function kindOf(stats: BigIntStats): number {
  if (stats.isFile()) return FILE;
  if (stats.isDirectory()) return DIRECTORY;
  return stats.isSymbolicLink() ? SYMLINK : OTHER;
}

/** Columns that are filled anew for each directory: most directories are unchanged, and then nothing is kept of them. */
class ScratchColumns {
  kinds = new Uint8Array(0);
  sizes = new Float64Array(0);
  mtimesNs = new BigInt64Array(0);
  fileIds = new BigUint64Array(0);

  /** Room for `entries`; what a huge directory needed is given back with the next small one. */
  reserve(entries: number): void {
    const capacity = this.kinds.length;
    if (capacity >= entries && capacity <= Math.max(SCRATCH_ENTRIES, entries)) return;
    const room = Math.max(SCRATCH_ENTRIES, entries);
    this.kinds = new Uint8Array(room);
    this.sizes = new Float64Array(room);
    this.mtimesNs = new BigInt64Array(room);
    this.fileIds = new BigUint64Array(room);
  }

  /** The first `names.length` entries; valid until the next directory. */
  view(names: string[]): EntryColumns {
    const count = names.length;
    return {
      names,
      kinds: this.kinds.subarray(0, count),
      sizes: this.sizes.subarray(0, count),
      mtimesNs: this.mtimesNs.subarray(0, count),
      fileIds: this.fileIds.subarray(0, count),
    };
  }
}

/** What was found in one directory so far. */
class Findings {
  readonly #path: string;
  readonly #pathBytes: number;
  readonly #selection: WalkSelection;
  readonly #columns: ScratchColumns;
  readonly #names: string[] = [];
  #children: string[] = [];
  readonly #others: string[] = [];
  readonly #failed: { path: string; reason: string }[] = [];
  #files = 0;
  #skipped = 0;
  #unnameable = 0;

  constructor(path: string, columns: ScratchColumns, selection: WalkSelection) {
    this.#path = path;
    this.#pathBytes = Buffer.byteLength(path);
    this.#selection = selection;
    this.#columns = columns;
  }

  skipUnnameable(entries: number): void {
    this.#skipped += entries;
    this.#unnameable += entries;
  }

  /** A name that is listed twice (some file servers do, while a directory changes) is looked at once. */
  dropRepeated(sorted: readonly string[]): readonly string[] {
    if (!sorted.some((name, index) => name === sorted[index - 1])) return sorted;
    const distinct = sorted.filter((name, index) => name !== sorted[index - 1]);
    return distinct;
  }

  /** Entries that are gone by now are left out. */
  take(name: string, outcome: BigIntStats | Error): void {
    if (!(outcome instanceof Error)) this.#keepOrSkip(name, outcome);
    else if (systemCode(outcome) !== 'ENOENT') {
      this.#fail(name, (path) => classifyFileError(outcome, path).message);
    }
  }

  #fail(name: string, reason: (path: string) => string): void {
    const path = joinPath(this.#path, name);
    this.#failed.push({ path, reason: reason(path) });
  }

  #keepOrSkip(name: string, stats: BigIntStats): void {
    const kind = kindOf(stats);
    const isDirectory = kind === DIRECTORY;
    if ((this.#selection.hasPatterns || mayBeLitter(name)) && this.#isLeftOut(name, isDirectory)) {
      this.#skipped += 1;
      return;
    }
    if (!isIndexable(this.#pathBytes, this.#path, name)) {
      this.#fail(name, () => 'its path is longer than the 2,400 bytes that the index takes');
      return;
    }
    if (kind === FILE && !isCountable(stats)) {
      this.#fail(name, (path) => uncountable(path).message);
      return;
    }
    const index = this.#names.length;
    const { kinds, sizes, mtimesNs, fileIds } = this.#columns;
    this.#names.push(name);
    kinds[index] = kind;
    fileIds[index] = stats.ino;
    sizes[index] = isDirectory ? 0 : Number(stats.size);
    mtimesNs[index] = isDirectory ? 0n : mtimeNsOf(stats);
    if (isDirectory) this.#children.push(name);
    else if (kind === FILE) this.#files += 1;
    else this.#others.push(name);
  }

  #isLeftOut(name: string, isDirectory: boolean): boolean {
    const path = joinPath(this.#path, name);
    return isDirectory ? this.#selection.skipsDirectory(path) : this.#selection.skipsEntry(path);
  }

  outcome(expected: string | null): ListOutcome {
    const failed = this.#failed;
    const first = failed[0];
    if (first && this.#names.length === 0) return { kind: 'unreadable', path: this.#path, reason: first.reason };
    const columns = this.#columns.view(this.#names);
    const fingerprint = failed.length === 0 ? fingerprintOf(this.#path, columns) : null;
    const isUnchanged = fingerprint !== null && fingerprint === expected;
    if (isUnchanged) this.#skipped += this.#others.length;
    return {
      kind: 'listed',
      path: this.#path,
      fingerprint,
      columns: isUnchanged ? null : copyOf(columns),
      children: this.#children,
      others: this.#others,
      failed,
      files: this.#files,
      skipped: this.#skipped,
      unnameable: this.#unnameable,
    };
  }
}

function copyOf({ names, kinds, sizes, mtimesNs, fileIds }: EntryColumns): EntryColumns {
  return {
    names,
    kinds: kinds.slice(),
    sizes: sizes.slice(),
    mtimesNs: mtimesNs.slice(),
    fileIds: fileIds.slice(),
  };
}

const bytesOf = (column: Uint8Array | Float64Array | BigInt64Array | BigUint64Array) =>
  Buffer.from(column.buffer, column.byteOffset, column.byteLength);

/** 32 hex digits over the path and all columns: two directories with one fingerprint hold the same, as far as a look tells. */
function fingerprintOf(path: string, columns: EntryColumns): string {
  const hash = new xxhash.XXHash128(SEED);
  hash.update(Buffer.from(`${path}\0${columns.names.join('\0')}`));
  for (const column of [columns.kinds, columns.sizes, columns.mtimesNs, columns.fileIds]) {
    if (column.length > 0) hash.update(bytesOf(column));
  }
  return hash.digest().toString('hex');
}
