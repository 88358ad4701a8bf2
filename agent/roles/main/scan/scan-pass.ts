import type { WrittenDirectory } from '../../../db/queries/directory-fingerprint.ts';
import {
  promoteQuiet,
  readFingerprints,
  readGenerations,
  voidFingerprints,
} from '../../../db/queries/directory-fingerprint.ts';
import { LEADER_LIMITS, withLeaderFence } from '../../../db/queries/fence.ts';
import type { IndexedFileRow } from '../../../db/queries/storage-file.ts';
import {
  applyChanges,
  applyWithFingerprints,
  readDirectories,
  refreshFileStatistics,
} from '../../../db/queries/storage-file.ts';
import type { Storage } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Database } from '../../../runtime/sql.ts';
import type {
  DirectoryListing,
  StorageAccess,
  UnchangedDirectory,
  WalkSummary,
} from '../../../storage/storage-access.ts';
import { joinPath, pathKey } from '../../../storage/storage-path.ts';
import type { Exclusive } from './exclusive.ts';
import type { DirectoryKnowledge, FileChange } from './scan-plan.ts';
import { planDirectory } from './scan-plan.ts';
import { growingThresholdS } from './scan-settings.ts';
import { TwinDirectories } from './twin-directories.ts';

/** Rows of one statement: small enough to hold the fence's row lock only for a moment. */
const MAX_CHANGES_PER_STATEMENT = 1000;
/** A batch is compared when it has this many entries … */
const BATCH_ENTRIES = 4000;
/** … or this many directories. */
const BATCH_DIRECTORIES = 100;
/** Candidates for missing kept in memory; what is beyond is found again by the next pass. */
const MAX_CANDIDATES = 50_000;
/** Rows written in one pass after which the planner is told of them first, and by how much more each further time. */
const STATISTICS = { fromRows: 10_000, factor: 4 };

/** What one pass works with. */
export interface PassContext {
  database: Database;
  leadership: Leadership;
  storage: Storage;
  access: StorageAccess;
  /** Directories read at once. */
  walkers: number;
  /** Set where passes and looks at parts go on beside each other: comparing and writing is then done by one at a time. */
  exclusive?: Exclusive;
  /** What is looked at; default: all scan directories and what is in them. */
  look?: LookAt;
  /** Hears now and then how many files the walk has seen. */
  onProgress?: (files: number) => void;
}

/** A part of a storage. */
export interface LookAt {
  directories: readonly string[];
  /** Whether also all that is below them. */
  isDeep: boolean;
}

/** What one walk over a storage found and did. */
export interface PassResult {
  summary: WalkSummary;
  /** Entries that are no regular files, or have no name of their own, in directories that were compared. */
  skipped: number;
  changed: number;
  /** Rows whose file was not listed; nothing is proven yet. */
  candidates: IndexedFileRow[];
  known: DirectoryKnowledge;
  /** First directory that could not be listed, in words. */
  unreadable: string | null;
  /** Directories whose rows changed, at most 2,000. */
  touched: string[];
  /** When only a part was looked at: what was listed there, and the directories it named; at most 2,000 each. */
  listed: string[];
  named: string[];
}

type Listed = Extract<DirectoryListing, { kind: 'listed' }>;

/** One directory of a batch, compared. */
interface Compared {
  changes: FileChange[];
  /** Null when its rows will not say what the listing says even after the changes. */
  written: WrittenDirectory | null;
}

/** Names kept of each list: more than are watched need not be known. */
const MAX_NAMES = 2_000;

function keep(names: string[], name: string): void {
  if (names.length < MAX_NAMES) names.push(name);
}

/** Compares listings with the index, batch by batch, and writes what differs. */
class PassRecorder {
  readonly result: Omit<PassResult, 'summary'> = {
    skipped: 0,
    changed: 0,
    candidates: [],
    known: new Map(),
    unreadable: null,
    touched: [],
    listed: [],
    named: [],
  };
  private readonly context: PassContext;
  private batch: Listed[] = [];
  private batchEntries = 0;
  /** Keys that more than one directory has. */
  private readonly shared = new Set<string>();
  private readonly twins = new TwinDirectories();
  /** Directories asked for and not listed yet that hold files which wait to be quiet. */
  private readonly waiting = new Set<string>();
  private statisticsAtRows = STATISTICS.fromRows;

