import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** One transaction of ours, as other connections find it: behind a pooler the backend alone would not say whose turn it has. */
export interface WaitingTransaction {
  pid: number;
  /** Begin of the transaction, database time, microseconds as text (as exact as the database has it). */
  startedUs: string;
}

const MICROSECONDS = '(extract(epoch FROM %) * 1000000)::bigint::text';
const selfRow = z.object({ pid: z.number(), started_us: z.string() });
const SELF = `SELECT pg_backend_pid() AS pid, ${MICROSECONDS.replace('%', 'now()')} AS started_us`;

/** Names the transaction in which it runs. */
export async function thisTransaction(sql: Sql): Promise<WaitingTransaction> {
  const [row] = await sql.query(SELF, [], selfRow);
  if (!row) throw new Error('pg_backend_pid answered nothing');
  return { pid: row.pid, startedUs: row.started_us };
}

// The waiter must still be the same transaction, and waiting: behind a pooler its backend serves others a moment later.
// Another candidate that waits as we do is no culprit; its statement is told by its mark ($3).
const TERMINATE = `
WITH blockers AS MATERIALIZED (
  SELECT DISTINCT unnest(pg_blocking_pids(waiter.pid)) AS pid FROM pg_stat_activity waiter
  WHERE waiter.pid = $1 AND waiter.wait_event_type = 'Lock' AND ${MICROSECONDS.replace('%', 'waiter.xact_start')} = $2
)
SELECT a.pid, coalesce(a.application_name, '') AS application, coalesce(a.state, '') AS state, pg_terminate_backend(a.pid) AS ended
FROM pg_stat_activity a JOIN blockers USING (pid)
WHERE a.usename = current_user AND a.datname = current_database()
  AND NOT (coalesce(a.wait_event_type, '') = 'Lock' AND position($3 IN a.query) > 0)`;

const endedRow = z.object({ pid: z.number(), application: z.string(), state: z.string(), ended: z.boolean() });
/** A backend that was told to end. */
export type EndedBackend = z.infer<typeof endedRow>;

/**
 * Ends the backends for whose locks a transaction waits now, if they are of our own role and database. To be run on another
 * connection than the waiting one. `sparedMark`: text in the statement of waiting backends that are left alone.
 */
export function terminateBlockers(sql: Sql, waiting: WaitingTransaction, sparedMark: string): Promise<EndedBackend[]> {
  return sql.query(TERMINATE, [waiting.pid, waiting.startedUs, sparedMark], endedRow);
}
