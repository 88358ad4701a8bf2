import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** The ledger of what each run may send to iconik (agent/cluster/request-share/README.md). */

const BEGIN = 'INSERT INTO request_budget (credential) VALUES ($1) ON CONFLICT (credential) DO NOTHING';

const ledgerRow = z.object({
  version: z.number(),
  throttles: z.number(),
  pause_ms: z.number(),
  shares: z.array(z.object({ run_id: z.string(), demand: z.number(), held: z.number() })),
});
/** A credential's ledger at one instant. */
export type RequestLedger = z.infer<typeof ledgerRow>;

const READ = `
SELECT version::float8, throttles::float8, pause_ms,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('run_id', run_id, 'demand', demand_per_second, 'held', held_per_second)), '[]')
    FROM request_share WHERE credential = budget.credential) AS shares
FROM request_budget AS budget WHERE credential = $1`;

/** The ledger, begun if there is none. */
export async function readRequestLedger(sql: Sql, credential: string): Promise<RequestLedger> {
  const [row] = await sql.query(READ, [credential], ledgerRow);
  if (row) return row;
  await sql.execute(BEGIN, [credential]);
  return readRequestLedger(sql, credential);
}

/** One run's line in the ledger. */
export interface RequestShareLine {
  credential: string;
  runId: string;
  demand: number;
  held: number;
}

const RELEASE = `
INSERT INTO request_share (run_id, credential, demand_per_second, held_per_second) VALUES ($1, $2, $3, 0)
ON CONFLICT (run_id) DO UPDATE SET demand_per_second = $3,
  held_per_second = least(request_share.held_per_second, $4::float8)`;

/** Notes the demand, and the smaller of what stands there and `held`: needs no guard, since it can only free something. */
export async function releaseRequestShare(sql: Sql, line: RequestShareLine): Promise<void> {
  await sql.execute(RELEASE, [line.runId, line.credential, line.demand, line.held]);
}

// The guard is a compare-and-set on one row: of two raises that saw the same version the second changes nothing.
const RAISE = `
WITH guard AS (
  UPDATE request_budget SET version = version + 1 WHERE credential = $1 AND version = $2::bigint RETURNING 1
), struck AS (
  DELETE FROM request_share USING guard WHERE credential = $1 AND run_id = ANY ($6::uuid[])
)
INSERT INTO request_share (run_id, credential, demand_per_second, held_per_second) SELECT $3, $1, $4, $5 FROM guard
ON CONFLICT (run_id) DO UPDATE SET credential = $1, demand_per_second = $4, held_per_second = $5`;

/** Sets demand and held and strikes out `gone`, if the ledger still has `version`; whether it had. */
export async function raiseRequestShare(
  sql: Sql,
  line: RequestShareLine,
  seen: { version: number; gone: readonly string[] },
): Promise<boolean> {
  const values = [line.credential, seen.version, line.runId, line.demand, line.held, seen.gone];
  return (await sql.execute(RAISE, values)) === 1;
}

const THROTTLED = `
UPDATE request_budget SET throttles = throttles + 1, pause_ms = $2 WHERE credential = $1 RETURNING throttles::float8`;

/** Tells the other nodes of the credential of a 429; answers how many there have been. */
export async function noteThrottled(sql: Sql, credential: string, pauseMs: number): Promise<number> {
  const [row] = await sql.query(THROTTLED, [credential, Math.round(pauseMs)], z.object({ throttles: z.number() }));
  return row?.throttles ?? 0;
}

/** Strikes out a run. */
export async function leaveRequestLedger(sql: Sql, runId: string): Promise<void> {
  await sql.execute('DELETE FROM request_share WHERE run_id = $1', [runId]);
}
