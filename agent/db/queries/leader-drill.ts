import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

// Failover drills (agent/leader/README.md). Written by leaders only.

const BEGIN = `, ended AS (
  UPDATE leader_drill SET outcome = 'not completed: another drill was begun' FROM fence WHERE outcome IS NULL
), changed AS (
  INSERT INTO leader_drill (from_run, from_term, to_run, to_name) SELECT $2::uuid, $1::bigint, $3::uuid, $4 FROM fence
  RETURNING 1
)`;
const idRow = z.object({ drill_id: z.string() });
const NEWEST = `SELECT max(drill_id)::text AS drill_id FROM leader_drill WHERE from_run = $1 AND from_term = $2`;

/** Begins a drill of this leadership, ends any other that was left open, and answers its id. */
export async function beginDrill(sql: Sql, holder: FenceHolder, to: { runId: string; name: string }): Promise<string> {
  await fencedExecute(sql, holder, BEGIN, [to.runId, to.name]);
  const [row] = await sql.query(NEWEST, [holder.runId, holder.term], idRow);
  if (!row) throw new Error('the drill that was just begun is not there');
  return row.drill_id;
}

const openRow = z.object({
  drill_id: z.string(),
  from_run: z.string(),
  from_term: z.coerce.number(),
  to_run: z.string(),
  to_name: z.string(),
  is_handed_over: z.boolean(),
  is_turn_over: z.boolean(),
  age_ms: z.number(),
});
const OPEN = `
SELECT drill_id::text, from_run, from_term, to_run, to_name, handed_over_at IS NOT NULL AS is_handed_over,
  turn_ended_at IS NOT NULL AS is_turn_over, (extract(epoch FROM clock_timestamp() - requested_at) * 1000)::float8 AS age_ms
FROM leader_drill WHERE outcome IS NULL ORDER BY drill_id DESC LIMIT 1`;

/** The newest open drill, or null. */
export async function openDrill(sql: Sql) {
  const [row] = await sql.query(OPEN, [], openRow);
  return row ?? null;
}

const HANDED_OVER = `, changed AS (
  UPDATE leader_drill SET handed_over_at = clock_timestamp() FROM fence
  WHERE drill_id = $3::bigint AND outcome IS NULL AND handed_over_at IS NULL RETURNING 1
)`;

/** Stamps that the successor leads. */
export async function markHandedOver(sql: Sql, holder: FenceHolder, drillId: string): Promise<void> {
  await fencedExecute(sql, holder, HANDED_OVER, [drillId]);
}

const TURN_OVER = `, changed AS (
  UPDATE leader_drill SET turn_ended_at = clock_timestamp() FROM fence
  WHERE drill_id = $3::bigint AND outcome IS NULL RETURNING 1
)`;

/** Stamps that the successor has led for its time and is about to hand back. */
export async function markTurnOver(sql: Sql, holder: FenceHolder, drillId: string): Promise<void> {
  await fencedExecute(sql, holder, TURN_OVER, [drillId]);
}

const END = `, changed AS (
  UPDATE leader_drill SET outcome = $4, handed_back_at = CASE WHEN $4 = 'completed' THEN clock_timestamp() END FROM fence
  WHERE drill_id = $3::bigint AND outcome IS NULL RETURNING 1
)`;

/** Ends a drill that is open; a completed one is stamped as handed back. */
export async function endDrill(
  sql: Sql,
  holder: FenceHolder,
  drill: { drillId: string; outcome: string },
): Promise<void> {
  await fencedExecute(sql, holder, END, [drill.drillId, drill.outcome]);
}

const END_BEGUN = `, changed AS (
  UPDATE leader_drill SET outcome = $3 FROM fence WHERE from_run = $2::uuid AND from_term = $1::bigint AND outcome IS NULL
  RETURNING 1
)`;

/** Ends the drill that this leadership began and whose id it may not have learnt; none is no error. */
export async function endBegunDrill(sql: Sql, holder: FenceHolder, outcome: string): Promise<void> {
  await fencedExecute(sql, holder, END_BEGUN, [outcome]);
}

const reportRow = z.object({
  is_handed_over: z.boolean(),
  outcome: z.string().nullable(),
  hand_over_ms: z.number().nullable(),
  total_ms: z.number().nullable(),
  out_gap_ms: z.number().nullable(),
  back_gap_ms: z.number().nullable(),
});
const between = (from: string, to: string): string => `(extract(epoch FROM ${to} - ${from}) * 1000)::float8`;

// A leadership that lapsed ends, in the history, when the next one begins; that is no measure of the time without a leader.
const gap = (ended: string, next: string): string =>
  `CASE WHEN ${ended}.end_why IS DISTINCT FROM ${next}.why THEN ${between(`${ended}.ended_at`, `${next}.started_at`)} END`;

const REPORT = `
SELECT d.handed_over_at IS NOT NULL AS is_handed_over, d.outcome,
  ${between('d.requested_at', 'd.handed_over_at')} AS hand_over_ms,
  ${between('d.requested_at', 'd.handed_back_at')} AS total_ms,
  ${gap('first', 'second')} AS out_gap_ms,
  ${gap('second', 'third')} AS back_gap_ms
FROM leader_drill d
LEFT JOIN leader_history first ON first.term = d.from_term
LEFT JOIN LATERAL (SELECT * FROM leader_history h WHERE h.term > d.from_term ORDER BY h.term LIMIT 1) second
  ON second.run_id = d.to_run
LEFT JOIN LATERAL (SELECT * FROM leader_history h WHERE h.term > second.term ORDER BY h.term LIMIT 1) third
  ON third.run_id = d.from_run
WHERE d.drill_id = $1::bigint`;

/** How far a drill has come, with the times without a leader in each direction (from the history of leaderships). */
export async function drillReport(sql: Sql, drillId: string) {
  const [row] = await sql.query(REPORT, [drillId], reportRow);
  return row ?? null;
}
