import { z } from 'zod';
import { availabilitySchema, checkResultSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { FENCE_CTE } from './fence.ts';

/** A run of an installation, as it registers. */
export interface WorkerIdentity {
  workerId: string;
  runId: string;
  storageGatewayId: string;
  name: string;
  host: string;
  machineId: string;
  bootId: string;
  version: string;
}

/** What a run says of itself at each heartbeat. */
export interface WorkerStatus {
  roles: readonly string[];
  availability: string;
  reason: string;
  health: unknown;
}

const REGISTER = `
INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '{}', 'degraded')
ON CONFLICT (worker_id) DO UPDATE SET storage_gateway_id = $2, run_id = $3, name = $4, host = $5, machine_id = $6,
  boot_id = $7, version = $8, availability_status = 'degraded', status_reason = '', started_at = now(), last_seen_at = now(), heartbeat = worker.heartbeat + 1`;

/** Writes this run over any earlier run of the same installation, whose goodbye it forgets. */
export async function registerWorker(sql: Sql, self: WorkerIdentity): Promise<void> {
  await sql.execute(REGISTER, [
    self.workerId,
    self.storageGatewayId,
    self.runId,
    self.name,
    self.host,
    self.machineId,
    self.bootId,
    self.version,
  ]);
}

const registrationRow = z.object({
  run_id: z.string(),
  host: z.string(),
  machine_id: z.string(),
  heartbeat: z.string(),
  availability_status: z.string(),
});

/** The run that is registered under a worker id, or null. */
export async function readRegistration(sql: Sql, workerId: string): Promise<z.infer<typeof registrationRow> | null> {
  const text = 'SELECT run_id, host, machine_id, heartbeat::text, availability_status FROM worker WHERE worker_id = $1';
  const [row] = await sql.query(text, [workerId], registrationRow);
  return row ?? null;
}

/** Reason in the row of a run that stopped in good order: its last word, whatever beats are still on their way. */
const GOODBYE = 'stopped';

const heartbeatRow = z.object({ registered: z.boolean(), holds: z.boolean() });
const HEARTBEAT = `
WITH beat AS (
  UPDATE worker SET heartbeat = heartbeat + 1, last_seen_at = now(), roles = $3, availability_status = $4,
    status_reason = $5, health = $6::jsonb, name = $7
  WHERE worker_id = $1 AND run_id = $2 AND NOT (availability_status = 'unavailable' AND status_reason = '${GOODBYE}')
  RETURNING 1
), hold AS (
  UPDATE gateway_hold SET heartbeat = heartbeat + 1 WHERE run_id = $2 RETURNING 1
)
SELECT EXISTS (SELECT 1 FROM beat) OR EXISTS (SELECT 1 FROM worker WHERE worker_id = $1 AND run_id = $2) AS registered,
  EXISTS (SELECT 1 FROM hold) AS holds`;

/**
 * One sign of life: both counters move in one statement. One that comes after the goodbye of its run changes no row. `registered` is false when another run of this installation
 * has taken the row, `holds` when this run does not hold its storage gateway id.
 */
export async function beat(
  sql: Sql,
  self: { workerId: string; runId: string; name: string },
  status: WorkerStatus,
): Promise<{ registered: boolean; holds: boolean }> {
  const values = [
    self.workerId,
    self.runId,
    status.roles,
    status.availability,
    status.reason,
    JSON.stringify(status.health),
    self.name,
  ];
  const [row] = await sql.query(HEARTBEAT, values, heartbeatRow);
  return row ?? { registered: false, holds: false };
}

const holdRow = z.object({
  worker_id: z.string(),
  run_id: z.string(),
  machine_id: z.string(),
  host: z.string(),
  boot_id: z.string(),
  heartbeat: z.string(),
});
/** Who holds a storage gateway id. */
export type GatewayHold = z.infer<typeof holdRow>;

/** The hold of a gateway id, or null when nobody ever had it. */
export async function readHold(sql: Sql, storageGatewayId: string): Promise<GatewayHold | null> {
  const text =
    'SELECT worker_id, run_id, machine_id, host, boot_id, heartbeat::text FROM gateway_hold WHERE storage_gateway_id = $1';
  const [row] = await sql.query(text, [storageGatewayId], holdRow);
  return row ?? null;
}

const TAKE_HOLD = `
INSERT INTO gateway_hold AS hold (storage_gateway_id, worker_id, run_id, machine_id, host, boot_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (storage_gateway_id) DO UPDATE SET worker_id = $2, run_id = $3, machine_id = $4, host = $5, boot_id = $6,
  heartbeat = hold.heartbeat + 1
WHERE hold.run_id = $7 AND hold.heartbeat = $8::bigint`;

/** Takes a gateway id that nobody holds, or whose hold is still exactly `seen`; false when it moved. */
export async function takeHold(sql: Sql, self: WorkerIdentity, seen: GatewayHold | null): Promise<boolean> {
  const values = [
    self.storageGatewayId,
    self.workerId,
    self.runId,
    self.machineId,
    self.host,
    self.bootId,
    seen?.run_id ?? null,
    seen?.heartbeat ?? null,
  ];
  return (await sql.execute(TAKE_HOLD, values)) === 1;
}

const LEAVE = `
WITH freed AS (DELETE FROM gateway_hold WHERE run_id = $2)
UPDATE worker SET availability_status = 'unavailable', status_reason = '${GOODBYE}', last_seen_at = now(), heartbeat = heartbeat + 1
WHERE worker_id = $1 AND run_id = $2`;

/** Says goodbye at an orderly stop. */
export async function leaveCluster(sql: Sql, self: { workerId: string; runId: string }): Promise<void> {
  await sql.execute(LEAVE, [self.workerId, self.runId]);
}

/** Whether the last run of a worker said goodbye. */
export function hasLeft(row: { availability_status: string; status_reason: string }): boolean {
  return row.availability_status === 'unavailable' && row.status_reason === GOODBYE;
}

const memberRow = z.object({
  worker_id: z.string(),
  run_id: z.string(),
  storage_gateway_id: z.string(),
  name: z.string(),
  host: z.string(),
  version: z.string(),
  roles: z.array(z.string()),
  availability_status: availabilitySchema.catch('unavailable'),
  status_reason: z.string(),
  health: z.array(checkResultSchema).catch([]),
  heartbeat: z.string(),
  leads: z.boolean(),
});
/** One worker as every node sees it. */
export type MemberRow = z.infer<typeof memberRow>;

const MEMBERS = `
SELECT worker_id, run_id, storage_gateway_id, name, host, version, roles, availability_status, status_reason, health,
  heartbeat::text, EXISTS (SELECT 1 FROM leader_lease l WHERE l.run_id = worker.run_id AND NOT l.released) AS leads
FROM worker ORDER BY name, worker_id`;

/** All workers ever seen, living or not. */
export function readMembers(sql: Sql): Promise<MemberRow[]> {
  return sql.query(MEMBERS, [], memberRow);
}

const MARK_DEAD = `
${FENCE_CTE}
UPDATE worker SET availability_status = 'unavailable',
  status_reason = 'The node stopped answering; another node takes over its work.'
FROM fence WHERE worker.run_id = $3 AND worker.heartbeat = $4::bigint AND availability_status <> 'unavailable'`;

/** Corrects the status of a worker that the leader has seen dead, unless its counter moved meanwhile. */
export async function markWorkerDead(
  sql: Sql,
  leader: { term: number; runId: string },
  dead: { runId: string; heartbeat: string },
): Promise<boolean> {
  return (await sql.execute(MARK_DEAD, [leader.term, leader.runId, dead.runId, dead.heartbeat])) === 1;
}

const clusterRow = z.object({ cluster_id: z.string() });
const CLAIM_CLUSTER = `
WITH made AS (INSERT INTO cluster (cluster_id) VALUES ($1) ON CONFLICT (singleton) DO NOTHING RETURNING cluster_id)
SELECT cluster_id FROM made UNION ALL SELECT cluster_id FROM cluster`;

/** Binds an empty database to a cluster and answers whose it is. */
export async function claimDatabase(sql: Sql, clusterId: string): Promise<string> {
  const [row] = await sql.query(CLAIM_CLUSTER, [clusterId], clusterRow);
  // A racer that inserted after our snapshot: its row shows in the next statement.
  if (!row) return claimDatabase(sql, clusterId);
  return row.cluster_id;
}
