import { z } from 'zod';
import { type JobState, jobStateSchema, type Role, roleSchema } from '../../contract/index.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Database, Sql } from '../../runtime/sql.ts';

// What operators see of the queue, and what they may change in it.

const jobRow = z.object({
  job_id: z.string(),
  role: roleSchema,
  kind: z.string(),
  state: jobStateSchema,
  subject: z.string(),
  storage_id: z.string().nullable(),
  priority: z.number(),
  attempts: z.number(),
  progress: z.number(),
  progress_note: z.string(),
  node_name: z.string().nullable(),
  created_ms: z.number(),
  started_ms: z.number().nullable(),
  finished_ms: z.number().nullable(),
  error: z.unknown(),
});
/** A job as it is listed. */
export type ListedJob = z.infer<typeof jobRow>;

/** Which jobs a list holds; empty lists and null do not limit. */
export interface JobFilter {
  roles: readonly Role[];
  states: readonly JobState[];
  storageId: string | null;
  /** Only jobs that a node of this name runs now. */
  nodeName: string | null;
  /** Part of the path worked on, or the whole job id. Case counts only beyond ASCII: the database may know no other letters. */
  text: string;
}

// A path where the job has one (checksum, transcode, upload, delete), else where its file is to go (download).
const SUBJECT = `coalesce(payload ->> 'path', nullif(concat_ws('/', nullif(payload ->> 'destinationDirectoryPath', ''),
  coalesce(payload ->> 'destinationFilename', payload ->> 'destinationFileSetName')), ''), '')`;
const MATCHES = `($1::text[] = '{}' OR role = ANY ($1)) AND ($2::text[] = '{}' OR state = ANY ($2))
  AND ($3::text IS NULL OR storage_id = $3)
  AND ($4::text IS NULL OR (state = 'leased' AND leased_worker IN (SELECT worker_id FROM worker WHERE name = $4)))
  AND ($5 = '' OR strpos(lower(${SUBJECT}), lower($5)) > 0 OR job_id::text = $5)`;

// Ordered by the number: by its bare name it would be the text that is selected.
const LIST = `
SELECT job_id::text, role, kind, state, ${SUBJECT} AS subject, storage_id, priority, attempts, progress, progress_note,
  (SELECT name FROM worker WHERE worker_id = job.leased_worker AND job.state = 'leased') AS node_name,
  (extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  (extract(epoch FROM started_at) * 1000)::float8 AS started_ms,
  (extract(epoch FROM finished_at) * 1000)::float8 AS finished_ms, error
FROM job WHERE ${MATCHES} AND ($6::bigint IS NULL OR job_id < $6)
ORDER BY job.job_id DESC LIMIT $7`;

const values = ({ roles, states, storageId, nodeName, text }: JobFilter) => [
  [...roles],
  [...states],
  storageId,
  nodeName,
  text,
];

/** Jobs that match, newest first, those before `beforeJobId`. */
export function listJobs(
  sql: Sql,
  filter: JobFilter,
  page: { beforeJobId: string | null; limit: number },
): Promise<ListedJob[]> {
  return sql.query(LIST, [...values(filter), page.beforeJobId, page.limit], jobRow);
}

const countRow = z.object({ total: z.number() });

/** How many jobs match. */
export async function countJobs(sql: Sql, filter: JobFilter): Promise<number> {
  const text = `SELECT count(*)::float8 AS total FROM job WHERE ${MATCHES}`;
  const [row] = await sql.query(text, values(filter), countRow);
  return row?.total ?? 0;
}

// A queued job ends here and now, and a runner that it was freed from has not ended it: its token goes. A running one learns
// of it at its next renewal.
const CANCEL = `
UPDATE job SET cancel_requested = true,
  state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END, deferred = false,
  lease_token = CASE WHEN state = 'queued' THEN NULL ELSE lease_token END,
  finished_at = CASE WHEN state = 'queued' THEN now() END
WHERE job_id = $1 AND state IN ('queued', 'leased')`;

/** Asks for the end of an unfinished job; false when it is not unfinished. */
export async function cancelJob(sql: Sql, jobId: string): Promise<boolean> {
  return (await sql.execute(CANCEL, [jobId])) === 1;
}

const PRIORITISE = `UPDATE job SET priority = $2 WHERE job_id = $1 AND state IN ('queued', 'leased')`;

/** Gives an unfinished job a priority (1–10); false when it is not unfinished. */
export async function prioritiseJob(sql: Sql, jobId: string, priority: number): Promise<boolean> {
  return (await sql.execute(PRIORITISE, [jobId, priority])) === 1;
}

const endedRow = z.object({ kind: z.string(), payload: z.unknown() });
const LOCK_ENDED = `SELECT kind, payload FROM job WHERE job_id = $1 AND state IN ('failed', 'cancelled') FOR UPDATE`;
// The token goes, so that the runner of an earlier attempt cannot end this one. The origin stays as it is: unsettled, it
// is told the end of the new attempt; settled, iconik has been told and is not told twice.
const RETRY = `
UPDATE job SET state = 'queued', attempts = 0, run_at = now(), deferred = false, cancel_requested = false, progress = 0, progress_note = '',
  error = NULL, result = NULL, started_at = NULL, finished_at = NULL,
  lease_token = NULL, leased_by = NULL, leased_worker = NULL, lease_expires_at = NULL
WHERE job_id = $1`;
// A failed checksum made its row faulty; only a row that waits for this very content takes the digests. Without a fence:
// the leader changes no faulty row but by a scan that saw other content, and then this matches nothing.
const WAIT_AGAIN = `
UPDATE storage_file SET state = 'hashing', error = NULL, attempts = 0
WHERE storage_id = $1 AND path_key = $2 AND size_bytes = $3::bigint AND mtime_ns = $4::bigint AND state = 'faulty'`;

/** The file whose row waits for the job's result. */
export interface WaitingFile {
  storageId: string;
  pathKey: string;
  sizeBytes: number;
  mtimeNs: string;
}

/**
 * Queues a failed or cancelled job again, with the file row that waits for it (`waitingFile` reads it off the payload).
 * False when the job has not failed nor been cancelled. Throws `database-conflict` when the same work is queued or running
 * under another id.
 */
export function retryJob(
  database: Database,
  jobId: string,
  waitingFile: (job: { kind: string; payload: unknown }) => WaitingFile | null,
): Promise<boolean> {
  return database.transaction(async (sql) => {
    const [job] = await sql.query(LOCK_ENDED, [jobId], endedRow);
    if (!job) return false;
    await sql.execute(RETRY, [jobId]).catch(explainTwin);
    const file = waitingFile(job);
    if (file) await sql.execute(WAIT_AGAIN, [file.storageId, file.pathKey, file.sizeBytes, file.mtimeNs]);
    return true;
  });
}

function explainTwin(thrown: unknown): never {
  if (!(thrown instanceof IsgError) || thrown.fields.constraint !== 'job_active_dedupe') throw thrown;
  throw new IsgError(
    'database-conflict',
    'The same work is queued or running already as another job, so this one is not queued again. Look for that job in the list.',
    { retry: 'permanent', cause: thrown },
  );
}
