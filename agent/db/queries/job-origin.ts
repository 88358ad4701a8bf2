import { z } from 'zod';
import type { JobOrigin, JobState, NewJob } from '../../contract/index.ts';
import { jobOriginSchema } from '../../contract/index.ts';
import type { ErrorRecord } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';

/** Which queue of iconik a record stands in. */
export type RecordKind = JobOrigin['kind'];

/** A record of iconik turned into a job; with `failure` the job is born failed, so that its end is told like any other. */
export interface RecordJob {
  job: NewJob & { origin: JobOrigin };
  failure: ErrorRecord | null;
}

// The origin goes in first and decides: a record that has one already adds no job. The job gets the id the origin names.
// A job of the same key still running without origin (removed by hand) holds its record back instead of failing the batch.
const ADD = `
, incoming AS (
  SELECT record.* FROM fence CROSS JOIN jsonb_to_recordset($3::jsonb) AS record (
    role text, kind text, storage_id text, profile text, payload jsonb, priority int, dedupe_key text, max_attempts int,
    origin_kind text, origin_record_id text, origin_storage_id text, origin_iconik_job_id text, error jsonb)
  WHERE NOT EXISTS (
    SELECT 1 FROM job WHERE job.dedupe_key = record.dedupe_key AND job.state IN ('queued', 'leased'))
),
origin AS (
  INSERT INTO job_origin (record_kind, record_id, storage_id, job_id)
  SELECT origin_kind, origin_record_id, origin_storage_id, nextval(pg_get_serial_sequence('job', 'job_id'))
  FROM incoming
  ON CONFLICT (record_kind, record_id) DO NOTHING
  RETURNING record_kind, record_id, job_id
),
changed AS (
  INSERT INTO job (job_id, role, kind, storage_id, profile, payload, priority, dedupe_key, max_attempts, state, error,
                   finished_at, origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id)
  OVERRIDING SYSTEM VALUE
  SELECT origin.job_id, role, kind, storage_id, profile, payload, priority, dedupe_key, max_attempts,
         CASE WHEN error IS NULL THEN 'queued' ELSE 'failed' END, error, CASE WHEN error IS NOT NULL THEN now() END,
         origin_kind, origin_record_id, origin_storage_id, origin_iconik_job_id
  FROM incoming JOIN origin ON origin.record_kind = origin_kind AND origin.record_id = origin_record_id
  RETURNING 1
)`;

const toRecord = ({ job, failure }: RecordJob) => ({
  role: job.role,
  kind: job.kind,
  storage_id: job.storageId,
  profile: job.profile ?? '',
  payload: job.payload,
  priority: job.priority ?? 5,
  dedupe_key: job.dedupeKey,
  max_attempts: job.maxAttempts ?? 8,
  origin_kind: job.origin.kind,
  origin_record_id: job.origin.recordId,
  origin_storage_id: job.origin.storageId,
  origin_iconik_job_id: job.origin.iconikJobId,
  error: failure,
});

/**
 * Adds jobs with their origins in one fenced statement. A record that has an origin already, or stands twice in the list,
 * adds nothing. Answers how many jobs are new; throws `leadership-lost` when the term is over.
 */
export async function addRecordJobs(sql: Sql, holder: FenceHolder, jobs: readonly RecordJob[]): Promise<number> {
  const once = new Map(jobs.map((job) => [`${job.job.origin.kind} ${job.job.origin.recordId}`, job]));
  if (once.size === 0) return 0;
  return fencedExecute(sql, holder, ADD, [JSON.stringify([...once.values()].map(toRecord))]);
}

const originRow = z.object({ record_id: z.string(), settled: z.boolean() });
const ORIGINS = `
SELECT record_id, settled_at IS NOT NULL AS settled FROM job_origin WHERE record_kind = $1 AND storage_id = $2`;

/** Records of one queue that became jobs, and whether their end has been told to iconik. */
export async function originsOfQueue(
  sql: Sql,
  kind: RecordKind,
  storageId: string,
): Promise<{ recordId: string; settled: boolean }[]> {
  const rows = await sql.query(ORIGINS, [kind, storageId], originRow);
  return rows.map((row) => ({ recordId: row.record_id, settled: row.settled }));
}

