import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

const leaseRow = z.object({
  term: z.coerce.number(),
  renewals: z.coerce.number(),
  released: z.boolean(),
  run_id: z.string().nullable(),
  successor_run_id: z.string().nullable(),
  ttl_ms: z.number().nullable(),
});
const READ = 'SELECT term, renewals, released, run_id, successor_run_id, ttl_ms FROM leader_lease';

/** The lease row, as the run `readerRunId` sees it. */
export async function readLease(sql: Sql, readerRunId: string) {
  const [row] = await sql.query(READ, [], leaseRow);
  if (!row) throw new Error('leader_lease has no row; the schema is damaged');
  const successor = row.released ? row.successor_run_id : null;
  return {
    term: row.term,
    renewals: row.renewals,
    released: row.released,
    runId: row.run_id,
    ttlMs: row.ttl_ms,
    isForAnother: successor !== null && successor !== readerRunId,
  };
}

/** Who takes over, from what, and why. */
export interface TakeOver {
  seenTerm: number;
  seenRenewals: number;
  /** Highest term this node ever stored: terms grow even over a database restored from a backup. */
  highestSeen: number;
  runId: string;
  workerId: string;
  name: string;
  why: string;
  /** The ttl that the new holder counts with, whole milliseconds. */
  ttlMs: number;
}

const termRow = z.object({ term: z.coerce.number() });

/** How a take-over is recognised among the statements of pg_stat_activity: one candidate must not end another's. */
export const TAKE_OVER_MARK = 'isg take-over';

// leader_term is updated only here: holders of its FOR SHARE lock finish first, later ones see the new term.
const TAKE_OVER = `/* ${TAKE_OVER_MARK} */
WITH won AS (
  UPDATE leader_lease SET term = greatest(term, $3::bigint) + 1, renewals = 0, released = false, run_id = $4, expires_at = NULL,
    successor_run_id = NULL, ttl_ms = $8::integer
  WHERE term = $1 AND renewals = $2 RETURNING term
), named AS (
  UPDATE leader_term SET term = won.term, run_id = $4, why = $7 FROM won RETURNING leader_term.term
), ended AS (
  UPDATE leader_history SET ended_at = clock_timestamp(), end_why = $7
  FROM won WHERE leader_history.term = $1 AND ended_at IS NULL
), noted AS (
  INSERT INTO leader_history (term, run_id, worker_id, name, why) SELECT term, $4, $5, $6, $7 FROM won
)
SELECT term FROM named`;

/** Compare-and-set on the lease; the new term, or null when the lease had moved. Run it in a transaction with a short lock timeout. */
export async function takeOverLease(sql: Sql, take: TakeOver): Promise<number | null> {
  const { seenTerm, seenRenewals, highestSeen, runId, workerId, name, why, ttlMs } = take;
  const values = [seenTerm, seenRenewals, highestSeen, runId, workerId, name, why, ttlMs];
  const [row] = await sql.query(TAKE_OVER, values, termRow);
  return row?.term ?? null;
}

const RENEW = `
UPDATE leader_lease SET renewals = renewals + 1, expires_at = now() + make_interval(secs => $3::integer / 1000.0), ttl_ms = $3::integer
WHERE term = $1 AND run_id = $2 AND NOT released`;

/** False when the lease is another's or was released. */
export async function renewLease(sql: Sql, term: number, runId: string, ttlMs: number): Promise<boolean> {
  return (await sql.execute(RENEW, [term, runId, ttlMs])) === 1;
}

const RELEASE = `
WITH freed AS (
  UPDATE leader_lease SET released = true, renewals = renewals + 1, expires_at = now(), successor_run_id = $4
  WHERE term = $1 AND run_id = $2 AND NOT released RETURNING term
)
UPDATE leader_history SET ended_at = clock_timestamp(), end_why = $3 FROM freed WHERE leader_history.term = freed.term`;

/** Marks the lease released, so that a candidate may take over at once; the named successor first. */
export async function releaseLease(
  sql: Sql,
  release: { term: number; runId: string; why: string; successorRunId: string | null },
): Promise<void> {
  await sql.execute(RELEASE, [release.term, release.runId, release.why, release.successorRunId]);
}

const WORK_BEGAN = `, changed AS (
  UPDATE leader_history SET work_began_at = clock_timestamp()
  FROM fence WHERE leader_history.term = $1 AND work_began_at IS NULL RETURNING 1
)`;

/** The first write of a leadership: proves that its fence holds, and says since when MAIN work goes on. Throws `leadership-lost`. */
export async function noteWorkBegan(sql: Sql, holder: FenceHolder): Promise<void> {
  await fencedExecute(sql, holder, WORK_BEGAN, []);
}
