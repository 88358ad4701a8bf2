import { z } from 'zod';
import {
  type ClaimReach,
  type EndedLease,
  type EndVerdict,
  type JobOrigin,
  type LaneDemand,
  roleSchema,
} from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { FENCE } from './fence.ts';

// One statement, hence one round trip and one commit, for everything that a node's slots want of the queue at an instant:
// it ends the leases of the jobs that are over and leases new ones for the slots that this frees.

const claimedRow = z.object({
  what: z.literal('claimed'),
  job_id: z.string(),
  lease_token: z.string(),
  role: roleSchema,
  kind: z.string(),
  profile: z.string(),
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
const verdictRow = z.object({ what: z.enum(['ended', 'lost']), job_id: z.string() });
const exchangeRow = z.discriminatedUnion('what', [claimedRow, verdictRow]);

// The rows that end are locked first and in the order of their ids, like everywhere; what is claimed is locked without
// waiting. So no circle of waits can form. A lease that this very statement ends is not claimed by it.
const ENDING = `
ending AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($3::jsonb) AS ending (
    "jobId" bigint, "leaseToken" bigint, state text, result jsonb, error jsonb, "afterMs" float8, refund boolean)
), standing AS MATERIALIZED (
  SELECT job_id, state, lease_token FROM job WHERE job_id = ANY ($4::bigint[]) ORDER BY job_id FOR UPDATE
), ended AS (
  UPDATE job SET
    state = ending.state, result = ending.result, error = ending.error,
    finished_at = CASE WHEN ending.state <> 'queued' THEN now() END,
    progress = CASE WHEN ending.state = 'done' THEN 1 ELSE job.progress END,
    run_at = CASE WHEN ending.state = 'queued' THEN now() + make_interval(secs => ending."afterMs" / 1000) ELSE job.run_at END,
    deferred = ending.state = 'queued' AND ending."afterMs" > 0,
    attempts = CASE WHEN ending.refund THEN greatest(job.attempts - 1, 0) ELSE job.attempts END,
    -- A requeued job must not be taken back by the runner that gave it up.
    lease_token = CASE WHEN ending.state <> 'queued' THEN job.lease_token END,
    leased_worker = CASE WHEN ending.state <> 'queued' THEN job.leased_worker END,
    leased_by = NULL, lease_expires_at = NULL
  FROM ending, standing
  WHERE job.job_id = ANY ($4::bigint[]) AND job.job_id = ending."jobId" AND standing.job_id = job.job_id
    AND standing.lease_token = ending."leaseToken" AND standing.state IN ('leased', 'queued')
    AND job.lease_token = ending."leaseToken" AND job.state IN ('leased', 'queued')
  RETURNING job.job_id
)`;

// Shelves are what job_claim is ordered by. Those of a lane with slots per profile are found by stepping from one profile
// to the next. MAIN lanes have no shelf without the fence.
const SHELVES = `
lane AS MATERIALIZED (
  SELECT * FROM unnest($5::int[], $6::text[], $7::text[], $8::int[], $9::jsonb[]) AS lane (lane, role, kind, slots, taken)
  WHERE role <> 'MAIN' OR EXISTS (SELECT 1 FROM fence)
), shelf AS (
  SELECT lane, role, kind, slots, taken, '' AS profile FROM lane
  UNION ALL
  SELECT lane, role, kind, slots, taken, (
    SELECT job.profile FROM job
    WHERE job.state = 'queued' AND NOT job.deferred AND job.role = shelf.role AND job.kind = shelf.kind
      AND job.profile > shelf.profile
    ORDER BY job.role, job.kind, job.profile LIMIT 1)
  FROM shelf WHERE taken IS NOT NULL AND profile IS NOT NULL
), open_shelf AS MATERIALIZED (
  SELECT lane, role, kind, profile, slots - coalesce((taken ->> profile)::int, 0) AS slots FROM shelf
  WHERE profile IS NOT NULL AND slots > coalesce((taken ->> profile)::int, 0)
)`;

const FITS = `state = 'queued' AND NOT deferred AND role = open_shelf.role AND kind = open_shelf.kind
  AND profile = open_shelf.profile AND coalesce(storage_id, '') = place.storage_id
  AND run_at <= now() AND job_id <> ALL ($4::bigint[])`;

// Two limits: the constant one tells the planner that few rows are wanted, the shelf's is the true one; rows are locked
// one by one as they are taken, so no more than the shelf's slots.
const LARGER_FIRST = `
  SELECT job_id, priority FROM job WHERE ${FITS} ORDER BY priority DESC, job_id LIMIT $10 FOR UPDATE SKIP LOCKED`;
// The index is ordered for larger ones first. Taken level by level, as far as slots reach.
const SMALLER_FIRST = `
  SELECT level.job_id, -level.priority AS priority FROM generate_series(1, 10) AS wanted, LATERAL (
    SELECT job_id, priority FROM job WHERE ${FITS} AND priority = wanted ORDER BY job_id LIMIT $10 FOR UPDATE SKIP LOCKED
  ) AS level LIMIT $10`;

const exchangeText = (head: string): string => `
WITH RECURSIVE ${FENCE},${ENDING},${SHELVES},
candidate AS MATERIALIZED (
  SELECT taken.job_id, open_shelf.slots,
    row_number() OVER (PARTITION BY open_shelf.lane, open_shelf.profile ORDER BY taken.priority DESC, taken.job_id) AS nth
  FROM open_shelf CROSS JOIN unnest($11::text[]) AS place (storage_id),
    LATERAL (SELECT * FROM (${head}) AS head LIMIT open_shelf.slots) AS taken
), claimed AS (
  UPDATE job SET state = 'leased', lease_token = nextval('lease_token'), leased_by = $2::uuid, leased_worker = $12::uuid,
    lease_expires_at = now() + make_interval(secs => $13), attempts = attempts + 1,
    started_at = coalesce(started_at, now()), error = NULL, progress = 0, progress_note = ''
  WHERE job_id = ANY (ARRAY(SELECT candidate.job_id FROM candidate WHERE nth <= slots))
  RETURNING *
)
SELECT 'claimed' AS what, job_id::text, lease_token::text, role, kind, profile, storage_id, payload, attempts, checkpoint,
  origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id, max_attempts
FROM claimed
UNION ALL
SELECT CASE
    WHEN ended.job_id IS NOT NULL THEN 'ended'
    WHEN standing.lease_token = ending."leaseToken" AND standing.state IN ('done', 'failed', 'cancelled') THEN 'ended'
    ELSE 'lost' END,
  ending."jobId"::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM ending LEFT JOIN ended ON ended.job_id = ending."jobId" LEFT JOIN standing ON standing.job_id = ending."jobId"`;

const EXCHANGE = { 'larger-first': exchangeText(LARGER_FIRST), 'smaller-first': exchangeText(SMALLER_FIRST) } as const;

/** What a node wants of the queue at an instant. */
export interface ExchangeRequest extends ClaimReach {
  /** Leases to end, at most one per job. */
  ends: readonly EndedLease[];
  lanes: readonly LaneDemand[];
  runId: string;
  workerId: string;
}

/** What it got: verdicts by job id. */
export interface ExchangeAnswer {
  claimed: ClaimedRow[];
  verdicts: Map<string, EndVerdict>;
}

const endRecord = ({ lease, end }: EndedLease) => ({
  ...lease,
  state: end.state,
  result: end.state === 'done' ? end.result : null,
  error: end.state === 'failed' || end.state === 'queued' ? (end.error ?? null) : null,
  afterMs: end.state === 'queued' ? end.afterMs : 0,
  refund: end.state === 'queued' && end.refund,
});

/** The lanes as columns: one entry per kind; kinds of one lane share its slots. */
function laneColumns(lanes: readonly LaneDemand[]): unknown[] {
  const entries = lanes.flatMap((lane, at) => lane.kinds.map((kind) => ({ lane, at, kind })));
  return [
    entries.map(({ at }) => at),
    entries.map(({ lane }) => lane.role),
    entries.map(({ kind }) => kind),
    entries.map(({ lane }) => lane.slots),
    entries.map(({ lane }) => (lane.takenByProfile ? JSON.stringify(lane.takenByProfile) : null)),
  ];
}

/**
 * Ends leases and leases up to `slots` jobs per lane, best priority first, oldest first, in one atomic statement. May be
 * repeated when its answer got lost: what it ended counts as ended; what it leased is found by `freeStrayJobs`.
 */
export async function exchangeJobs(sql: Sql, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { ends, lanes, runId, workerId, term } = request;
  const values = [
    term,
    runId,
    JSON.stringify(ends.map(endRecord)),
    ends.map(({ lease }) => lease.jobId),
    ...laneColumns(lanes),
    Math.max(1, ...lanes.map(({ slots }) => slots)),
    ['', ...request.storageIds],
    workerId,
    request.visibilityTimeoutS,
  ];
  const rows = await sql.query(EXCHANGE[request.priorityOrder ?? 'larger-first'], values, exchangeRow);
  const answer: ExchangeAnswer = { claimed: [], verdicts: new Map() };
  for (const row of rows) {
    if (row.what === 'claimed') answer.claimed.push(row);
    else answer.verdicts.set(row.job_id, row.what);
  }
  return answer;
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