  private readonly exclusive: Exclusive;

  constructor(context: PassContext) {
    this.context = context;
    this.exclusive = context.exclusive ?? ((work) => work());
  }

  /** Fingerprints for the walk, which then says of most directories only that they are unchanged. */
  async fingerprints(directories: readonly string[]): Promise<(string | null)[]> {
    const { database, storage } = this.context;
    const keys = directories.map(pathKey);
    const rows = await readFingerprints(database, storage.id, keys);
    const known = new Map(rows.map((row) => [row.directory, row.fingerprint]));
    for (const row of rows) if (row.isWaiting) this.waiting.add(row.directory);
    return keys.map((key) => known.get(key) ?? null);
  }

  async take(listing: DirectoryListing): Promise<void> {
    switch (listing.kind) {
      case 'unreadable':
        this.result.known.set(pathKey(listing.path), 'unreadable');
        this.result.unreadable ??= `${JSON.stringify(listing.path)} cannot be read (${listing.reason}); what is there, or below it, stays as it was in the index.`;
        return;
      case 'unchanged':
        await this.takeUnchanged(listing.directories);
        return;
      case 'listed':
        this.waiting.delete(pathKey(listing.path));
        this.note(listing);
        this.batch.push(listing);
        this.batchEntries += listing.entries.length;
        if (this.batchEntries >= BATCH_ENTRIES || this.batch.length >= BATCH_DIRECTORIES) await this.flush();
        return;
      default:
        listing satisfies never;
    }
  }

  private note({ path, entries }: Listed): void {
    if (!this.context.look) return;
    keep(this.result.listed, path);
    for (const entry of entries) if (entry.kind === 'directory') keep(this.result.named, joinPath(path, entry.name));
  }

  private async takeUnchanged(directories: readonly UnchangedDirectory[]): Promise<void> {
    for (const { path, others } of directories) {
      const key = pathKey(path);
      if (this.isListed(key)) this.shared.add(key);
      this.remember(
        key,
        others.map((name) => pathKey(joinPath(path, name))),
      );
      if (this.waiting.delete(key)) await this.exclusive(() => this.promote(key));
    }
  }

  /** One directory at a time: rows that have just left the index of waiting files slow down the search beside them. What waits in an unchanged directory was seen unchanged with it. */
  private async promote(directory: string): Promise<void> {
    const { database, leadership, storage } = this.context;
    const quietSeconds = growingThresholdS(storage);
    for (;;) {
      const limit = MAX_CHANGES_PER_STATEMENT;
      const promoted = await promoteQuiet(database, leadership, storage.id, { directory, quietSeconds, limit });
      this.result.changed += promoted;
      if (promoted < limit) return;
    }
  }

  async flush(): Promise<void> {
    const batch = this.batch;
    this.batch = [];
    this.batchEntries = 0;
    if (batch.length > 0) await this.exclusive(() => this.compare(batch));
  }

  private async compare(batch: readonly Listed[]): Promise<void> {
    const { database, storage } = this.context;
    const keys = batch.map((listing) => pathKey(listing.path));
    for (const [at, key] of keys.entries()) if (this.isListed(key) || keys.indexOf(key) < at) this.shared.add(key);
    const generationOf = await readGenerations(database, storage.id, keys);
    const rows = await readDirectories(database, storage.id, keys);
    const rowsOf = Map.groupBy(rows, (row) => row.directory);
    const settings = { growingFilesThresholdS: growingThresholdS(storage) };
    let group: Compared[] = [];
    let groupChanges = 0;
    for (const listing of batch) {
      const key = pathKey(listing.path);
      const indexed = rowsOf.get(key) ?? [];
      const { entries, leftOut } = this.shared.has(key)
        ? this.twins.ownEntries(listing, indexed)
        : { entries: listing.entries, leftOut: 0 };
      const plan = planDirectory(listing.path, entries, indexed, settings);
      this.remember(key, plan.children);
      this.result.skipped += plan.skipped + leftOut;
      if (plan.changes.length > 0) keep(this.result.touched, listing.path);
      for (const row of plan.gone) {
        if (this.result.candidates.length < MAX_CANDIDATES) this.result.candidates.push(row);
      }
      const { fingerprint } = listing;
      const isWhole =
        fingerprint !== null &&
        plan.isComplete &&
        plan.changes.length <= MAX_CHANGES_PER_STATEMENT &&
        !this.shared.has(key);
      const written = isWhole ? { directory: key, fingerprint, generation: generationOf(key) } : null;
      if (groupChanges + plan.changes.length > MAX_CHANGES_PER_STATEMENT) {
        await this.write(group);
        [group, groupChanges] = [[], 0];
      }
      group.push({ changes: plan.changes, written });
      groupChanges += plan.changes.length;
    }
    await this.write(group);
  }

