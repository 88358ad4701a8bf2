import { randomUUID } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type Database from 'better-sqlite3';
import { z } from 'zod';
import { LOG_LEVELS } from '../../contract/index.ts';
import { type FileLock, tryLockFile } from '../data-folder-lock.ts';
import { CapPlan } from './cap-plan.ts';
import { costOf, type EncodedRecord } from './log-encoding.ts';
import { damaged, type OutboxIdentity, openOutboxDatabase, readIdentity } from './outbox-schema.ts';
import { type DropCount, OutboxTrim } from './outbox-trim.ts';

/** A record as the file has it. */
export interface StoredRow extends EncodedRecord {
  seq: number;
}

/** Why a record is not in the file any more, or never was. `cap`: no room in the file; `memory`: none while it could not be written. */
export type DropReason = 'cap' | 'memory';

/** Records that were lost before they were shipped, by level (debug, info, warn, error); ever, in this outbox. */
export type DropCounts = Record<DropReason, readonly number[]>;

/** One batch on its way into the file. */
export interface IncomingBatch {
  no: number;
  records: readonly EncodedRecord[];
  dropped: readonly number[];
}

/** Where a batch is in the file. */
export interface StoredBatch {
  no: number;
  /** Number of its first record; the others follow. */
  firstSeq: number;
  /** Records below this level are not among them: the file is full of more severe ones. Usually 0. */
  refusedBelow: number;
}

/** Rows inserted by one statement: binding them is most of the work. */
const WIDTH = 32;

/** Rows read at once; each has 128 KB at most. */
const READ_STEP = 128;

/** Pages given back to the disk at a time. */
const SHRINK_STEP = 500;

const rowSchema = z.object({
  seq: z.number(),
  at_ms: z.number(),
  level: z.number(),
  message: z.string(),
  fields: z.string(),
});

/** A row as selected. Throws `SQLITE_CORRUPT` on what no row of ours is. */
export function toStoredRow(row: unknown): StoredRow {
  const { success, data } = rowSchema.safeParse(row);
  if (!success) throw damaged('a record is not readable');
  const { at_ms: atMs, ...rest } = data;
  return { ...rest, atMs };
}

/**
 * Throws `SQLITE_CORRUPT` unless a number lies between two others. A flipped bit in a number is no error to SQLite, but leaves the
 * table out of order, and the outbox shipped up to a number that nobody has given yet.
 */
export function assertInOrder(seq: number, above: number, below: number): void {
  if (seq <= above || seq >= below) throw damaged('its records are not in order');
}

const placeholders = (rows: number): string => Array(rows).fill('(?, ?, ?, ?, ?)').join(', ');

/** The open file: the outbox with its records. Every method throws SQLite's errors and then has changed nothing. */
export class OutboxFile {
  readonly database: Database.Database;
  readonly #path: string;
  readonly #plan: CapPlan;
  readonly #lock: FileLock;
  readonly #trim: OutboxTrim;
  readonly #insertMany: Database.Statement;
  readonly #insertOne: Database.Statement;
  readonly #writeIdentity: readonly Database.Statement[];
  readonly #readAfter: Database.Statement;
  #identity: OutboxIdentity;

  constructor(path: string, runId: string, capBytes: number) {
    this.#path = path;
    this.#plan = new CapPlan(capBytes);
    this.#lock = lockForWriting(path);
    try {
      this.database = openOutboxDatabase(path, this.#plan.autocheckpointPages);
    } catch (thrown) {
      this.#lock.release();
      throw thrown;
    }
    try {
      this.#insertMany = this.database.prepare(`INSERT INTO log_record VALUES ${placeholders(WIDTH)}`);
      this.#insertOne = this.database.prepare(`INSERT INTO log_record VALUES ${placeholders(1)}`);
      this.#writeIdentity = ['outbox', 'outbox_copy'].map((table) =>
        this.database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)`),
      );
      this.#readAfter = this.database.prepare('SELECT * FROM log_record WHERE seq > ? ORDER BY seq LIMIT ?');
      this.#trim = new OutboxTrim(this.database, this.#plan.trimWindow, () => this.#identity.shippedSeq);
      this.#identity = this.#begin(runId);
      this.#shrink();
      this.database.pragma(`max_page_count = ${this.#plan.filePages}`);
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  // What a run finds: the last record of an unconfirmed time is remembered, so that a rolled-back file is told from a whole one.
  #begin(runId: string): OutboxIdentity {
    const last = Number(this.database.prepare('SELECT max(seq) FROM log_record').pluck().get() ?? 0);
    const known = readIdentity(this.database);
    const nextSeq = Math.max(known?.nextSeq ?? 1, last + 1);
    const fresh = { outboxId: randomUUID(), shippedSeq: 0, holder: null, nextHolder: randomUUID(), claimFrom: null };
    const found = known ?? { ...fresh, nextSeq };
    const identity = { ...found, nextSeq, claimFrom: found.claimFrom ?? nextSeq - 1 };
    const isSameRun = known?.runId === runId;
    return this.#write({ ...identity, runId, batchNo: isSameRun ? (known?.batchNo ?? 0) : 0 });
  }

  #write(identity: OutboxIdentity): OutboxIdentity {
    const { outboxId, nextSeq, shippedSeq, holder, nextHolder, claimFrom, runId, batchNo } = identity;
    const values = [outboxId, nextSeq, shippedSeq, holder, nextHolder, claimFrom, runId, batchNo];
    this.#inTransaction(() => {
      for (const statement of this.#writeIdentity) statement.run(values);
    });
    return identity;
  }

