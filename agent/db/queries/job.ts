import { z } from 'zod';
import { type JobOrigin, type NewJob, roleSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';

const enqueuedRow = z.object({ job_id: z.string(), dedupe_key: z.string() });

const ENQUEUE = `
INSERT INTO job (role, kind, storage_id, payload, priority, dedupe_key, max_attempts,
                 origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id)
SELECT role, kind, storage_id, payload, priority, dedupe_key, max_attempts,
       origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id
FROM jsonb_to_recordset($1::jsonb) AS new_job (
  role text, kind text, storage_id text, payload jsonb, priority int, dedupe_key text, max_attempts int,
  origin_kind text, origin_record_id text, origin_storage_id text, origin_iconik_job_id text)
ON CONFLICT (dedupe_key) WHERE state IN ('queued', 'leased') DO NOTHING
RETURNING job_id::text, dedupe_key`;

const toRecord = (job: NewJob) => ({
  role: job.role,
  kind: job.kind,
  storage_id: job.storageId,
  payload: job.payload,
  priority: job.priority ?? 5,
  dedupe_key: job.dedupeKey,
  max_attempts: job.maxAttempts ?? 8,
  origin_kind: job.origin?.kind ?? null,
  origin_record_id: job.origin?.recordId ?? null,
  origin_storage_id: job.origin?.storageId ?? null,
  origin_iconik_job_id: job.origin?.iconikJobId ?? null,
});

/**
 * Enqueues jobs; one whose dedupe key is queued or leased already is skipped. Answers the ids of those that are new.
 * Call it inside the (fenced) transaction of the write that wants the jobs.
 */
export async function enqueueJobs(sql: Sql, jobs: readonly NewJob[]): Promise<{ jobId: string; dedupeKey: string }[]> {
  if (jobs.length === 0) return [];
  const rows = await sql.query(ENQUEUE, [JSON.stringify(jobs.map(toRecord))], enqueuedRow);
  return rows.map((row) => ({ jobId: row.job_id, dedupeKey: row.dedupe_key }));
}

const claimedRow = z.object({
  job_id: z.string(),
  lease_token: z.string(),
  role: roleSchema,
  kind: z.string(),
  storage_id: z.string().nullable(),
  payload: z.unknown(),
  attempts: z.number(),
  checkpoint: z.unknown(),
  origin_kind: z.enum(['transfers_from', 'transfers_to', 'deletions', 'transcode']).nullable(),
  origin_record_id: z.string().nullable(),
  origin_storage_id: z.string().nullable(),
  origin_iconik_job_id: z.string().nullable(),
  max_attempts: z.number(),
});
/** A claimed row as the store maps it. */
export type ClaimedRow = z.infer<typeof claimedRow>;

/** One kind of slots of a node: which jobs fit, and how many more. */
export interface LaneDemand {
  role: string;
  kinds: readonly string[];
  slots: number;
}

/** Who claims, and what it can reach. */
export interface ClaimRequest {
  lanes: readonly LaneDemand[];
  /** Storages whose jobs may be taken: mounted here and healthy. */
  storageIds: readonly string[];
  runId: string;
  workerId: string;
  visibilityTimeoutS: number;
  /** The claimer's leadership; without one no MAIN job is given out. */
  term: number | null;
}

// One statement for all lanes: a node with free slots in five lanes still asks once per poll. The fence row is locked
// only when a term is named, so that ordinary claims never touch it.
const CLAIM = `
WITH fence AS MATERIALIZED (SELECT 1 FROM leader_term WHERE term = $5 AND run_id = $3 FOR SHARE),
picked AS (
  SELECT free.job_id
  FROM jsonb_to_recordset($1::jsonb) AS lane (role text, kinds jsonb, slots int),
  LATERAL (
    SELECT job_id FROM job
    WHERE state = 'queued' AND role = lane.role AND lane.kinds ? kind AND run_at <= now()
      AND (storage_id IS NULL OR storage_id = ANY ($2::text[]))
      AND (lane.role <> 'MAIN' OR EXISTS (SELECT 1 FROM fence))
    ORDER BY priority DESC, job_id
    LIMIT lane.slots
    FOR UPDATE SKIP LOCKED
  ) AS free
)
UPDATE job SET state = 'leased', lease_token = nextval('lease_token'), leased_by = $3, leased_worker = $4,
  lease_expires_at = now() + make_interval(secs => $6), attempts = attempts + 1,
  started_at = coalesce(started_at, now()), error = NULL, progress = 0, progress_note = ''
FROM picked WHERE job.job_id = picked.job_id
RETURNING job.job_id::text, lease_token::text, role, kind, storage_id, payload, attempts, checkpoint,
  origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id, max_attempts`;

/** Leases up to `slots` jobs per lane, best priority first, oldest first. */
export function claimJobs(sql: Sql, request: ClaimRequest): Promise<ClaimedRow[]> {
  return sql.query(
    CLAIM,
    [
      JSON.stringify(request.lanes),
      request.storageIds,
      request.runId,
      request.workerId,
      request.term,
      request.visibilityTimeoutS,
    ],
    claimedRow,
  );
}

/** The origin of a claimed row, if it has one. */
export function originOf(row: ClaimedRow): JobOrigin | null {
  if (!row.origin_kind || !row.origin_record_id || !row.origin_storage_id) return null;
  return {
    kind: row.origin_kind,
    recordId: row.origin_record_id,
    storageId: row.origin_storage_id,
    iconikJobId: row.origin_iconik_job_id,
  };
}

/** One running job at its renewal. */
export interface RenewalItem {
  jobId: string;
  leaseToken: string;
  progress: number;
  note: string;
}

const renewedRow = z.object({ job_id: z.string(), lease_token: z.string(), cancel_requested: z.boolean() });

// Rows are locked in the order of their ids, here and wherever many are freed: two such statements never deadlock.
// A job that was freed but not leased since still carries our token: it is taken back under a new one. That is safe
// because nobody else ran it in between; an old token stays worthless.
const RENEW = `
WITH item AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS item ("jobId" bigint, "leaseToken" bigint, progress real, note text)
), mine AS (
  SELECT item.* FROM item JOIN job ON job.job_id = item."jobId" ORDER BY job.job_id FOR UPDATE OF job
)
UPDATE job SET
  state = 'leased', leased_by = $2, leased_worker = $3,
  lease_token = CASE WHEN job.state = 'leased' THEN job.lease_token ELSE nextval('lease_token') END,
  lease_expires_at = now() + make_interval(secs => $4),
  progress = mine.progress, progress_note = mine.note
FROM mine
WHERE job.job_id = mine."jobId" AND job.lease_token = mine."leaseToken" AND job.state IN ('leased', 'queued')
RETURNING job.job_id::text, job.lease_token::text, job.cancel_requested`;

/** Extends leases; a job that is not in the answer is lost to this runner. */
export async function renewJobs(
  sql: Sql,
  items: readonly RenewalItem[],
  owner: { runId: string; workerId: string; visibilityTimeoutS: number },
): Promise<{ jobId: string; leaseToken: string; cancelRequested: boolean }[]> {
  const rows = await sql.query(
    RENEW,
    [JSON.stringify(items), owner.runId, owner.workerId, owner.visibilityTimeoutS],
    renewedRow,
  );
  return rows.map((row) => ({
    jobId: row.job_id,
    leaseToken: row.lease_token,
    cancelRequested: row.cancel_requested,
  }));
}

const CHECKPOINT = `
UPDATE job SET checkpoint = $3::jsonb WHERE job_id = $1 AND lease_token = $2 AND state IN ('leased', 'queued')`;

/** Stores where to resume, also when the job was freed but nobody leased it since; false when the lease is not the caller's any more. */
export async function saveCheckpoint(
  sql: Sql,
  lease: { jobId: string; leaseToken: string },
  checkpoint: unknown,
): Promise<boolean> {
  return (await sql.execute(CHECKPOINT, [lease.jobId, lease.leaseToken, JSON.stringify(checkpoint)])) === 1;
}

const standingRow = z.object({ state: z.string(), lease_token: z.string().nullable() });
const STANDING = 'SELECT state, lease_token::text FROM job WHERE job_id = $1 FOR UPDATE';

/**
 * Locks a job row and tells how the lease stands: `held` (also when the job was freed but nobody leased it since),
 * `ended` when this very lease has ended the job already (its answer got lost), `lost` otherwise.
 */
export async function lockLease(
  sql: Sql,
  lease: { jobId: string; leaseToken: string },
): Promise<'held' | 'ended' | 'lost'> {
  const [row] = await sql.query(STANDING, [lease.jobId], standingRow);
  if (!row || row.lease_token !== lease.leaseToken) return 'lost';
  return row.state === 'leased' || row.state === 'queued' ? 'held' : 'ended';
}

/** How a lease ends. */
export type LeaseEnd =
  | { state: 'done'; result: Record<string, unknown> }
  | { state: 'failed'; error: unknown }
  | { state: 'cancelled' }
  /** Back to the queue; `refund` gives the attempt back (snooze, shutdown). */
  | { state: 'queued'; afterMs: number; error: unknown; refund: boolean };

const END = `
UPDATE job SET state = $2, result = $3::jsonb, error = $4::jsonb, finished_at = now(),
  progress = CASE WHEN $2 = 'done' THEN 1 ELSE progress END, leased_by = NULL, lease_expires_at = NULL
WHERE job_id = $1`;
// The token is wiped: a requeued job must not be taken back by the runner that gave it up.
const REQUEUE = `
UPDATE job SET state = 'queued', error = $2::jsonb, run_at = now() + make_interval(secs => $3 / 1000.0),
  attempts = CASE WHEN $4 THEN greatest(attempts - 1, 0) ELSE attempts END,
  lease_token = NULL, leased_by = NULL, leased_worker = NULL, lease_expires_at = NULL
WHERE job_id = $1`;

const asJson = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);

