import { LOG_LEVELS, type LogSeverity } from '../../contract/index.ts';
import { type LogBatch, unpackBatch } from './log-encoding.ts';
import type { KeeperStatus, LogFilter } from './log-messages.ts';
import { lookBack } from './look-back.ts';
import { type IncomingBatch, OutboxFile, type StoredBatch, type StoredRow } from './outbox-file.ts';
import { isDamage, sqliteCode } from './outbox-schema.ts';
import { asideToSalvage, beginQuarantine, endQuarantine, putAside } from './quarantine.ts';
import { type Salvage, salvage } from './salvage.ts';

/** What the keeper of the file needs. */
export interface LogKeeperOptions {
  path: string;
  /** Names the run, so that a batch which is handed over again is known. */
  runId: string;
  capBytes: number;
  /** Shipped records older than this go. */
  retentionMs: number;
  wallMs: () => number;
  /** Every batch up to `upTo` is on disk, these since the last call. */
  onStored: (batches: readonly StoredBatch[], upTo: number) => void;
  /** Something to say once. It may come back as a record. */
  onTold: (level: LogSeverity, message: string, fields: Record<string, unknown>) => void;
}

/** While the file cannot be written it is tried again this often. */
const RETRY_MS = 1_000;
const RETENTION_EVERY_MS = 60_000;
const RETENTION_STEP = 2_000;
/** Between two new beginnings after damage: a disk that damages everything must not be filled with what is put aside. */
const QUARANTINE_PAUSE_MS = 10_000;

function cannotWrite(thrown: unknown): string {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return `The log cache cannot be written (${reason}). Records wait in memory while there is room, errors longest; the node goes on. Free disk space, or make the data folder writable.`;
}

