import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database, Sql } from '../runtime/sql.ts';
import type { Migration } from './migration-file.ts';

/**
 * While a migration waits for a table, everybody else waits behind it: it waits for a short time, lets the others pass, and
 * tries again. The time is well below the second after which renewals are given up, so that no leader loses its lease to a
 * node that starts as the next version.
 */
const LOCK_WAIT_MS = 500;
/** A migration may rewrite a large table; it must still end some day. */
const STATEMENT_MS = 10 * 60_000;
const LOCK_RETRY = { pauseMs: 1_000, forMs: 15 * 60_000 };

/** Of so many attempts one waits for longer, when there is a vacuum to outwait; and which one. */
const VACUUM_EVERY = 10;
const VACUUM_AT = 3;
/** What is waited beyond deadlock_timeout: the vacuum must hear of it and let go. */
const VACUUM_MARGIN_MS = 200;
/** The longest wait all the same: leaders trust their lease for longer than this without a renewal. */
const LONGEST_LOCK_WAIT_MS = 1_300;

/** What stands between a migration and its tables. */
export interface LockFacts {
  /** The server's `deadlock_timeout`, milliseconds. */
  deadlockMs: number;
  /** Whether one of our tables is being vacuumed or analysed. */
  isVacuumed: boolean;
}

/**
 * How long an attempt (1 = the first) waits for a lock, milliseconds. An autovacuum makes way only for who has waited for
 * `deadlock_timeout` (PostgreSQL manual, 25.1.6), by default a second: some attempts wait that long, and not
 * the others, because the whole cluster may stand behind. Pure.
 */
export function lockWaitMs(attempt: number, { deadlockMs, isVacuumed }: LockFacts): number {
  const needed = deadlockMs + VACUUM_MARGIN_MS;
  const isTurn = attempt % VACUUM_EVERY === VACUUM_AT;
  return isVacuumed && isTurn && needed <= LONGEST_LOCK_WAIT_MS ? Math.max(LOCK_WAIT_MS, needed) : LOCK_WAIT_MS;
}

/** A vacuum cannot be told from other work of its kind without rights; its kind of lock is taken by no statement of ours. */
const LOCK_FACTS = `SELECT (SELECT setting::float8 FROM pg_settings WHERE name = 'deadlock_timeout') AS deadlock_ms,
  EXISTS (SELECT 1 FROM pg_locks held JOIN pg_class c ON c.oid = held.relation
    JOIN pg_class ours ON ours.oid = to_regclass('schema_migration') AND ours.relnamespace = c.relnamespace
    WHERE held.mode = 'ShareUpdateExclusiveLock' AND held.granted
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS is_vacuumed`;
const lockFactsRow = z.object({ deadlock_ms: z.number(), is_vacuumed: z.boolean() });

async function readLockFacts(sql: Sql): Promise<LockFacts> {
  const [row] = await sql.query(LOCK_FACTS, [], lockFactsRow);
  return { deadlockMs: row?.deadlock_ms ?? Number.POSITIVE_INFINITY, isVacuumed: row?.is_vacuumed ?? false };
}

/** New tables go where the first ones are, also when another schema has come to stand before it; for this transaction only. */
const STAY_IN_SCHEMA = `SELECT set_config('search_path', quote_ident(n.nspname), true)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('schema_migration')`;

/** Takes the version first: a racing node waits on that row, and when it is there, is refused by its key. */
function scriptOf({ version, name, minVersion, text }: Migration): string {
  const take = `INSERT INTO schema_migration (version, name, min_version) VALUES (${version}, '${name}', '${minVersion}')`;
  return [take, STAY_IN_SCHEMA, text].join(';\n');
}

const stateOf = (thrown: unknown): string =>
  thrown instanceof IsgError && typeof thrown.fields.sqlState === 'string' ? thrown.fields.sqlState : '';

const LOCK_NOT_AVAILABLE = '55P03';
const UNIQUE_VIOLATION = '23505';
/** The statement took longer than it may: trying again would hold the cluster up for as long again. */
const TOOK_TOO_LONG = '57014';
/** Refused before it was asked: connecting, logging in, naming a database. */
const NOT_ASKED = /^(08|28|3D)/;

/** What came of asking for it, when the database refused the change itself; anything else as it is. */
function judge(thrown: unknown, migration: Migration): unknown {
  const state = stateOf(thrown);
  if (!(thrown instanceof IsgError) || state === '' || NOT_ASKED.test(state)) return thrown;
  if (thrown.retry !== 'permanent' && state !== TOOK_TOO_LONG) return thrown;
  return new IsgError(
    'schema-failed',
    `The database refused the change "${migration.name}" of its tables, which this version needs: ${thrown.message} ` +
      'Nothing of it was applied, and nodes of the version before go on. Mend what the database says, or go back to that version on this node.',
    { retry: 'permanent', cause: thrown, fields: { ...thrown.fields, migration: migration.name } },
  );
}

async function isApplied(sql: Sql, { version }: Migration): Promise<boolean> {
  return (await sql.execute('SELECT 1 FROM schema_migration WHERE version = $1', [version])) > 0;
}

/**
 * Applies a migration with patience for locks: a table may be in use, and a racing node busy with this very migration for
 * minutes. True when it was this node that applied it. One message, one transaction: a node that stops in the
 * middle leaves no lock behind. Throws `schema-failed` when the database refuses the change for good, else the database's own
 * errors.
 */
export async function applyMigration(database: Database, migration: Migration, log: Logger): Promise<boolean> {
  const startedMs = performance.now();
  const script = scriptOf(migration);
  let facts: LockFacts = { deadlockMs: Number.POSITIVE_INFINITY, isVacuumed: false };
  for (let attempt = 1; ; attempt += 1) {
    try {
      await database.script(script, { lockTimeoutMs: lockWaitMs(attempt, facts), statementTimeoutMs: STATEMENT_MS });
      return true;
    } catch (thrown) {
      if (stateOf(thrown) === UNIQUE_VIOLATION && (await isApplied(database, migration))) return false;
      const isLocked = stateOf(thrown) === LOCK_NOT_AVAILABLE;
      if (!isLocked || performance.now() - startedMs >= LOCK_RETRY.forMs) throw judge(thrown, migration);
    }
    facts = await readLockFacts(database);
    log.info('database schema not changed yet: a table is in use; trying again', {
      migration: migration.name,
      ...(facts.isVacuumed ? { vacuum: 'one of the tables is being vacuumed' } : {}),
    });
    await sleep(LOCK_RETRY.pauseMs);
  }
}