const FORGET = `
, changed AS (
  DELETE FROM job_origin USING fence
  WHERE record_kind = $3 AND record_id = ANY ($4::text[]) AND settled_at IS NOT NULL RETURNING 1)`;

/** Removes settled origins. Only for records that a full list, begun after they were settled, did not show. */
export async function forgetOrigins(
  sql: Sql,
  holder: FenceHolder,
  kind: RecordKind,
  recordIds: readonly string[],
): Promise<number> {
  if (recordIds.length === 0) return 0;
  return fencedExecute(sql, holder, FORGET, [kind, recordIds]);
}

/** Names jobs by the records or iconik jobs behind them. */
export interface RecordSelection {
  kinds: readonly RecordKind[];
  recordIds: readonly string[];
  iconikJobIds: readonly string[];
}

// Found through the open origins, of which there are few, and not through the whole history of jobs.
const SELECTED = `
selected AS (
  SELECT job.job_id FROM job_origin AS origin JOIN job ON job.job_id = origin.job_id, fence
  WHERE origin.settled_at IS NULL AND job.state IN ('queued', 'leased') AND origin.record_kind = ANY ($3::text[])
    AND (origin.record_id = ANY ($4::text[]) OR job.origin_iconik_job_id = ANY ($5::text[]))
  -- in the order in which renewals lock them (job.ts), so that neither waits for the other in a circle
  ORDER BY job.job_id FOR UPDATE OF job)`;

const CANCEL = `
, ${SELECTED},
changed AS (
  UPDATE job SET cancel_requested = true FROM selected
  WHERE job.job_id = selected.job_id AND job.state IN ('queued', 'leased') RETURNING 1)`;

/** Asks for the end of unfinished jobs; repeating it changes nothing. Answers how many there are. */
export function cancelRecordJobs(sql: Sql, holder: FenceHolder, selection: RecordSelection): Promise<number> {
  return fencedExecute(sql, holder, CANCEL, [selection.kinds, selection.recordIds, selection.iconikJobIds]);
}

const PRIORITISE = `
, ${SELECTED},
changed AS (
  UPDATE job SET priority = $6, payload = jsonb_set(payload, '{iconikPriority}', to_jsonb($6::int)) FROM selected
  WHERE job.job_id = selected.job_id AND job.state IN ('queued', 'leased') RETURNING 1)`;

// The payload remembers what iconik knows, so that a priority given by an operator is told and one given by iconik is not.
/** Gives unfinished jobs the priority (1–10) that iconik gave them; repeating it changes nothing. Answers how many there are. */
export function prioritiseRecordJobs(
  sql: Sql,
  holder: FenceHolder,
  selection: RecordSelection,
  priority: number,
): Promise<number> {
  return fencedExecute(sql, holder, PRIORITISE, [
    selection.kinds,
    selection.recordIds,
    selection.iconikJobIds,
    priority,
  ]);
}

const CANCEL_KIND = `
, selected AS (
  SELECT job.job_id FROM job_origin AS origin JOIN job ON job.job_id = origin.job_id, fence
  WHERE origin.settled_at IS NULL AND job.state IN ('queued', 'leased') AND origin.record_kind = 'event'
    AND origin.storage_id = $3 AND job.kind = $4
  ORDER BY job.job_id FOR UPDATE OF job),
changed AS (
  UPDATE job SET cancel_requested = true FROM selected
  WHERE job.job_id = selected.job_id AND job.state IN ('queued', 'leased') RETURNING 1)`;

/** Asks for the end of all unfinished jobs of one kind that events ordered for a storage. Answers how many there are. */
export function cancelEventJobs(
  sql: Sql,
  holder: FenceHolder,
  of: { storageId: string; jobKind: string },
): Promise<number> {
  return fencedExecute(sql, holder, CANCEL_KIND, [of.storageId, of.jobKind]);
}

const repriorRow = z.object({ job_id: z.string(), iconik_job_id: z.string(), priority: z.number() });
/** An unfinished job whose priority iconik does not know. */
export type UntoldPriority = z.infer<typeof repriorRow>;

const UNTOLD_PRIORITY = `
SELECT job.job_id::text, job.origin_iconik_job_id AS iconik_job_id, job.priority
FROM job_origin AS origin JOIN job ON job.job_id = origin.job_id
WHERE origin.settled_at IS NULL AND job.state IN ('queued', 'leased') AND job.origin_iconik_job_id IS NOT NULL
  AND NOT job.cancel_requested
  AND job.priority <> CASE WHEN jsonb_typeof(job.payload -> 'iconikPriority') = 'number'
    THEN (job.payload ->> 'iconikPriority')::float8 ELSE 5 END
ORDER BY job.job_id LIMIT 500`;

