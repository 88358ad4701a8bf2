import { closeSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { LOG_LEVELS } from '../../contract/index.ts';
import { costOf } from './log-encoding.ts';
import type { OutboxFile, StoredRow } from './outbox-file.ts';
import { toStoredRow } from './outbox-file.ts';
import { isDamage, type OutboxIdentity, openOutboxDatabase, PAGE_BYTES, readIdentity } from './outbox-schema.ts';
import { type DropCount, dropCountRow } from './outbox-trim.ts';

/** What came out of a damaged file. */
export interface Salvage {
  /** Where the damaged file is. */
  aside: string;
  /** Records that were put back under their own numbers. */
  records: number;
  /** False: the outbox goes on under a new id, because the old one was not readable. */
  keptIdentity: boolean;
  /** False: there was no time for all of it; the rest is only in the file that was put aside. */
  isComplete: boolean;
  /** How many of that rest are in no database yet. */
  leftOut: number;
}

/** How long salvage may take, milliseconds; it holds up the log, and memory takes what comes meanwhile. */
export interface SalvageTimes {
  /** For records that are in no database yet. */
  unshippedMs: number;
  /** For all; what is shipped is put back in what is left of it. */
  mostMs: number;
}

const TIMES: SalvageTimes = { unshippedMs: 60_000, mostMs: 10_000 };
/** Records read at a time; where that fails the range is halved, down to one. */
const RANGE = 256;

function canRead(path: string): boolean {
  try {
    const database = new Database(path, { fileMustExist: true });
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
      return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_record'").get() !== undefined;
    } finally {
      database.close();
    }
  } catch {
    // ignored because the answer is what was asked for
    return false;
  }
}

function soundFirstPage(path: string): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  // one that a killed salvage left
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  openOutboxDatabase(path, 1_000).close();
  const source = openSync(path, 'r');
  try {
    readSync(source, page, 0, PAGE_BYTES, 0);
  } finally {
    closeSync(source);
    rmSync(path, { force: true });
  }
  return page;
}

/**
 * The first page says where the tables begin, which is the same in every file of ours: that of a sound file makes a file
 * readable whose own is damaged. Only the number of pages is its own.
 */
function lendFirstPage(to: string): void {
  const page = soundFirstPage(`${to}.sound`);
  page.writeUInt32BE(Math.floor(statSync(to).size / PAGE_BYTES), 28);
  // no free pages, and the number of pages is as true as the counter beside it
  page.fill(0, 32, 40);
  page.copy(page, 92, 24, 28);
  const target = openSync(to, 'r+');
  try {
    writeSync(target, page, 0, PAGE_BYTES, 0);
  } finally {
    closeSync(target);
  }
}

function identityIn(database: Database.Database): OutboxIdentity | null {
  try {
    return readIdentity(database);
  } catch {
    // ignored because a file without a readable identity gets a new one
    return null;
  }
}

function dropCountsIn(database: Database.Database): DropCount[] {
  try {
    return database
      .prepare('SELECT reason, level, records FROM drop_count')
      .all()
      .map((row) => dropCountRow.parse(row));
  } catch {
    // ignored because counters that are not readable begin anew
    return [];
  }
}

/** Reads a damaged table, as much of it as can be read. */
class RangeReader {
  readonly #database: Database.Database;
  readonly #select: Database.Statement;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#select = database.prepare('SELECT * FROM log_record WHERE seq > ? AND seq <= ? ORDER BY seq');
  }

  /** Rows in (`after`, `to`]. */
  read(after: number, to: number, isOutOfTime: () => boolean): StoredRow[] {
    try {
      return this.#select.all(after, to).map(toStoredRow).map(withLevel);
    } catch {
      // ignored because what cannot be read is what salvage leaves
    }
    if (to - after <= 1 || isOutOfTime()) return [];
    const middle = Math.floor((after + to) / 2);
    return [...this.read(after, middle, isOutOfTime), ...this.read(middle, to, isOutOfTime)];
  }

  /** One number that is asked for; null where there is none, or the way there is damaged. */
  #number(what: string, ...values: number[]): number | null {
    try {
      const found = this.#database
        .prepare(`SELECT ${what}`)
        .pluck()
        .get(...values);
      return typeof found === 'number' && Number.isSafeInteger(found) ? found : null;
    } catch {
      // ignored because the caller has another bound
      return null;
    }
  }

  first(): number {
    return Math.max(1, this.#number('min(seq) FROM log_record') ?? 1);
  }

  last(): number | null {
    return this.#number('max(seq) FROM log_record');
  }

  /** The nearest number after or before a range in which nothing was: gaps may be millions wide. */
  after(seq: number): number | null {
    return this.#number('min(seq) FROM log_record WHERE seq > ?', seq);
  }

  before(seq: number): number | null {
    return this.#number('max(seq) FROM log_record WHERE seq < ?', seq);
  }

  count(after: number, to: number): number {
    return this.#number('count(*) FROM log_record WHERE seq > ? AND seq <= ?', after, to) ?? Math.max(0, to - after);
  }
}

const withLevel = (row: StoredRow): StoredRow => ({
  ...row,
  level: Math.min(LOG_LEVELS.length - 1, Math.max(0, row.level)),
});

