import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { z } from 'zod';
import type { LogRecord, LogSink } from '../runtime/logger.ts';

/** How the store behaves. */
export interface LogStoreOptions {
  /** The SQLite file; its folder is made if missing. */
  path: string;
  /** Most records kept; beyond it old DEBUG goes first, ERROR last. Default 200,000. */
  maxRows?: number;
  /** Longest time a record stays only in memory; default 100 ms. */
  flushMs?: number;
  /** Most records held in memory while the disk refuses; beyond it records are dropped and counted. Default 5,000. */
  maxBuffered?: number;
  /** Told, in words, when the file was quarantined or writing fails; once per trouble. Must not log into this store. */
  onTrouble?: (message: string) => void;
  /** Told of each commit: the records that are now in the file, in order. Must not log into this store. */
  onWritten?: (records: readonly StoredLogRecord[]) => void;
}

/** A record as stored. */
export interface StoredLogRecord extends LogRecord {
  /** Grows by one per record of this file. */
  seq: number;
}

/** Which records a reader wants. Absent limits do not limit. */
export interface LogFilter {
  minLevel: LogRecord['level'];
  /** In message or fields, whatever the case (of ASCII letters); empty = any. */
  text: string;
  /** In message or fields, exactly; null = any. */
  mention: string | null;
  fromMs: number | null;
  toMs: number | null;
}

/** One look back. */
export interface LogLook {
  /** Oldest first. */
  records: StoredLogRecord[];
  /** Every wanted record from here on (up to the start of the look) is in `records`; null when nothing lies before. */
  reachedSeq: number | null;
}