  private isListed(key: string): boolean {
    return this.result.known.get(key) === 'listed';
  }

  /**
   * Makes the fingerprints of directories void whose names differ by composition only: they have their rows in common, of
   * which one fingerprint tells only a part. They are compared row by row in each pass.
   */
  async end(): Promise<void> {
    await this.flush();
    const { database, leadership, storage } = this.context;
    const shared = [...this.shared];
    for (let from = 0; from < shared.length; from += MAX_CHANGES_PER_STATEMENT) {
      const part = shared.slice(from, from + MAX_CHANGES_PER_STATEMENT);
      const stored = await readFingerprints(database, storage.id, part);
      if (stored.length === 0) continue;
      await withLeaderFence(database, leadership, LEADER_LIMITS, (sql) => voidFingerprints(sql, storage.id, stored));
    }
  }

  private remember(key: string, children: readonly string[]): void {
    const { known } = this.result;
    known.set(key, 'listed');
    for (const child of children) if (!known.has(child)) known.set(child, 'named');
  }

  private async write(group: readonly Compared[]): Promise<void> {
    await this.writeRows(group);
    if (this.result.changed < this.statisticsAtRows) return;
    this.statisticsAtRows = this.result.changed * STATISTICS.factor;
    // Ignored: plans stay as they are, and a database that is away shows with the next write.
    await refreshFileStatistics(this.context.database).catch(() => {});
  }

  /** Writes rows, and with them, in one transaction, the fingerprints of directories whose rows then say the same. */
  private async writeRows(group: readonly Compared[]): Promise<void> {
    const { database, leadership, storage } = this.context;
    const whole = group.filter((directory) => directory.written !== null);
    const rest = group.filter((directory) => directory.written === null).flatMap((directory) => directory.changes);
    for (let from = 0; from < rest.length; from += MAX_CHANGES_PER_STATEMENT) {
      const part = rest.slice(from, from + MAX_CHANGES_PER_STATEMENT);
      this.result.changed += await applyChanges(database, leadership, storage.id, part);
    }
    if (whole.length === 0) return;
    const changes = whole.flatMap((directory) => directory.changes);
    const written = whole.flatMap((directory) => directory.written ?? []);
    this.result.changed += await applyWithFingerprints(
      { database, leadership, storageId: storage.id },
      changes,
      written,
    );
  }
}

/**
 * Walks the storage once and brings the index up to what was seen: new, changed, quiet and reappeared files. Marks nothing
 * missing. Memory: one batch of directories, the names of all directories, and at most 50,000 candidates.
 * Throws what the walk or a write throws (`storage-…`, `leadership-lost`, `database-…`).
 */
export async function runScanPass(context: PassContext): Promise<PassResult> {
  const { storage, access, leadership, walkers, look } = context;
  const recorder = new PassRecorder(context);
  const summary = await access.walk(
    {
      directories: look ? look.directories : (storage.settings.scan_directories ?? []),
      shallow: look?.isDeep === false,
      ...(context.onProgress ? { onProgress: context.onProgress } : {}),
      ignore: storage.settings.scan_ignore ?? [],
      include: storage.settings.scan_include ?? [],
      concurrency: walkers,
      known: (directories) => recorder.fingerprints(directories),
    },
    (listing) => recorder.take(listing),
    leadership.signal,
  );
  await recorder.end();
  return { ...recorder.result, summary };
}