/** Ends a lease whose row the caller holds by `lockLease` in the same transaction. */
export async function endLease(sql: Sql, jobId: string, end: LeaseEnd): Promise<void> {
  if (end.state === 'queued') {
    await sql.execute(REQUEUE, [jobId, asJson(end.error), end.afterMs, end.refund]);
    return;
  }
  const result = end.state === 'done' ? asJson(end.result) : null;
  const error = end.state === 'failed' ? asJson(end.error) : null;
  await sql.execute(END, [jobId, end.state, result, error]);
}

// Freed jobs keep their token (see RENEW). A job that has used up its attempts this way is a dead letter: it may be what
// kills its workers.
const free = (which: string): string => `
WITH locked AS (SELECT job_id FROM job WHERE state = 'leased' AND ${which} ORDER BY job_id FOR UPDATE)
UPDATE job SET
  state = CASE WHEN attempts >= max_attempts THEN 'failed' WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
  error = CASE WHEN attempts >= max_attempts THEN
    jsonb_build_object('code', 'unexpected', 'retry', 'permanent',
      'message', 'The node that ran this job died ' || attempts || ' times; it is not tried again by itself. Retry it by hand.')
    ELSE error END,
  finished_at = CASE WHEN attempts >= max_attempts OR cancel_requested THEN now() END,
  run_at = now(), leased_by = NULL, lease_expires_at = NULL
FROM locked WHERE job.job_id = locked.job_id`;