/** Log records on this node's disk. Nothing in it ever throws into a caller. */
export interface LogStore {
  sink: LogSink;
  /** Writes what is buffered, now. */
  flush(): void;
  /** Records after `afterSeq`, oldest first. */
  read(afterSeq: number, limit: number): StoredLogRecord[];
  /**
   * Looks back from `beforeSeq` (null = the end) over a bounded stretch of the file, so that a rare filter never holds up
   * the process: at most `limit` records that fit. Call it again from `reachedSeq` for more.
   */
  lookBack(beforeSeq: number | null, limit: number, filter: LogFilter): LogLook;
  /** Records lost since the start: by the row cap (`trimmed`), and because the disk refused for too long (`dropped`). */
  counts(): { trimmed: number; dropped: number; buffered: number };
  close(): void;
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
/** "ISGL" as a number; tells our file from another SQLite file. */
const APPLICATION_ID = 0x4953474c;
const SCHEMA = `CREATE TABLE IF NOT EXISTS log_record (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  level INTEGER NOT NULL,
  message TEXT NOT NULL,
  fields TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_record_level ON log_record (level, seq);`;

/** Records looked at in one look back: about 10 ms. */
const STRETCH = 10_000;

// The stretch ends at the STRETCH-th record before @before; then only what fits is read.
const STRETCH_END = 'SELECT seq FROM log_record WHERE seq < @before ORDER BY seq DESC LIMIT 1 OFFSET @stretch';
const LOOK_BACK = `SELECT seq, at_ms, level, message, fields FROM log_record
WHERE seq < @before AND seq >= @from AND +level >= @level AND at_ms >= @fromMs AND at_ms <= @toMs
  AND (@text = '' OR instr(lower(message), @text) > 0 OR instr(lower(fields), @text) > 0)
  AND (@mention = '' OR instr(fields, @mention) > 0 OR instr(message, @mention) > 0)
ORDER BY seq DESC LIMIT @limit`;

const storedRow = z.object({
  seq: z.number(),
  at_ms: z.number(),
  level: z.number(),
  message: z.string(),
  fields: z.string(),
});

function openStore(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  const database = new Database(path, { timeout: 1_000 });
  try {
    const id = database.pragma('application_id', { simple: true });
    if (id !== 0 && id !== APPLICATION_ID) throw Object.assign(new Error('not a log store'), { code: 'SQLITE_NOTADB' });
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.exec(SCHEMA);
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function isCorrupt(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return /^SQLITE_(CORRUPT|NOTADB|MISMATCH|SCHEMA)|^SQLITE_ERROR$/.test(code);
}

/** Puts a file that cannot be read aside, with its journal, under a name that tells when. */
function quarantine(path: string): string {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`);
  }
  return aside;
}

function fieldsText(record: LogRecord): string {
  try {
    return JSON.stringify(record.fields, (_, value: unknown) => {
      if (typeof value === 'bigint') return value.toString();
      return value instanceof Error ? { ...Object.fromEntries(Object.entries(value)), message: value.message } : value;
    });
  } catch {
    // ignored because a record with odd fields is better than none
    return '{}';
  }
}

function parseFields(text: string): LogRecord['fields'] {
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
}

function toRecord(row: unknown): StoredLogRecord {
  const { seq, at_ms: atMs, level, message, fields } = storedRow.parse(row);
  return { seq, atMs, level: LEVELS[level] ?? 'info', message, fields: parseFields(fields) };
}

/** The file and what is prepared on it; made anew after quarantine. */
class LogFile {
  readonly database: Database.Database;
  readonly #insert: Database.Statement<[number, number, string, string]>;
  readonly #trim: Database.Statement<[number]>;
  rows: number;

  constructor(path: string) {
    this.database = openStore(path);
    this.#insert = this.database.prepare('INSERT INTO log_record (at_ms, level, message, fields) VALUES (?, ?, ?, ?)');
    this.#trim = this.database.prepare(
      'DELETE FROM log_record WHERE seq IN (SELECT seq FROM log_record ORDER BY level, seq LIMIT ?)',
    );
    this.rows = z.number().parse(this.database.prepare('SELECT count(*) FROM log_record').pluck().get());
  }

  /** Appends in one commit; answers the records with their numbers, and how many old ones had to go. */
  append(records: readonly LogRecord[], maxRows: number): { written: StoredLogRecord[]; removed: number } {
    const excess = Math.max(0, this.rows + records.length - maxRows);
    const done = this.database.transaction(() => {
      const written = records.map((record) => {
        const atMs = Math.trunc(record.atMs);
        const level = LEVELS.indexOf(record.level);
        const { lastInsertRowid } = this.#insert.run(atMs, level, record.message, fieldsText(record));
        return { ...record, atMs, seq: Number(lastInsertRowid) };
      });
      return { written, removed: excess > 0 ? this.#trim.run(excess).changes : 0 };
    })();
    this.rows += records.length - done.removed;
    return done;
  }

  lookBack(beforeSeq: number | null, limit: number, filter: LogFilter): LogLook {
    const before = beforeSeq ?? Number.MAX_SAFE_INTEGER;
    const end = this.database
      .prepare(STRETCH_END)
      .pluck()
      .get({ before, stretch: STRETCH - 1 });
    const from = typeof end === 'number' ? end : 0;
    const found = this.database.prepare(LOOK_BACK).all({
      before,
      from,
      level: LEVELS.indexOf(filter.minLevel),
      fromMs: filter.fromMs ?? 0,
      toMs: filter.toMs ?? Number.MAX_SAFE_INTEGER,
      text: filter.text.toLowerCase(),
      mention: filter.mention ?? '',
      limit,
    });
    const records = found.map(toRecord).reverse();
    const isFull = records.length === limit;
    return { records, reachedSeq: isFull ? (records[0]?.seq ?? null) : from > 0 ? from : null };
  }
}

class BufferedLogStore implements LogStore {
  readonly #path: string;
  readonly #maxRows: number;
  readonly #flushMs: number;
  readonly #maxBuffered: number;
  readonly #onTrouble: (message: string) => void;
  readonly #onWritten: (records: readonly StoredLogRecord[]) => void;
  #file: LogFile | undefined;
  #buffer: LogRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #trimmed = 0;
  #dropped = 0;
  #isTroubled = false;
  #isClosed = false;

  constructor(options: LogStoreOptions) {
    this.#path = options.path;
    this.#maxRows = options.maxRows ?? 200_000;
    this.#flushMs = options.flushMs ?? 100;
    this.#maxBuffered = options.maxBuffered ?? 5_000;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
    this.#onWritten = options.onWritten ?? (() => undefined);
    this.#attempt(() => {
      this.#file = new LogFile(this.#path);
    });
  }

  readonly sink: LogSink = (record) => {
    if (this.#isClosed || this.#buffer.length >= this.#maxBuffered) {
      this.#dropped += 1;
      return;
    }
    this.#buffer.push(record);
    this.#timer ??= setTimeout(() => this.flush(), this.#flushMs).unref();
  };

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#buffer.length === 0 || this.#isClosed) return;
    const records = this.#buffer;
    let written: StoredLogRecord[] = [];
    const isWritten = this.#attempt(() => {
      this.#file ??= new LogFile(this.#path);
      const done = this.#file.append(records, this.#maxRows);
      this.#trimmed += done.removed;
      written = done.written;
    });
    if (isWritten) {
      this.#buffer = [];
      this.#isTroubled = false;
      this.#onWritten(written);
    } else this.#timer = setTimeout(() => this.flush(), this.#flushMs * 10).unref();
  }

  read(afterSeq: number, limit: number): StoredLogRecord[] {
    this.flush();
    let found: StoredLogRecord[] = [];
    this.#attempt(() => {
      const ask = this.#file?.database.prepare('SELECT * FROM log_record WHERE seq > ? ORDER BY seq LIMIT ?');
      found = (ask?.all(afterSeq, limit) ?? []).map(toRecord);
    });
    return found;
  }

  lookBack(beforeSeq: number | null, limit: number, filter: LogFilter): LogLook {
    this.flush();
    let look: LogLook = { records: [], reachedSeq: null };
    this.#attempt(() => {
      if (this.#file) look = this.#file.lookBack(beforeSeq, limit, filter);
    });
    return look;
  }

  counts() {
    return { trimmed: this.#trimmed, dropped: this.#dropped, buffered: this.#buffer.length };
  }

  close(): void {
    this.flush();
    clearTimeout(this.#timer);
    this.#isClosed = true;
    this.#attempt(() => this.#file?.database.close());
    this.#file = undefined;
  }

  /** Runs work on the file. Trouble is told once; a corrupt file is put aside and the work tried on a new one. */
  #attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (thrown) {
      if (!isCorrupt(thrown)) return this.#complain(thrown);
    }
    try {
      this.#file?.database.close();
      this.#file = undefined;
      const aside = quarantine(this.#path);
      this.#file = new LogFile(this.#path);
      this.#onTrouble(`The log store was damaged. It was put aside as ${aside} and a new one begun.`);
      work();
      return true;
    } catch (thrown) {
      return this.#complain(thrown);
    }
  }

  #complain(thrown: unknown): false {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    if (!this.#isTroubled) {
      this.#onTrouble(`The log store cannot be written (${reason}). Records stay in memory for now; free disk space.`);
    }
    this.#isTroubled = true;
    return false;
  }
}

/**
 * Opens (or makes) the log store. Records are buffered shortly and committed together; each is in the file at the latest
 * `flushMs` later, in WAL with synchronous=FULL. A damaged file is put aside and a new one begun; a full disk keeps records
 * in bounded memory. Never throws.
 */
export function createLogStore(options: LogStoreOptions): LogStore {
  return new BufferedLogStore(options);
}
