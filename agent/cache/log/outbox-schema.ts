import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { z } from 'zod';

/** The cache file's latest shape, and how it is opened. */

/** "ISGL" as a number; tells our file from another SQLite file. */
const APPLICATION_ID = 0x4953474c;
/** Of SQLite; also that of the file made for salvage. */
export const PAGE_BYTES = 4_096;

// `outbox_copy` lies on another page: the identity outlives damage to one of them. The order of the tables is that of their
// root pages, which salvage relies on.
const columns = `(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  outbox_id TEXT NOT NULL,
  next_seq INTEGER NOT NULL,
  shipped_seq INTEGER NOT NULL,
  holder TEXT,
  next_holder TEXT NOT NULL,
  claim_from INTEGER,
  run_id TEXT NOT NULL,
  batch_no INTEGER NOT NULL
) STRICT`;
const SCHEMA = `CREATE TABLE IF NOT EXISTS outbox ${columns};
CREATE TABLE IF NOT EXISTS outbox_copy ${columns};
CREATE TABLE IF NOT EXISTS drop_count (
  reason TEXT NOT NULL,
  level INTEGER NOT NULL,
  records INTEGER NOT NULL,
  PRIMARY KEY (reason, level)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_record (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  level INTEGER NOT NULL,
  message TEXT NOT NULL,
  fields TEXT NOT NULL
) STRICT;
DROP INDEX IF EXISTS log_record_level;
-- for rare errors among millions of lines; names of the statement that uses it: log-view/stored-log.ts
CREATE INDEX IF NOT EXISTS log_record_grave ON log_record (seq, level) WHERE level >= 2;`;

/** What an outbox is and how far it is shipped. */
export interface OutboxIdentity {
  /** UUID; with `seq` the identity of a record. */
  outboxId: string;
  /** What the next record gets. */
  nextSeq: number;
  /** Every record up to this one is in `node_log`, or was dropped. */
  shippedSeq: number;
  /** The word under which `node_log` last confirmed us; null = never. */
  holder: string | null;
  /** The word that we ask to be confirmed under. */
  nextHolder: string;
  /** The last record at the first opening since the last confirmation; null = confirmed since. */
  claimFrom: number | null;
  /** The run that wrote last, and its last batch in the file. */
  runId: string;
  batchNo: number;
}

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const identityRow = z
  .object({
    outbox_id: uuid,
    next_seq: z.number().int().positive(),
    shipped_seq: z.number().int().nonnegative(),
    holder: uuid.nullable(),
    next_holder: uuid,
    claim_from: z.number().int().nonnegative().nullable(),
    run_id: z.string(),
    batch_no: z.number().int(),
  })
  .refine((row) => row.shipped_seq < row.next_seq)
  .transform(
    (row): OutboxIdentity => ({
      outboxId: row.outbox_id,
      nextSeq: row.next_seq,
      shippedSeq: row.shipped_seq,
      holder: row.holder,
      nextHolder: row.next_holder,
      claimFrom: row.claim_from,
      runId: row.run_id,
      batchNo: row.batch_no,
    }),
  );

/** An error that says of itself that the file is damaged. */
export function damaged(message: string): Error {
  return Object.assign(new Error(message), { code: 'SQLITE_CORRUPT' });
}

/** SQLite's code of an error; empty for another one. */
export const sqliteCode = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';

/** Whether a file is damaged, or none of ours: it must be put aside. All else may pass by itself. */
export const isDamage = (thrown: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB|MISMATCH|SCHEMA|FORMAT|CONSTRAINT|INTERNAL|RANGE|TOOBIG|IOERR_SHORT_READ|IOERR_CORRUPTFS)|^SQLITE_ERROR$/.test(
    sqliteCode(thrown),
  );

/** Opens a file, makes it if missing, and brings its shape up to date. Throws SQLite's errors; the file is closed then. */
export function openOutboxDatabase(path: string, autocheckpointPages: number): Database.Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  const database = new Database(path, { timeout: 1_000 });
  try {
    const id = database.pragma('application_id', { simple: true });
    if (id !== 0 && id !== APPLICATION_ID) throw damaged('it is another program’s file');
    if (id === 0 && database.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined)
      throw damaged('it is another program’s file');
    database.pragma(`page_size = ${PAGE_BYTES}`);
    database.pragma('auto_vacuum = INCREMENTAL');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma(`wal_autocheckpoint = ${autocheckpointPages}`);
    database.pragma(`journal_size_limit = ${autocheckpointPages * PAGE_BYTES}`);
    database.exec(SCHEMA);
    if (id === 0) database.pragma(`application_id = ${APPLICATION_ID}`);
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** The identity as a file has it; null in a new file. Throws `SQLITE_CORRUPT` when neither copy makes sense. */
export function readIdentity(database: Database.Database): OutboxIdentity | null {
  const rows: unknown[] = [];
  for (const table of ['outbox', 'outbox_copy']) {
    try {
      const row: unknown = database.prepare(`SELECT * FROM ${table}`).get();
      rows.push(row);
      const { success, data } = identityRow.safeParse(row);
      if (success) return data;
    } catch (thrown) {
      // the other copy may be readable
      rows.push(thrown);
    }
  }
  if (rows.every((row) => row === undefined)) return null;
  throw damaged('its identity is not readable');
}