/**
 * Keeps the file in the log's thread: collects batches and commits them together, puts a damaged file aside, and waits for a
 * disk that is full, read-only or away. Batches wait here meanwhile; how many is bounded by who sends them (log-buffer.ts).
 * Nothing in it throws.
 */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  #file: OutboxFile | null = null;
  #waiting: LogBatch[] = [];
  #timer: NodeJS.Immediate | null = null;
  #retry: NodeJS.Timeout | null = null;
  #isTroubled = false;
  #isClosed = false;
  /** A salvage was begun and is not done. */
  #isSalvaging = false;
  #retentionDueMs = 0;
  #quarantinedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogKeeperOptions) {
    this.#options = options;
    this.#attempt(() => this.#opened());
  }

  /** Takes a batch; it is on disk when `onStored` says so. */
  take(batch: LogBatch): void {
    if (this.#isClosed) return;
    this.#waiting.push(batch);
    // Whatever has come meanwhile goes into the same commit.
    if (!this.#isTroubled) this.#timer ??= setImmediate(() => this.#commitAll());
  }

  /** Runs work on the file; null when that is not possible now. */
  use<T>(work: (file: OutboxFile) => T): T | null {
    let result: T | null = null;
    if (!this.#isClosed && this.#file)
      this.#attempt(() => {
        result = work(this.#opened());
      });
    return result;
  }

  look(beforeSeq: number | null, limit: number, filter: LogFilter): { rows: StoredRow[]; reachedSeq: number | null } {
    if (!this.#isTroubled) this.#commitAll();
    return this.use((file) => lookBack(file.database, { beforeSeq, limit, filter })) ?? { rows: [], reachedSeq: null };
  }

  status(): KeeperStatus {
    const none = LOG_LEVELS.map(() => 0);
    const known = this.use((file) => ({ bytes: file.sizeBytes(), drops: file.dropCounts() }));
    const drops = known?.drops ?? { cap: none, memory: none };
    return {
      store: this.#file ? 'file' : 'memory',
      bytes: known?.bytes ?? 0,
      drops: { cap: [...drops.cap], memory: [...drops.memory] },
    };
  }

  /** Commits what waits, if the disk lets it, and closes the file. */
  close(): void {
    if (this.#isClosed) return;
    this.#commitAll();
    if (this.#retry) clearTimeout(this.#retry);
    this.#attempt(() => this.#file?.close());
    this.#isClosed = true;
    this.#file = null;
  }

  #opened(): OutboxFile {
    this.#file ??= this.#open();
    return this.#file;
  }

  /** A salvage that a kill or a full disk has ended goes on before anything else is written. */
  #open(): OutboxFile {
    const { path, runId, capBytes } = this.#options;
    putAside(path);
    const file = new OutboxFile(path, runId, capBytes);
    try {
      const aside = asideToSalvage(path, !this.#isSalvaging);
      if (aside === null) return file;
      this.#isSalvaging = true;
      const saved = salvage(aside, file);
      endQuarantine(path);
      this.#isSalvaging = false;
      this.#tell(saved);
      return file;
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  #commitAll(): void {
    if (this.#timer) clearImmediate(this.#timer);
    this.#timer = null;
    while (this.#waiting.length > 0) if (!this.#attempt(() => this.#commitSome())) return;
    if (this.#isTroubled) this.#recovered();
    this.#removeOld();
  }

  #commitSome(): void {
    const file = this.#opened();
    const batches: IncomingBatch[] = [];
    let characters = 0;
    for (const batch of this.#waiting) {
      batches.push({ no: batch.no, records: unpackBatch(batch), dropped: batch.dropped });
      characters += batch.texts.length;
      if (characters >= file.largestCommitBytes) break;
    }
    const stored = file.append(batches);
    this.#waiting = this.#waiting.slice(batches.length);
    this.#options.onStored(stored, batches.at(-1)?.no ?? 0);
  }

  #removeOld(): void {
    const { retentionMs, wallMs } = this.#options;
    const nowMs = performance.now();
    if (nowMs < this.#retentionDueMs) return;
    const removed = this.use((file) => file.removeOld(wallMs() - retentionMs, RETENTION_STEP)) ?? 0;
    this.#retentionDueMs = nowMs + (removed === RETENTION_STEP ? 0 : RETENTION_EVERY_MS);
  }

  /** Runs work on the file; false when it did not succeed. A damaged file is put aside and the work tried on a new one. */
  #attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (thrown) {
      if (!isDamage(thrown) || performance.now() - this.#quarantinedMs < QUARANTINE_PAUSE_MS)
        return this.#complain(thrown);
    }
    try {
      this.#quarantinedMs = performance.now();
      this.#startAnew();
      work();
      return true;
    } catch (thrown) {
      return this.#complain(thrown);
    }
  }

  #startAnew(): void {
    const { path } = this.#options;
    this.#closeQuietly();
    beginQuarantine(path, new Date(this.#options.wallMs()).toISOString().replaceAll(/[:.]/g, '-'));
    this.#opened();
  }

  #tell({ aside, records, keptIdentity, isComplete, leftOut }: Salvage): void {
    const of = leftOut > 0 ? `; ${leftOut} records of the rest are in no database` : '';
    const rest = isComplete
      ? ''
      : ` There was no time for all of it; the rest is only in the file that was put aside${of}.`;
    this.#options.onTold(
      'warn',
      `The log cache was damaged. It was put aside as ${aside}; ${records} records of it were saved and a new cache begun. The node goes on. Check the disk.${rest}`,
      { records, keptIdentity, isComplete, leftOut },
    );
  }

  #closeQuietly(): void {
    try {
      this.#file?.close();
    } catch {
      // ignored because a damaged file is left as it is
    }
    this.#file = null;
  }

  #complain(thrown: unknown): false {
    this.#closeQuietly();
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#tryAgain();
    }, RETRY_MS).unref();
    if (this.#isTroubled) return false;
    this.#isTroubled = true;
    const code = sqliteCode(thrown);
    if (/^SQLITE_(BUSY|LOCKED)/.test(code))
      this.#options.onTold(
        'warn',
        'Another process works with the log cache; records wait in memory until it ends.',
        {},
      );
    else this.#options.onTold('error', cannotWrite(thrown), { code });
    return false;
  }

  #tryAgain(): void {
    if (this.#isClosed || !this.#attempt(() => this.#opened().probe())) return;
    this.#commitAll();
  }

  #recovered(): void {
    this.#isTroubled = false;
    const memory = this.use((file) => file.dropCounts().memory) ?? [];
    const fields = { droppedInAll: Object.fromEntries(LOG_LEVELS.map((level, n) => [level, memory[n] ?? 0])) };
    this.#options.onTold('info', 'The log cache is written again.', fields);
  }
}