const FREE_OF_DEAD_RUN = free(
  'leased_by = $1 AND NOT EXISTS (SELECT 1 FROM worker WHERE run_id = $1 AND heartbeat <> $2)',
);

/** Frees the jobs of a run whose heartbeat counter still stands at `heartbeat`; answers how many. */
export function freeJobsOfDeadRun(sql: Sql, runId: string, heartbeat: string): Promise<number> {
  return sql.execute(FREE_OF_DEAD_RUN, [runId, heartbeat]);
}

const FREE_OF_EARLIER_RUNS = free('leased_worker = $1 AND leased_by <> $2');

/** Frees what earlier runs of this installation held; only for a run that holds the data folder. */
export function freeJobsOfEarlierRuns(sql: Sql, workerId: string, runId: string): Promise<number> {
  return sql.execute(FREE_OF_EARLIER_RUNS, [workerId, runId]);
}

const FREE_EXPIRED = free('lease_expires_at < now()');

/** Frees jobs whose lease has run out by the database's clock: the last resort. */
export function freeExpiredJobs(sql: Sql): Promise<number> {
  return sql.execute(FREE_EXPIRED, []);
}

// They were leased by a statement whose answer never arrived and have not run: the attempt is given back.
const FREE_STRAY = `
WITH locked AS (
  SELECT job_id FROM job WHERE state = 'leased' AND leased_by = $1 AND job_id <> ALL ($2::bigint[]) ORDER BY job_id FOR UPDATE)
UPDATE job SET state = 'queued', attempts = greatest(attempts - 1, 0), run_at = now(),
  lease_token = NULL, leased_by = NULL, leased_worker = NULL, lease_expires_at = NULL
FROM locked WHERE job.job_id = locked.job_id`;

/** Frees jobs that a run has leased without knowing it; `knownJobIds` are all it does know. Not while it is claiming. */
export function freeStrayJobs(sql: Sql, runId: string, knownJobIds: readonly string[]): Promise<number> {
  return sql.execute(FREE_STRAY, [runId, knownJobIds]);
}

const CANCEL_QUEUED = `
WITH locked AS (SELECT job_id FROM job WHERE state = 'queued' AND cancel_requested ORDER BY job_id FOR UPDATE)
UPDATE job SET state = 'cancelled', finished_at = now() FROM locked WHERE job.job_id = locked.job_id AND state = 'queued'`;

/** Ends queued jobs whose cancellation was asked for. */
export function endCancelledQueuedJobs(sql: Sql): Promise<number> {
  return sql.execute(CANCEL_QUEUED, []);
}
