import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { OutboxFile, StoredRow } from './outbox-file.ts';
import { toStoredRow } from './outbox-file.ts';
import { type OutboxIdentity, openOutboxDatabase, PAGE_BYTES, readIdentity } from './outbox-schema.ts';

/** What came out of a damaged file. */
export interface Salvage {
  /** Where the damaged file is now. */
  aside: string;
  /** Records that were put back under their own numbers. */
  records: number;
  /** False: the outbox goes on under a new id, because the old one was not readable. */
  keptIdentity: boolean;
  /** False: there was no time for all of it; the rest is only in the file that was put aside. */
  isComplete: boolean;
}

/** Records read at a time; where that fails the range is halved, down to one. */
const RANGE = 256;
/** Salvage must not hold up the log for longer; memory takes what comes meanwhile. */
const MOST_MS = 10_000;

/** Renames a damaged file and its journal; of those put aside before only this one stays. Answers its new path. */
export function putAside(path: string, stamp: string): string {
  const aside = `${path}.corrupt-${stamp}`;
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(`${basename(path)}.corrupt-`)) rmSync(join(dirname(path), name), { force: true });
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`);
  // SQLite makes it anew from the journal; a damaged one may only mislead.
  rmSync(`${aside}-shm`, { force: true });
  return aside;
}

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

/** Reads ranges of a damaged table, as much of each as can be read. */
class RangeReader {
  readonly #select: Database.Statement;
  readonly #endsAtMs: number;

  constructor(database: Database.Database, endsAtMs: number) {
    this.#select = database.prepare('SELECT * FROM log_record WHERE seq > ? AND seq <= ? ORDER BY seq');
    this.#endsAtMs = endsAtMs;
  }

  isOutOfTime(): boolean {
    return performance.now() > this.#endsAtMs;
  }

  /** Rows in (`after`, `to`]. */
  read(after: number, to: number): StoredRow[] {
    try {
      return this.#select.all(after, to).map(toStoredRow);
    } catch {
      // ignored because what cannot be read is what salvage leaves
    }
    if (to - after <= 1 || this.isOutOfTime()) return [];
    const middle = Math.floor((after + to) / 2);
    return [...this.read(after, middle), ...this.read(middle, to)];
  }

  /** An end of the table, or null when the way there is damaged. */
  end(which: 'min' | 'max', database: Database.Database): number | null {
    try {
      const seq = database.prepare(`SELECT ${which}(seq) FROM log_record`).pluck().get();
      return typeof seq === 'number' && Number.isSafeInteger(seq) && seq > 0 ? seq : null;
    } catch {
      // ignored because the caller has another bound
      return null;
    }
  }
}

function copyRows(database: Database.Database, into: OutboxFile, identity: OutboxIdentity | null) {
  const reader = new RangeReader(database, performance.now() + MOST_MS);
  const last = reader.end('max', database) ?? (identity ? identity.nextSeq - 1 : 0);
  let after = (reader.end('min', database) ?? 1) - 1;
  let [records, highest] = [0, 0];
  while (after < last && !reader.isOutOfTime()) {
    const to = Math.min(after + RANGE, last);
    const rows = reader.read(after, to).filter(({ seq, level }) => seq > 0 && level >= 0 && level <= 3);
    into.restore(rows);
    records += rows.length;
    highest = rows.at(-1)?.seq ?? highest;
    after = to;
  }
  return { records, highest, isComplete: after >= last };
}

/**
 * Puts what is readable of a damaged file into a new one: records keep their numbers, and the outbox its id where that is
 * readable. Numbers go on above all that were seen. Never throws for damage in the old file.
 */
export function salvage(aside: string, into: OutboxFile): Salvage {
  let result: Salvage = { aside, records: 0, keptIdentity: false, isComplete: false };
  try {
    if (!canRead(aside)) lendFirstPage(aside);
    const database = new Database(aside, { fileMustExist: true });
    try {
      const identity = identityIn(database);
      const { records, highest, isComplete } = copyRows(database, into, identity);
      const nextSeq = Math.max(identity?.nextSeq ?? 1, highest + 1);
      if (identity) into.adopt(identity, nextSeq);
      else into.skipTo(nextSeq);
      result = { aside, records, keptIdentity: identity !== null, isComplete };
    } finally {
      database.close();
    }
  } catch {
    // ignored because a file of which nothing is readable leaves what was salvaged so far
  }
  return result;
}
