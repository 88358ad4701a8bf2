import { z } from 'zod';
import { checkResultSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';

// One look from outside, by a process that has not watched: here, and only here, ages are taken from the database's clock.

const serverRow = z.object({
  version_number: z.number(),
  version: z.string(),
  /** A standby, or a session that may only read. */
  read_only: z.boolean(),
  user_name: z.string(),
  /** Schema in which tables would be made; null when there is none. */
  schema_name: z.string().nullable(),
  may_create: z.boolean(),
  has_tables: z.boolean(),
  clock_ms: z.number(),
  backend_pid: z.number(),
});
/** What a server says of itself and of what this user may do there. */
export type ServerLook = z.infer<typeof serverRow>;

const SERVER = `
SELECT current_setting('server_version_num')::int AS version_number, current_setting('server_version') AS version,
  pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only, current_user::text AS user_name,
  current_schema()::text AS schema_name,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
  to_regclass('leader_lease') IS NOT NULL AND to_regclass('storage_root') IS NOT NULL AS has_tables,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS clock_ms, pg_backend_pid() AS backend_pid`;

/** One question that needs no tables of ours. */
export async function lookAtServer(sql: Sql): Promise<ServerLook> {
  const [row] = await sql.query(SERVER, [], serverRow);
  if (row === undefined) throw new Error('A statement without a table answers one row.');
  return row;
}

const clusterRow = z.object({
  leaderless_ms: z.number().nullable(),
  leader_changes: z.number(),
  /** The last leaderships, newest first; `lasted_ms` is null while one lasts. */
  last_leaders: z.array(
    z.object({ name: z.string(), term: z.number(), lasted_ms: z.number().nullable(), end_why: z.string().nullable() }),
  ),
  members: z.array(
    z.object({
      name: z.string(),
      host: z.string(),
      version: z.string(),
      age_ms: z.number(),
      availability: z.string(),
      reason: z.string(),
      roles: z.array(z.string()),
      health: z.array(checkResultSchema).catch([]),
    }),
  ),
  queues: z.array(
    z.object({
      role: z.string(),
      waiting: z.number(),
      /** Since the oldest of them could have begun. */
      oldest_ms: z.number(),
      running: z.number(),
      /** Leases that ran out this long ago at most; nobody has freed them. */
      overdue_ms: z.number(),
      failed: z.number(),
      last_failure: z.string().nullable(),
      /** Whether one of them ended in the last ten minutes. */
      is_moving: z.boolean(),
    }),
  ),
  /** Longest run among the last jobs that ended within an hour and those that run now. */
  longest_job_ms: z.number(),
  requests_wanted_per_second: z.number(),
  /** iconik's id of the cluster (or of the gateway without one) that the database belongs to; null before the first node. */
  owner: z.string().nullable(),
  may_write: z.boolean(),
  /** Newest version of this program that some migration demands. */
  needed_versions: z.array(z.string()),
  storages_in_use: z.array(z.string()),
});
/** What a cluster's tables say of it at one instant. */
export type ClusterLook = z.infer<typeof clusterRow>;

/** Every part reads an index over few rows: the look must cost a cluster with a million jobs as little as an idle one. */
const CLUSTER = `
SELECT (
    SELECT CASE WHEN released OR expires_at < now() THEN extract(epoch FROM now() - CASE
        WHEN NOT released THEN expires_at
        ELSE coalesce((SELECT max(ended_at) FROM leader_history), (SELECT min(started_at) FROM worker)) END) * 1000
      END::float8 FROM leader_lease) AS leaderless_ms,
  (SELECT count(*) FROM leader_history WHERE started_at > now() - interval '10 minutes')::int AS leader_changes,
  (SELECT coalesce(jsonb_agg(to_jsonb(recent)), '[]') FROM (SELECT name, term, end_why,
      (extract(epoch FROM ended_at - started_at) * 1000)::float8 AS lasted_ms
    FROM leader_history ORDER BY term DESC LIMIT 4) AS recent) AS last_leaders,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'host', host, 'version', version,
      'age_ms', extract(epoch FROM now() - last_seen_at) * 1000, 'availability', availability_status,
      'reason', status_reason, 'roles', roles, 'health', health) ORDER BY name), '[]') FROM worker) AS members,
  (SELECT jsonb_agg(to_jsonb(figures)) FROM (
    SELECT known.role,
      (SELECT count(*) FROM (SELECT FROM job WHERE job.role = known.role AND state = 'queued' AND run_at <= now()
        LIMIT 1000) AS due)::int AS waiting,
      coalesce((SELECT extract(epoch FROM now() - min(run_at)) * 1000 FROM (SELECT run_at FROM job
        WHERE job.role = known.role AND state = 'queued' AND run_at <= now() LIMIT 1000) AS due), 0)::float8
        AS oldest_ms,
      (SELECT count(*) FROM job WHERE job.role = known.role AND state = 'leased')::int AS running,
      coalesce((SELECT extract(epoch FROM now() - min(lease_expires_at)) * 1000 FROM job
        WHERE job.role = known.role AND state = 'leased' AND lease_expires_at < now()), 0)::float8 AS overdue_ms,
      (SELECT count(*) FROM (SELECT FROM job WHERE job.role = known.role AND state = 'failed'
        AND finished_at > now() - interval '24 hours' LIMIT 1000) AS dead)::int AS failed,
      (SELECT error ->> 'message' FROM job WHERE job.role = known.role AND state = 'failed'
        AND finished_at > now() - interval '24 hours' ORDER BY finished_at DESC LIMIT 1) AS last_failure,
      EXISTS (SELECT FROM job WHERE job.role = known.role AND finished_at > now() - interval '10 minutes') AS is_moving
    FROM (VALUES ('MAIN'), ('CHECKSUM'), ('TRANSCODE'), ('TRANSFER')) AS known (role)) AS figures) AS queues,
  greatest(
    (SELECT max(extract(epoch FROM finished_at - started_at)) * 1000 FROM (SELECT finished_at, started_at FROM job
      WHERE finished_at > now() - interval '1 hour' ORDER BY finished_at DESC LIMIT 1000) AS ended),
    (SELECT max(extract(epoch FROM now() - started_at)) * 1000 FROM job WHERE state = 'leased'), 0)::float8
    AS longest_job_ms,
  (SELECT coalesce(sum(demand_per_second), 0)::float8 FROM request_share
    WHERE run_id IN (SELECT run_id FROM worker WHERE last_seen_at > now() - interval '10 seconds'))
    AS requests_wanted_per_second,
  (SELECT cluster_id FROM cluster) AS owner,
  has_table_privilege('leader_lease', 'UPDATE') AND has_table_privilege('job', 'INSERT') AS may_write,
  (SELECT coalesce(jsonb_agg(DISTINCT min_version), '[]') FROM schema_migration) AS needed_versions,
  (SELECT coalesce(jsonb_agg(storage_id), '[]') FROM storage_root WHERE placed_marker OR files > 0) AS storages_in_use`;

/** The cluster as its tables have it. Only where `lookAtServer` found tables. */
export async function lookAtCluster(sql: Sql): Promise<ClusterLook> {
  const [row] = await sql.query(CLUSTER, [], clusterRow);
  if (row === undefined) throw new Error('A statement of aggregates answers one row.');
  return row;
}