/** Unfinished jobs that an operator gave another priority than iconik shows, oldest first, at most 500. */
export function untoldPriorities(sql: Sql): Promise<UntoldPriority[]> {
  return sql.query(UNTOLD_PRIORITY, [], repriorRow);
}

const PRIORITY_TOLD = `
, changed AS (
  UPDATE job SET payload = jsonb_set(payload, '{iconikPriority}', to_jsonb($4::int)) FROM fence
  WHERE job_id = ANY ($3::bigint[]) RETURNING 1)`;

/** Remembers which priority iconik shows for these jobs. */
export function recordPriorityTold(
  sql: Sql,
  holder: FenceHolder,
  jobIds: readonly string[],
  priority: number,
): Promise<number> {
  return fencedExecute(sql, holder, PRIORITY_TOLD, [jobIds, priority]);
}

/** One step of an iconik job, as the order named it. */
export interface IconikStep {
  id: string;
  label: string;
}

// Ids that iconik would not take are left out: one of them would have the whole call refused.
const stepsColumn = z
  .array(z.object({ id: z.uuid(), label: z.string() }).nullable().catch(null))
  .nullable()
  .catch(null)
  .transform((steps): IconikStep[] => (steps ?? []).filter((step) => step !== null));

/** A record whose job has ended and whose end iconik has not been told. */
export interface EndedRecord {
  kind: RecordKind;
  recordId: string;
  storageId: string;
  jobId: string;
  iconikJobId: string | null;
  /** `gone`: the job row is missing; nobody knows how it ended. */
  end: Extract<JobState, 'done' | 'failed' | 'cancelled'> | 'gone';
  errorMessage: string | null;
  /** What a finished job wants people to know all the same. */
  warning: string | null;
  /** Steps of the iconik job that this record is about. */
  steps: IconikStep[];
  /** ISO 8601 with offset, by the database's clock. */
  finishedAt: string | null;
}

const endedRow = z
  .object({
    record_kind: jobOriginSchema.shape.kind,
    record_id: z.string(),
    storage_id: z.string(),
    job_id: z.string(),
    iconik_job_id: z.string().nullable(),
    end_state: z.enum(['done', 'failed', 'cancelled', 'gone']),
    error_message: z.string().nullable(),
    warning: z.string().nullable(),
    steps: stepsColumn,
    finished_at: z.string().nullable(),
  })
  .transform(
    (row): EndedRecord => ({
      kind: row.record_kind,
      recordId: row.record_id,
      storageId: row.storage_id,
      jobId: row.job_id,
      iconikJobId: row.iconik_job_id,
      end: row.end_state,
      errorMessage: row.error_message,
      warning: row.warning,
      steps: row.steps,
      finishedAt: row.finished_at,
    }),
  );

// Records that share an iconik job are told together, once the last of them has ended: one end would else hide another.
const ENDED = `
WITH open AS (
  SELECT origin.record_kind, origin.record_id, origin.storage_id, origin.job_id,
         job.origin_iconik_job_id AS iconik_job_id, coalesce(job.state, 'gone') AS end_state,
         job.error ->> 'message' AS error_message, job.result ->> 'warning' AS warning,
         job.payload -> 'iconikSteps' AS steps,
         to_char(job.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS finished_at
  FROM job_origin AS origin LEFT JOIN job ON job.job_id = origin.job_id
  WHERE origin.settled_at IS NULL
)
SELECT record_kind, record_id, storage_id, job_id::text, iconik_job_id, end_state, error_message, warning, steps,
  finished_at
FROM open
WHERE end_state IN ('done', 'failed', 'cancelled', 'gone')
  AND NOT EXISTS (
    SELECT 1 FROM open AS sibling
    WHERE sibling.iconik_job_id = open.iconik_job_id AND sibling.end_state IN ('queued', 'leased'))
ORDER BY open.job_id`;

// Only what is needed to leave a row alone: that of a newer version must not hide the others.
const anyEndedRow = z.looseObject({ iconik_job_id: z.string().nullable() });

