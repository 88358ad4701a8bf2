import { z } from 'zod';
import type { EndVerdict, Lease, LeaseEnd } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { storableJson, storableOrNull, storableWaitMs } from './job-storable.ts';

// The ends of single leases, for transactions that hold more than the end. Many ends at once: job-claim.ts.

const CHECKPOINT = `
UPDATE job SET checkpoint = $3::jsonb WHERE job_id = $1 AND lease_token = $2 AND state IN ('leased', 'queued')`;

/** Stores where to resume, also when the job was freed but nobody leased it since; false when the lease is not the caller's any more. */
export async function saveCheckpoint(sql: Sql, lease: Lease, checkpoint: unknown): Promise<boolean> {
  return (await sql.execute(CHECKPOINT, [lease.jobId, lease.leaseToken, storableJson(checkpoint)])) === 1;
}

const standingRow = z.object({ state: z.string(), lease_token: z.string().nullable() });
const STANDING = 'SELECT state, lease_token::text FROM job WHERE job_id = $1 FOR UPDATE';

/**
 * Locks a job row and tells how the lease stands: `held` (also when the job was freed but nobody leased it since),
 * `ended` when this very lease has ended the job already (its answer got lost), `lost` otherwise.
 */
export async function lockLease(sql: Sql, lease: Lease): Promise<'held' | EndVerdict> {
  const [row] = await sql.query(STANDING, [lease.jobId], standingRow);
  if (!row || row.lease_token !== lease.leaseToken) return 'lost';
  return row.state === 'leased' || row.state === 'queued' ? 'held' : 'ended';
}

const END = `
UPDATE job SET state = $2, result = $3::jsonb, error = $4::jsonb, finished_at = now(),
  progress = CASE WHEN $2 = 'done' THEN 1 ELSE progress END, leased_by = NULL, lease_expires_at = NULL
WHERE job_id = $1`;
// The token is wiped: a requeued job must not be taken back by the runner that gave it up.
const REQUEUE = `
UPDATE job SET state = 'queued', error = $2::jsonb, run_at = now() + make_interval(secs => $3 / 1000.0), deferred = $3 > 0,
  attempts = CASE WHEN $4 THEN greatest(attempts - 1, 0) ELSE attempts END,
  lease_token = NULL, leased_by = NULL, leased_worker = NULL, lease_expires_at = NULL
WHERE job_id = $1`;

/** Ends a lease whose row the caller holds by `lockLease` in the same transaction. */
export async function endLease(sql: Sql, jobId: string, end: LeaseEnd): Promise<void> {
  if (end.state === 'queued') {
    await sql.execute(REQUEUE, [jobId, storableOrNull(end.error), storableWaitMs(end.afterMs), end.refund]);
    return;
  }
  const result = end.state === 'done' ? storableOrNull(end.result) : null;
  const error = end.state === 'failed' ? storableOrNull(end.error) : null;
  await sql.execute(END, [jobId, end.state, result, error]);
}