  #inTransaction(work: () => void): void {
    if (this.database.inTransaction) work();
    else this.database.transaction(work).immediate();
  }

  // The cap was lowered since the file grew.
  #shrink(): void {
    const excess = () => Number(this.database.pragma('page_count', { simple: true })) - this.#plan.filePages;
    if (excess() <= 0) return;
    this.#trim.makeRoom(0, () => this.#freePages());
    while (excess() > 0) {
      const before = excess();
      this.database.pragma(`incremental_vacuum(${Math.min(before, SHRINK_STEP)})`);
      this.database.pragma('wal_checkpoint(TRUNCATE)');
      if (excess() >= before) return;
    }
  }

  identity(): Readonly<OutboxIdentity> {
    return this.#identity;
  }

  /**
   * Appends batches in one commit that is on disk when this returns. Answers where they are; a batch that is in the file
   * already, because the answer to it was lost, is not written again and not answered.
   */
  append(batches: readonly IncomingBatch[]): StoredBatch[] {
    const fresh = batches.filter(({ no }) => no > this.#identity.batchNo);
    const pages = this.#pagesFor(fresh.flatMap(({ records }) => records));
    const refusedBelow = this.#trim.makeRoom(pages, () => this.#freePages());
    let written: StoredBatch[] = [];
    let identity = this.#identity;
    this.#inTransaction(() => {
      let seq = this.#identity.nextSeq;
      written = fresh.map(({ no, records, dropped }) => {
        const kept = refusedBelow === 0 ? [...records] : records.filter(({ level }) => level >= refusedBelow);
        const firstSeq = seq;
        this.#insert(kept, firstSeq);
        seq += kept.length;
        this.#trim.count('memory', dropped);
        if (kept.length < records.length) this.#trim.count('cap', lost(records, refusedBelow));
        return { no, firstSeq, refusedBelow };
      });
      const batchNo = fresh.at(-1)?.no ?? this.#identity.batchNo;
      identity = this.#write({ ...this.#identity, nextSeq: seq, batchNo });
    });
    this.#identity = identity;
    return written;
  }

  #insert(records: readonly EncodedRecord[], firstSeq: number): void {
    let values: unknown[] = [];
    for (const [n, { atMs, level, message, fields }] of records.entries()) {
      values.push(firstSeq + n, atMs, level, message, fields);
      if (values.length < WIDTH * 5) continue;
      this.#insertMany.run(values);
      values = [];
    }
    for (let at = 0; at < values.length; at += 5) this.#insertOne.run(values.slice(at, at + 5));
  }

  #freePages(): number {
    const pages = Number(this.database.pragma('page_count', { simple: true }));
    const free = Number(this.database.pragma('freelist_count', { simple: true }));
    return this.#plan.filePages - pages + free;
  }

  /**
   * Puts unshipped rows of another file back under their own numbers, oldest first; a number that is taken keeps what it has.
   * What there is no room for is counted.
   */
  restore(rows: readonly StoredRow[]): void {
    const refusedBelow = this.#trim.makeRoom(this.#pagesFor(rows), () => this.#freePages());
    this.#inTransaction(() => {
      this.#putBack(rows.filter(({ level }) => level >= refusedBelow));
      this.#trim.count('cap', lost(rows, refusedBelow));
    });
  }

  /** The same for shipped rows, for which nothing else has to go. False: there is no room for them. */
  restoreShipped(rows: readonly StoredRow[]): boolean {
    if (this.#freePages() < this.#pagesFor(rows)) return false;
    this.#inTransaction(() => this.#putBack(rows));
    return true;
  }

  #putBack(rows: readonly StoredRow[]): void {
    const insert = this.database.prepare('INSERT OR IGNORE INTO log_record VALUES (?, ?, ?, ?, ?)');
    for (const { seq, atMs, level, message, fields } of rows) insert.run(seq, atMs, level, message, fields);
  }

  #pagesFor(records: readonly EncodedRecord[]): number {
    return this.#plan.pagesFor(records.reduce((sum, record) => sum + costOf(record), 0));
  }

  /** Goes on with the drop counters of another file. */
  setDropCounts(counts: readonly DropCount[]): void {
    this.#inTransaction(() => this.#trim.setCounts(counts));
  }

  /** Goes on with the identity of another file; numbers go on above both. */
  adopt(identity: OutboxIdentity, nextSeq: number): void {
    const { runId, batchNo } = this.#identity;
    const claimFrom = identity.claimFrom ?? identity.nextSeq - 1;
    this.#identity = this.#write({ ...identity, claimFrom, nextSeq, runId, batchNo });
  }

  /** Numbers go on from here, if they have not come so far. */
  skipTo(nextSeq: number): void {
    if (nextSeq > this.#identity.nextSeq)
      this.#identity = this.#write({ ...this.#identity, nextSeq, claimFrom: nextSeq - 1 });
  }

  /** Unshipped records after `afterSeq`, oldest first, of about `maxBytes` at most (one at least). */
  readAfter(afterSeq: number, limit: number, maxBytes: number): StoredRow[] {
    const rows: StoredRow[] = [];
    let bytes = 0;
    // In steps: one by one costs three times as much, and all at once may be far too much.
    while (rows.length < limit) {
      const wanted = Math.min(READ_STEP, limit - rows.length);
      const step = this.#readAfter.all(rows.at(-1)?.seq ?? afterSeq, wanted).map(toStoredRow);
      for (const row of step) {
        assertInOrder(row.seq, rows.at(-1)?.seq ?? afterSeq, this.#identity.nextSeq);
        rows.push(row);
        bytes += costOf(row);
        if (bytes >= maxBytes) return rows;
      }
      if (step.length < wanted) return rows;
    }
    return rows;
  }

  /** What `readAfter` has given is sent to the database now; `setShipped` or `confirmClaim` says that it has arrived. */
  noteSent(rows: readonly StoredRow[]): void {
    const [first, last] = [rows[0], rows.at(-1)];
    if (first && last) this.#trim.sent(first.seq, last.seq);
  }

  /** Notes that `node_log` has everything up to `seq`. */
  setShipped(seq: number): void {
    if (seq === this.#identity.shippedSeq) return;
    this.#arrived({ ...this.#identity, shippedSeq: Math.min(seq, this.#identity.nextSeq - 1) });
  }

  #arrived(identity: OutboxIdentity): void {
    this.#inTransaction(() => {
      this.#trim.arrived(identity.shippedSeq);
      this.#write(identity);
    });
    this.#trim.settled(identity.shippedSeq);
    this.#identity = identity;
  }

  /** The claim was confirmed under `nextHolder`, at this watermark. */
  confirmClaim(watermark: number): void {
    const { nextHolder, nextSeq } = this.#identity;
    const shippedSeq = Math.min(watermark, nextSeq - 1);
    this.#arrived({ ...this.#identity, holder: nextHolder, claimFrom: null, shippedSeq });
  }

  /** A new word to be confirmed under; call before each claim of a run. */
  renewHolder(): void {
    // While one is unanswered it must stay: it may have been confirmed.
    const { holder, nextHolder } = this.#identity;
    if (holder === nextHolder) this.#identity = this.#write({ ...this.#identity, nextHolder: randomUUID() });
  }

  /** Another file ships under our outbox: this one goes on under a new one, from after `shippedSeq`. */
  renewOutbox(shippedSeq: number): void {
    const fresh = { outboxId: randomUUID(), holder: null, nextHolder: randomUUID() };
    const { nextSeq } = this.#identity;
    const shipped = Math.min(shippedSeq, nextSeq - 1);
    this.#identity = this.#write({ ...this.#identity, ...fresh, shippedSeq: shipped, claimFrom: nextSeq - 1 });
  }

  /** Removes shipped records that were written before an instant, at most `limit` of the oldest; answers how many. */
  removeOld(beforeMs: number, limit: number): number {
    return this.#trim.removeOld(beforeMs, limit);
  }

  dropCounts(): DropCounts {
    return { cap: this.#trim.counted('cap'), memory: this.#trim.counted('memory') };
  }

  /** Most bytes of records that one commit should bring. */
  get largestCommitBytes(): number {
    return this.#plan.largestCommitBytes;
  }

  /** Throws when the file cannot be written now. */
  probe(): void {
    this.#write(this.#identity);
  }

  /** Bytes on disk: the file and its journal. */
  sizeBytes(): number {
    return ['', '-wal', '-shm'].reduce(
      (sum, suffix) => sum + (statSync(`${this.#path}${suffix}`, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  close(): void {
    try {
      this.database.close();
    } finally {
      this.#lock.release();
    }
  }
}

/**
 * Numbers are given by who writes: a second agent on this folder must wait. A lock beside the file and not on it, so that the
 * log view can read it meanwhile.
 */
function lockForWriting(path: string): FileLock {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  const lock = tryLockFile(`${path}.lock`);
  if (lock) return lock;
  throw Object.assign(new Error('database is locked by another agent'), { code: 'SQLITE_BUSY' });
}

function lost(records: readonly EncodedRecord[], refusedBelow: number): number[] {
  const counts = LOG_LEVELS.map(() => 0);
  for (const { level } of records) if (level < refusedBelow) counts[level] = (counts[level] ?? 0) + 1;
  return counts;
}