/**
 * Records to settle, oldest first. Those that share an iconik job appear only when all of them have ended. What this
 * version cannot read is left, with all that shares its iconik job, to a leader that can; `unreadable` counts it.
 */
export async function endedRecords(sql: Sql): Promise<{ records: EndedRecord[]; unreadable: number }> {
  const rows = await sql.query(ENDED, [], anyEndedRow);
  const parsed = rows.map((row) => ({ iconikJobId: row.iconik_job_id, fit: endedRow.safeParse(row) }));
  const unfit = parsed.filter(({ fit }) => !fit.success);
  const held = new Set(unfit.map(({ iconikJobId }) => iconikJobId).filter((jobId) => jobId !== null));
  const records = parsed.flatMap(({ iconikJobId, fit }) =>
    fit.success && !(iconikJobId !== null && held.has(iconikJobId)) ? [fit.data] : [],
  );
  return { records, unreadable: unfit.length };
}

/** The form in which a record is named in lists of keys. */
export function recordKey(record: { kind: RecordKind; recordId: string }): string {
  return `${record.kind} ${record.recordId}`;
}

const SETTLE = `
, changed AS (
  UPDATE job_origin SET settled_at = now() FROM fence
  WHERE record_kind || ' ' || record_id = ANY ($3::text[]) AND job_id = ANY ($4::bigint[]) AND settled_at IS NULL
  RETURNING 1)`;

/** Marks records settled, all or none. Only after iconik has been told of all of them. */
export function markSettled(sql: Sql, holder: FenceHolder, records: readonly EndedRecord[]): Promise<number> {
  return fencedExecute(sql, holder, SETTLE, [records.map(recordKey), records.map((record) => record.jobId)]);
}

/** An iconik job whose work is running here. */
export interface RunningIconikJob {
  iconikJobId: string;
  /** Highest id of our jobs behind it: tells a later order under the same iconik job from an earlier one. */
  lastJobId: bigint;
  /** 0–1, over all jobs behind it; ended ones count as 1. */
  progress: number;
  /** What a running job says of itself; empty = nothing. */
  note: string;
  /** When the first of them began, ISO 8601. */
  startedAt: string | null;
  /** Steps of the running jobs. */
  steps: IconikStep[];
  /** Whether the steps are to be asked of iconik: local transcodes name none. */
  asksForSteps: boolean;
}

const runningRow = z
  .object({
    iconik_job_id: z.string(),
    last_job_id: z.string(),
    progress: z.number(),
    note: z.string().nullable(),
    started_at: z.string().nullable(),
    steps: z.array(stepsColumn).nullable(),
    asks_for_steps: z.boolean(),
  })
  .transform(
    (row): RunningIconikJob => ({
      iconikJobId: row.iconik_job_id,
      lastJobId: BigInt(row.last_job_id),
      progress: row.progress,
      note: row.note ?? '',
      startedAt: row.started_at,
      steps: (row.steps ?? []).flat(),
      asksForSteps: row.asks_for_steps,
    }),
  );
// One whose cancellation was asked for is left out: STARTED would hide from users that it is being aborted.
const RUNNING = `
SELECT job.origin_iconik_job_id AS iconik_job_id, max(job.job_id)::text AS last_job_id,
  avg(CASE WHEN job.state IN ('done', 'failed', 'cancelled') THEN 1 ELSE job.progress END)::float8 AS progress,
  max(job.progress_note) FILTER (WHERE job.state = 'leased') AS note,
  to_char(min(job.started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS started_at,
  jsonb_agg(job.payload -> 'iconikSteps') FILTER (WHERE job.state = 'leased' AND job.payload ? 'iconikSteps') AS steps,
  bool_or(origin.record_kind = 'transcode' AND NOT job.payload ? 'iconikSteps') AS asks_for_steps
FROM job_origin AS origin JOIN job ON job.job_id = origin.job_id
WHERE origin.settled_at IS NULL AND job.origin_iconik_job_id IS NOT NULL
GROUP BY job.origin_iconik_job_id
HAVING bool_or(job.state = 'leased' AND NOT job.cancel_requested)
ORDER BY max(job.job_id)`;

/** iconik jobs with work that is leased and not yet settled. */
export function runningIconikJobs(sql: Sql): Promise<RunningIconikJob[]> {
  return sql.query(RUNNING, [], runningRow);
}
