import { z } from 'zod';
import { roleSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';

// What the snapshot shows beside a node's own facts. Read-only, off the pools of the work.

/** Instants go out as milliseconds since the epoch, by the database's clock; for display only. */
const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

const failureSchema = z.object({
  role: z.string(),
  job_id: z.string(),
  kind: z.string(),
  message: z.string().nullable(),
  at_ms: z.number(),
});
const spanSchema = z.object({
  term: z.number(),
  name: z.string(),
  why: z.string(),
  started_ms: z.number(),
  ended_ms: z.number().nullable(),
  end_why: z.string().nullable(),
});
const clusterFiguresRow = z.object({
  queued: z.record(z.string(), z.number()),
  running_by_worker: z.record(z.string(), z.number()),
  last_seen_ms: z.record(z.string(), z.number()),
  started_ms: z.record(z.string(), z.number()),
  last_failures: z.array(failureSchema),
  history: z.array(spanSchema),
  failed_jobs: z.number(),
});
/**
 * Queue depth by role, leases by worker, last heartbeats, starts, last failure by role, leaderships of 24 hours (newest first), failed
 * jobs of 24 hours (at most 100 a role).
 */
export type ClusterFigures = z.infer<typeof clusterFiguresRow>;

const CLUSTER_FIGURES = `
SELECT
  (SELECT coalesce(jsonb_object_agg(role, n), '{}') FROM (
    SELECT role, count(*) AS n FROM job WHERE state = 'queued' GROUP BY role) AS depth) AS queued,
  (SELECT coalesce(jsonb_object_agg(leased_worker, n), '{}') FROM (
    SELECT leased_worker, count(*) AS n FROM job WHERE state = 'leased' AND leased_worker IS NOT NULL
    GROUP BY leased_worker) AS load) AS running_by_worker,
  (SELECT coalesce(jsonb_object_agg(worker_id, ${ms('last_seen_at')}), '{}') FROM worker) AS last_seen_ms,
  (SELECT coalesce(jsonb_object_agg(worker_id, ${ms('started_at')}), '{}') FROM worker) AS started_ms,
  (SELECT coalesce(jsonb_agg(to_jsonb(failure)), '[]')
    FROM (VALUES ('MAIN'), ('CHECKSUM'), ('TRANSCODE'), ('TRANSFER')) AS known (role), LATERAL (
      SELECT known.role, job_id::text, kind, error ->> 'message' AS message, ${ms('finished_at')} AS at_ms
      FROM job WHERE state = 'failed' AND job.role = known.role AND finished_at IS NOT NULL
      ORDER BY finished_at DESC LIMIT 1) AS failure) AS last_failures,
  (SELECT coalesce(jsonb_agg(to_jsonb(span)), '[]') FROM (
    SELECT term, name, why, ${ms('started_at')} AS started_ms, ${ms('ended_at')} AS ended_ms, end_why
    FROM leader_history WHERE coalesce(ended_at, now()) > now() - interval '24 hours'
    ORDER BY term DESC LIMIT 100) AS span) AS history,
  (SELECT sum(n)::float8
    FROM (VALUES ('MAIN'), ('CHECKSUM'), ('TRANSCODE'), ('TRANSFER')) AS known (role), LATERAL (
      SELECT count(*) AS n FROM (
        SELECT FROM job WHERE state = 'failed' AND job.role = known.role AND finished_at > now() - interval '24 hours'
        LIMIT 100) AS failed) AS counted) AS failed_jobs`;

/** All figures of the cluster, from one statement and hence one instant. */
export async function clusterFigures(sql: Sql): Promise<ClusterFigures> {
  const [row] = await sql.query(CLUSTER_FIGURES, [], clusterFiguresRow);
  if (!row) throw new Error('A statement of aggregates answers one row.');
  return row;
}

const minuteRow = z.object({ minute_ms: z.number(), role: roleSchema, jobs: z.number(), bytes: z.number() });
/** Jobs done in one minute by one role. */
export type MinuteRow = z.infer<typeof minuteRow>;

/** A number of a jsonb column, null for anything else. */
const number = (column: string, key: string): string =>
  `CASE jsonb_typeof(${column} -> '${key}') WHEN 'number' THEN (${column} ->> '${key}')::float8 END`;

const MINUTES = `
SELECT ${ms("date_trunc('minute', finished_at)")} AS minute_ms, role, count(*)::float8 AS jobs,
  coalesce(sum(coalesce(${number('result', 'sizeBytes')}, ${number('payload', 'sizeBytes')})), 0)::float8 AS bytes
FROM job
WHERE finished_at >= date_trunc('minute', now() - make_interval(mins => $1::int)) AND state = 'done'
GROUP BY 1, role ORDER BY 1, role`;

/** What got done in the last `minutes` whole minutes and the current one, oldest first. Bytes where a job tells its size. */
export function throughputMinutes(sql: Sql, minutes: number): Promise<MinuteRow[]> {
  return sql.query(MINUTES, [minutes], minuteRow);
}

const storageRow = z.object({
  storage_id: z.string(),
  files: z.record(z.string(), z.number()),
  folders: z.number(),
  last_scan_ended_ms: z.number().nullable(),
  last_scan_seconds: z.number().nullable(),
  root_files: z.number(),
  scan_files: z.number().nullable(),
  problem: z.string().nullable(),
});
/** What the index knows of one storage. */
export type StorageFigures = z.infer<typeof storageRow>;

const STORAGES = `
WITH counted AS (
  SELECT storage_id, jsonb_object_agg(state, n) AS files FROM (
    SELECT storage_id, state, sum(files) AS n FROM (
      SELECT storage_id, state, files FROM storage_file_count
      UNION ALL SELECT storage_id, state, files FROM storage_file_change) AS noted
    GROUP BY storage_id, state HAVING sum(files) <> 0) AS by_state
  GROUP BY storage_id
)
SELECT storage_id, coalesce(counted.files, '{}') AS files, coalesce(root.folders, 0)::float8 AS folders,
  ${ms('root.last_scan_ended_at')} AS last_scan_ended_ms, root.last_scan_seconds, root.problem,
  coalesce(root.files, 0)::float8 AS root_files, root.scan_files::float8 AS scan_files
FROM counted FULL JOIN storage_root AS root USING (storage_id)`;

/** Files by state and the last scan of each storage. */
export function storageFiguresOfAll(sql: Sql): Promise<StorageFigures[]> {
  return sql.query(STORAGES, [], storageRow);
}
