import type { IndexedFileRow } from '../../../db/queries/storage-file.ts';
import { applyChanges, readDirectories } from '../../../db/queries/storage-file.ts';
import type { Storage } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Database } from '../../../runtime/sql.ts';
import type { DirectoryListing, StorageAccess, WalkSummary } from '../../../storage/storage-access.ts';
import { pathKey } from '../../../storage/storage-path.ts';
import type { DirectoryKnowledge, FileChange } from './scan-plan.ts';
import { planDirectory } from './scan-plan.ts';
import { growingThresholdS } from './scan-settings.ts';

/** Rows of one statement: small enough to hold the fence's row lock only for a moment. */
const MAX_CHANGES_PER_STATEMENT = 1000;
/** A batch is compared when it has this many entries … */
const BATCH_ENTRIES = 2000;
/** … or this many directories. */
const BATCH_DIRECTORIES = 100;
/** Candidates for missing kept in memory; what is beyond is found again by the next pass. */
const MAX_CANDIDATES = 50_000;

/** What one pass works with. */
export interface PassContext {
  database: Database;
  leadership: Leadership;
  storage: Storage;
  access: StorageAccess;
  /** Directories read at once. */
  walkers: number;
}

/** What one walk over a storage found and did. */
export interface PassResult {
  summary: WalkSummary;
  /** Entries that are no regular files, or clash with another name. */
  skipped: number;
  changed: number;
  /** Rows whose file was not listed; nothing is proven yet. */
  candidates: IndexedFileRow[];
  known: DirectoryKnowledge;
  /** First directory that could not be listed, in words. */
  unreadable: string | null;
}

type Listed = Extract<DirectoryListing, { kind: 'listed' }>;

/** Compares listings with the index, batch by batch, and writes what differs. */
class PassRecorder {
  readonly result: Omit<PassResult, 'summary'> = {
    skipped: 0,
    changed: 0,
    candidates: [],
    known: new Map(),
    unreadable: null,
  };
  private readonly context: PassContext;
  private batch: Listed[] = [];
  private batchEntries = 0;
  /** Walkers deliver at the same time; batches are compared one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(context: PassContext) {
    this.context = context;
  }

  async take(listing: DirectoryListing): Promise<void> {
    if (listing.kind === 'unreadable') {
      this.result.known.set(pathKey(listing.path), 'unreadable');
      this.result.unreadable ??= `The folder "${listing.path}" cannot be read (${listing.reason}); its files stay as they were.`;
      return;
    }
    if (listing.kind === 'unchanged') return;
    this.batch.push(listing);
    this.batchEntries += listing.entries.length;
    if (this.batchEntries >= BATCH_ENTRIES || this.batch.length >= BATCH_DIRECTORIES) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.batch;
    this.batch = [];
    this.batchEntries = 0;
    const mine = this.turn.then(() => this.compare(batch));
    // A failed batch fails the walk through `mine`; the chain itself must not reject unheard.
    this.turn = mine.catch(() => undefined);
    await mine;
  }

  private async compare(batch: readonly Listed[]): Promise<void> {
    if (batch.length === 0) return;
    const { database, storage } = this.context;
    const rows = await readDirectories(
      database,
      storage.id,
      batch.map((listing) => pathKey(listing.path)),
    );
    const rowsOf = Map.groupBy(rows, (row) => row.directory);
    const settings = { growingFilesThresholdS: growingThresholdS(storage) };
    const changes: FileChange[] = [];
    for (const listing of batch) {
      const key = pathKey(listing.path);
      const plan = planDirectory(listing.path, listing.entries, rowsOf.get(key) ?? [], settings);
      changes.push(...plan.changes);
      this.remember(key, plan);
    }
    await this.write(changes);
  }

  private remember(key: string, plan: { children: string[]; gone: IndexedFileRow[]; skipped: number }): void {
    const { known, candidates } = this.result;
    known.set(key, 'listed');
    for (const child of plan.children) if (!known.has(child)) known.set(child, 'named');
    this.result.skipped += plan.skipped;
    for (const row of plan.gone) if (candidates.length < MAX_CANDIDATES) candidates.push(row);
  }

  private async write(changes: readonly FileChange[]): Promise<void> {
    const { database, leadership, storage } = this.context;
    for (let from = 0; from < changes.length; from += MAX_CHANGES_PER_STATEMENT) {
      const part = changes.slice(from, from + MAX_CHANGES_PER_STATEMENT);
      this.result.changed += await applyChanges(database, leadership, storage.id, part);
    }
  }
}

/**
 * Walks the storage once and brings the index up to what was seen: new, changed, quiet and reappeared files. Marks nothing
 * missing. Memory: one batch of directories, the names of all directories, and at most 50,000 candidates.
 * Throws what the walk or a write throws (`storage-…`, `leadership-lost`, `database-…`).
 */
export async function runScanPass(context: PassContext): Promise<PassResult> {
  const { storage, access, leadership, walkers } = context;
  const recorder = new PassRecorder(context);
  const summary = await access.walk(
    {
      directories: storage.settings.scan_directories ?? [],
      ignore: storage.settings.scan_ignore ?? [],
      include: storage.settings.scan_include ?? [],
      concurrency: walkers,
    },
    (listing) => recorder.take(listing),
    leadership.signal,
  );
  await recorder.flush();
  return { ...recorder.result, summary };
}
