import { z } from 'zod';
import type { NewJob, RenewalItem } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { storableJson } from './job-storable.ts';

const enqueuedRow = z.object({ job_id: z.string(), dedupe_key: z.string() });

const ENQUEUE = `
INSERT INTO job (role, kind, storage_id, profile, payload, priority, dedupe_key, max_attempts,
                 origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id)
SELECT role, kind, storage_id, profile, payload, priority, dedupe_key, max_attempts,
       origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id
FROM jsonb_to_recordset($1::jsonb) AS new_job (
  role text, kind text, storage_id text, profile text, payload jsonb, priority int, dedupe_key text, max_attempts int,
  origin_kind text, origin_record_id text, origin_storage_id text, origin_iconik_job_id text)
ON CONFLICT (dedupe_key) WHERE state IN ('queued', 'leased') DO NOTHING
RETURNING job_id::text, dedupe_key`;

const toRecord = (job: NewJob) => ({
  role: job.role,
  kind: job.kind,
  storage_id: job.storageId,
  profile: job.profile ?? '',
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

const renewedRow = z.object({
  job_id: z.string(),
  lease_token: z.string(),
  cancel_requested: z.boolean(),
  is_busy: z.boolean(),
});

// Rows are locked in the order of their ids, here and wherever many are freed: two such statements never deadlock.
// A job that was freed but not leased since still carries our token: it is taken back under a new one. That is safe
// because nobody else ran it in between; an old token stays worthless.
// A row that another transaction has in hand is left out and told as busy: its client may be frozen, and the leases of all
// other jobs of this node must not wait for it.
const RENEW = `
WITH item AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS item ("jobId" bigint, "leaseToken" bigint, progress real, note text)
), mine AS (
  SELECT item.* FROM item JOIN job ON job.job_id = item."jobId" ORDER BY job.job_id FOR UPDATE OF job SKIP LOCKED
), renewed AS (
  UPDATE job SET
    state = 'leased', deferred = false, leased_by = $2, leased_worker = $3,
    lease_token = CASE WHEN job.state = 'leased' THEN job.lease_token ELSE nextval('lease_token') END,
    lease_expires_at = now() + make_interval(secs => $4),
    progress = mine.progress, progress_note = mine.note
  FROM mine
  WHERE job.job_id = mine."jobId" AND job.lease_token = mine."leaseToken" AND job.state IN ('leased', 'queued')
  RETURNING job.job_id, job.lease_token, job.cancel_requested
)
SELECT job_id::text, lease_token::text, cancel_requested, false AS is_busy FROM renewed
UNION ALL
SELECT item."jobId"::text, item."leaseToken"::text, false, true
FROM item JOIN job ON job.job_id = item."jobId" AND job.lease_token = item."leaseToken"
WHERE NOT EXISTS (SELECT 1 FROM mine WHERE mine."jobId" = item."jobId")`;

/**
 * Extends leases; a job that is not in the answer is lost to this runner. One that is busy was neither renewed nor lost:
 * another transaction has its row in hand. Waits for nobody.
 */
export async function renewJobs(
  sql: Sql,
  items: readonly RenewalItem[],
  owner: { runId: string; workerId: string; visibilityTimeoutS: number },
): Promise<{ jobId: string; leaseToken: string; cancelRequested: boolean; isBusy: boolean }[]> {
  const rows = await sql.query(
    RENEW,
    [storableJson(items), owner.runId, owner.workerId, owner.visibilityTimeoutS],
    renewedRow,
  );
  return rows.map((row) => ({
    jobId: row.job_id,
    leaseToken: row.lease_token,
    cancelRequested: row.cancel_requested,
    isBusy: row.is_busy,
  }));
}

const askedRow = z.object({ job_id: z.string() });
const CANCELLED_OF = `
SELECT job_id::text FROM job WHERE job_id = ANY ($1::bigint[]) AND state = 'leased' AND cancel_requested`;

/** Those of these running jobs whose cancellation was asked for. Reads only, so it may be asked more often than renewed. */
export async function cancelledOf(sql: Sql, jobIds: readonly string[]): Promise<string[]> {
  const rows = await sql.query(CANCELLED_OF, [jobIds], askedRow);
  return rows.map((row) => row.job_id);
}

// Freed jobs keep their token (see RENEW). A job that has used up its attempts this way is a dead letter: it may be what
// kills its workers. A row that another statement has in hand is left to it, here and below: it may be a client that went
// silent in a transaction, nothing ends a wait for it but its own limit, and the next look comes soon.
const free = (which: string): string => `
WITH locked AS (SELECT job_id FROM job WHERE state = 'leased' AND ${which} ORDER BY job_id FOR UPDATE SKIP LOCKED)
UPDATE job SET
  state = CASE WHEN attempts >= max_attempts THEN 'failed' WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
  error = CASE WHEN attempts >= max_attempts THEN
    jsonb_build_object('code', 'unexpected', 'retry', 'permanent',
      'message', 'The node that ran this job died ' || attempts || ' times; it is not tried again by itself. Retry it by hand.')
    ELSE error END,
  finished_at = CASE WHEN attempts >= max_attempts OR cancel_requested THEN now() END,
  -- One that is over here was not ended by its runner, which must not be told so.
  lease_token = CASE WHEN attempts >= max_attempts OR cancel_requested THEN NULL ELSE lease_token END,
  run_at = now(), deferred = false, leased_by = NULL, lease_expires_at = NULL
FROM locked WHERE job.job_id = locked.job_id`;

const FREE_OF_DEAD_RUN = free(
  'leased_by = $1 AND NOT EXISTS (SELECT 1 FROM worker WHERE run_id = $1 AND heartbeat <> $2)',
);

/** Frees the jobs of a run whose heartbeat counter still stands at `heartbeat`; answers how many. */
export function freeJobsOfDeadRun(sql: Sql, runId: string, heartbeat: string): Promise<number> {
  return sql.execute(FREE_OF_DEAD_RUN, [runId, heartbeat]);
}

const holdsRow = z.object({ holds: z.boolean() });
const HOLDS = `SELECT EXISTS (SELECT 1 FROM job WHERE state = 'leased' AND leased_by = $1) AS holds`;

/** Whether a run still holds leases (some may have been left out by a rescue because others had their rows in hand). */
export async function holdsJobs(sql: Sql, runId: string): Promise<boolean> {
  const [row] = await sql.query(HOLDS, [runId], holdsRow);
  return row?.holds === true;
}

const FREE_OF_EARLIER_RUNS = free(`leased_worker = $1 AND leased_by <> $2
  AND EXISTS (SELECT 1 FROM worker WHERE worker_id = $1 AND run_id = $2)`);

/** Frees what earlier runs of this installation hold; does nothing unless `runId` is the registered run. */
export function freeJobsOfEarlierRuns(sql: Sql, workerId: string, runId: string): Promise<number> {
  return sql.execute(FREE_OF_EARLIER_RUNS, [workerId, runId]);
}

const FREE_EXPIRED = free('lease_expires_at < now()');

/** Frees jobs whose lease has run out by the database's clock: the last resort. */
export function freeExpiredJobs(sql: Sql): Promise<number> {
  return sql.execute(FREE_EXPIRED, []);
}

const strayRow = z.object({ job_id: z.string(), lease_token: z.string() });
const STRAYS = `
SELECT job_id::text, lease_token::text FROM job
WHERE state = 'leased' AND leased_by = $1 AND job_id <> ALL ($2::bigint[])`;

// Most were leased by a statement whose answer never arrived and have not run. Some have: their end was refused, or the node
// stopped before it was stored. So the attempt is not given back: a job must not go round for ever.
const FREE_STRAY = `
WITH locked AS (
  SELECT job.job_id FROM unnest($2::bigint[], $3::bigint[]) AS stray (job_id, lease_token), job
  WHERE job.job_id = stray.job_id AND job.lease_token = stray.lease_token AND job.state = 'leased' AND job.leased_by = $1
  ORDER BY job.job_id FOR UPDATE OF job SKIP LOCKED)
UPDATE job SET
  state = CASE WHEN attempts >= max_attempts THEN 'failed' WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
  error = CASE WHEN attempts >= max_attempts THEN
    jsonb_build_object('code', 'unexpected', 'retry', 'permanent',
      'message', 'The end of this job could not be stored or its lease got lost, ' || attempts || ' times; it is not tried again by itself. Retry it by hand.')
    ELSE error END,
  finished_at = CASE WHEN attempts >= max_attempts OR cancel_requested THEN now() END,
  run_at = now(), deferred = false,
  lease_token = NULL, leased_by = NULL, leased_worker = NULL, lease_expires_at = NULL
FROM locked WHERE job.job_id = locked.job_id`;

/**
 * Frees jobs that a run has leased without knowing it; `knownJobIds` are all it does know. Not while it is claiming. By the
 * tokens that were read: a statement that arrives late finds no lease that the run has been given since.
 */
export async function freeStrayJobs(sql: Sql, runId: string, knownJobIds: readonly string[]): Promise<number> {
  const strays = await sql.query(STRAYS, [runId, knownJobIds], strayRow);
  if (strays.length === 0) return 0;
  const [jobIds, tokens] = [strays.map((row) => row.job_id), strays.map((row) => row.lease_token)];
  return sql.execute(FREE_STRAY, [runId, jobIds, tokens]);
}

const CANCEL_QUEUED = `
WITH locked AS (
  SELECT job_id FROM job WHERE state = 'queued' AND cancel_requested ORDER BY job_id FOR UPDATE SKIP LOCKED)
UPDATE job SET state = 'cancelled', deferred = false, lease_token = NULL, finished_at = now() FROM locked WHERE job.job_id = locked.job_id AND state = 'queued'`;

/** Ends queued jobs whose cancellation was asked for. */
export function endCancelledQueuedJobs(sql: Sql): Promise<number> {
  return sql.execute(CANCEL_QUEUED, []);
}
