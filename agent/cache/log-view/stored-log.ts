import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { z } from 'zod';
import type { LogDirection, LogKeeper } from '../../runtime/log-page.ts';
import { asciiLower } from '../log/ascii-lower.ts';

/** A record as the log view gets it. */
export interface ViewedRecord {
  seq: number;
  atMs: number;
  level: number;
  message: string;
  /** JSON. */
  fields: string;
}

/** How the view is narrowed. */
export interface ViewFilter {
  /** Place in `LOG_LEVELS`. */
  minLevel: number;
  text: string;
  isPattern: boolean;
  /** In message or fields, exactly; null = any. */
  mention: string | null;
  fromMs: number | null;
  toMs: number | null;
}

const rowSchema = z
  .object({ seq: z.number(), at_ms: z.number(), level: z.number(), message: z.string(), fields: z.string() })
  .transform(({ at_ms: atMs, ...rest }): ViewedRecord => ({ ...rest, atMs }));
const number = z.number().nullable().catch(null);

/** From this level on there is an index (log/outbox-schema.ts). */
const GRAVE = 2;

const matching = (
  order: 'ASC' | 'DESC',
  source = '',
) => `SELECT seq, at_ms, level, message, fields FROM log_record ${source}
WHERE seq BETWEEN @from AND @to AND level >= @level AND at_ms BETWEEN @fromMs AND @toMs
  AND (@text = '' OR instr(lower(message), @text) > 0 OR instr(lower(fields), @text) > 0)
  AND (@mention = '' OR instr(fields, @mention) > 0 OR instr(message, @mention) > 0)
ORDER BY seq ${order}`;

const NO_LINES: LogKeeper<ViewedRecord> = {
  nearest: async () => null,
  instantOf: async () => 0,
  matching: async () => [],
};

/** Stored records that can be narrowed. */
export interface ReadableLog {
  /** The lines that a filter leaves, for `readLogPage`. */
  narrowedBy(filter: ViewFilter): LogKeeper<ViewedRecord>;
  /** Whether another file is at its path now: a damaged one is put aside, and read on it would show the past for ever. */
  isReplaced(): boolean;
  close(): void;
}

const inodeOf = (path: string): bigint | null => statSync(path, { throwIfNoEntry: false, bigint: true })?.ino ?? null;

/**
 * Opens the log at `path`; null when there is none yet, because its writer has not begun: no file, or one without its tables.
 * Throws SQLite's errors on a file that cannot be read.
 */
export function openStoredLog(path: string): ReadableLog | null {
  if (inodeOf(path) === null) return null;
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 1_000 });
  try {
    const isBegun = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_record'").get() !== undefined;
    if (isBegun) return new StoredLog(database, path);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  database.close();
  return null;
}

/** A log in which nothing is. */
export const EMPTY_LOG: ReadableLog = { narrowedBy: () => NO_LINES, isReplaced: () => true, close: () => undefined };

/** A pattern as the log view means it, wherever the lines come from. Throws a SyntaxError when it is none. */
export const patternOf = (text: string): RegExp => new RegExp(text, 'i');

interface Statements {
  nearest: Database.Statement;
  matching: Database.Statement;
  /** For warnings and errors only. */
  grave: Database.Statement;
}

/** The file of the log, read beside its writer: WAL keeps the two apart. */
class StoredLog implements ReadableLog {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #inode: bigint | null;
  readonly #statements: Record<LogDirection, Statements>;
  readonly #instant: Database.Statement;

  constructor(database: Database.Database, path: string) {
    this.#database = database;
    this.#path = path;
    this.#inode = inodeOf(path);
    const prepare = (sql: string) => this.#database.prepare(sql);
    const hasIndex = prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_record_grave'").get() !== undefined;
    // named, because SQLite would rather go by the primary key; a file that no agent of this version has opened has none
    const source = hasIndex ? 'INDEXED BY log_record_grave' : '';
    const grave = (order: 'ASC' | 'DESC') =>
      prepare(matching(order, source).replace('WHERE', `WHERE level >= ${GRAVE} AND`));
    this.#statements = {
      older: {
        nearest: prepare('SELECT max(seq) FROM log_record WHERE seq <= ?').pluck(),
        matching: prepare(matching('DESC')),
        grave: grave('DESC'),
      },
      newer: {
        nearest: prepare('SELECT min(seq) FROM log_record WHERE seq >= ?').pluck(),
        matching: prepare(matching('ASC')),
        grave: grave('ASC'),
      },
    };
    this.#instant = prepare('SELECT at_ms FROM log_record WHERE seq = ?').pluck();
  }

  /** The lines that a filter leaves, for `readLogPage`. */
  narrowedBy(filter: ViewFilter): LogKeeper<ViewedRecord> {
    const fixed = {
      level: filter.minLevel,
      fromMs: filter.fromMs ?? Number.MIN_SAFE_INTEGER,
      toMs: filter.toMs ?? Number.MAX_SAFE_INTEGER,
      text: filter.isPattern ? '' : asciiLower(filter.text),
      mention: filter.mention ?? '',
    };
    const kind = filter.minLevel >= GRAVE ? 'grave' : 'matching';
    const pattern = filter.isPattern ? patternOf(filter.text) : null;
    const passes = ({ message, fields }: ViewedRecord) =>
      pattern === null || pattern.test(message) || pattern.test(fields);
    return {
      nearest: async (seq, direction) => number.parse(this.#statements[direction].nearest.get(seq)),
      instantOf: async (seq) => number.parse(this.#instant.get(seq)) ?? 0,
      matching: async ({ from, to, direction, limit }) => {
        const found: ViewedRecord[] = [];
        for (const row of this.#statements[direction][kind].iterate({ ...fixed, from, to })) {
          const record = rowSchema.parse(row);
          if (!passes(record)) continue;
          found.push(record);
          if (found.length >= limit) break;
        }
        return found;
      },
    };
  }

  isReplaced(): boolean {
    return inodeOf(this.#path) !== this.#inode;
  }

  close(): void {
    this.#database.close();
  }
}