/** Collects rows to commits of the size that the file is made for. */
class RowWriter {
  readonly #write: (rows: readonly StoredRow[]) => boolean;
  readonly #commitBytes: number;
  #rows: StoredRow[] = [];
  #bytes = 0;
  #isFull = false;
  records = 0;
  highest = 0;

  constructor(commitBytes: number, write: (rows: readonly StoredRow[]) => boolean) {
    this.#commitBytes = commitBytes;
    this.#write = write;
  }

  /** False: there is no room for more. */
  take(rows: readonly StoredRow[]): boolean {
    for (const row of rows) {
      if (row.seq <= 0) continue;
      this.#rows.push(row);
      this.#bytes += costOf(row);
      if (this.#bytes >= this.#commitBytes) this.flush();
    }
    return !this.#isFull;
  }

  flush(): void {
    if (this.#rows.length === 0 || this.#isFull) return;
    this.#isFull = !this.#write(this.#rows);
    if (!this.#isFull) {
      this.records += this.#rows.length;
      this.highest = this.#rows.reduce((highest, { seq }) => Math.max(highest, seq), this.highest);
    }
    this.#rows = [];
    this.#bytes = 0;
  }
}

interface Part {
  reader: RangeReader;
  into: OutboxFile;
  /** Numbers in (`after`, `to`]. */
  after: number;
  to: number;
  isOutOfTime: () => boolean;
}

/** What no database has yet, in its order. `left`: how many there was no time for. */
function copyUnshipped({ reader, into, after, to, isOutOfTime }: Part) {
  const writer = new RowWriter(into.largestCommitBytes, (rows) => {
    into.restore(rows);
    return true;
  });
  let at = after;
  while (at < to && !isOutOfTime()) {
    const end = Math.min(at + RANGE, to);
    const rows = reader.read(at, end, isOutOfTime);
    writer.take(rows);
    at = rows.length > 0 ? end : Math.max(end, (reader.after(end) ?? end + 1) - 1);
  }
  writer.flush();
  return { records: writer.records, highest: writer.highest, left: at < to ? reader.count(at, to) : 0 };
}

/** What is shipped, the newest first: for whoever looks at the log, as far as time and room go. */
function copyShipped({ reader, into, after, to, isOutOfTime }: Part) {
  const writer = new RowWriter(into.largestCommitBytes, (rows) => into.restoreShipped(rows));
  let at = to;
  let hasRoom = true;
  while (at > after && hasRoom && !isOutOfTime()) {
    const begin = Math.max(after, at - RANGE);
    const rows = reader.read(begin, at, isOutOfTime);
    hasRoom = writer.take(rows);
    at = rows.length > 0 ? begin : Math.min(begin, reader.before(begin + 1) ?? begin);
  }
  writer.flush();
  return { records: writer.records, isComplete: at <= after || !hasRoom };
}

/**
 * The identity goes first, and then what no database has yet: whenever this ends, by a kill, too, what the new file has is
 * known under its own numbers and shipped no further than it was.
 */
function copyAll(database: Database.Database, into: OutboxFile, { unshippedMs, mostMs }: SalvageTimes) {
  const beganMs = performance.now();
  const until = (ms: number) => () => performance.now() - beganMs > ms;
  const reader = new RangeReader(database);
  const identity = identityIn(database);
  const nextSeq = Math.max(identity?.nextSeq ?? 1, (reader.last() ?? 0) + 1);
  const last = nextSeq - 1;
  if (identity) into.adopt(identity, nextSeq);
  else into.skipTo(nextSeq);
  into.setDropCounts(dropCountsIn(database));
  const before = reader.first() - 1;
  const shippedTo = Math.max(before, identity?.shippedSeq ?? 0);
  const parts = { reader, into };
  const unshipped = copyUnshipped({ ...parts, after: shippedTo, to: last, isOutOfTime: until(unshippedMs) });
  into.skipTo(unshipped.highest + 1);
  const to = Math.min(shippedTo, last);
  const shipped = copyShipped({ ...parts, after: before, to, isOutOfTime: until(mostMs) });
  return {
    records: unshipped.records + shipped.records,
    keptIdentity: identity !== null,
    isComplete: unshipped.left === 0 && shipped.isComplete,
    leftOut: unshipped.left,
  };
}

const NOTHING = { records: 0, keptIdentity: false, isComplete: false, leftOut: 0 };

/**
 * Puts what is readable of a damaged file into a new one: records keep their numbers, and the outbox its id where that is
 * readable. Numbers go on above all that were seen. May be repeated after it ended in the middle. Never throws for damage in
 * the old file; throws what keeps the new one from being written, and nothing is lost by that.
 */
export function salvage(aside: string, into: OutboxFile, times: SalvageTimes = TIMES): Salvage {
  if (!canRead(aside)) lendFirstPage(aside);
  const database = new Database(aside, { fileMustExist: true });
  try {
    return { aside, ...copyAll(database, into, times) };
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown;
    // a file of which nothing is readable
    return { aside, ...NOTHING };
  } finally {
    database.close();
  }
}
