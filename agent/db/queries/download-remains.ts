import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

// What downloads leave behind that ended without their handler: cancelled while queued, or out of attempts. Their checkpoint
// names it (`remains`); taking the names and ordering the tidying is one statement. Ends older than two days have been looked
// at long ago.
const TIDY = `
, ended AS MATERIALIZED (
  SELECT job_id, storage_id, payload, checkpoint FROM job
  WHERE state = ANY (ARRAY['failed', 'cancelled']) AND role = 'TRANSFER' AND finished_at > now() - interval '2 days'
    AND kind = ANY (ARRAY['download', 'direct-download', 'relay-download']) AND checkpoint ? 'remains' AND EXISTS (SELECT 1 FROM fence)
  ORDER BY job_id LIMIT 100 FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE job SET checkpoint = job.checkpoint - 'remains' FROM ended WHERE job.job_id = ended.job_id
), changed AS (
  INSERT INTO job (role, kind, storage_id, payload, dedupe_key)
  SELECT 'TRANSFER', 'clear-remains', storage_id,
    jsonb_build_object('storageId', storage_id, 'assetId', payload -> 'assetId', 'jobId', job_id::text,
      'remains', checkpoint -> 'remains'),
    'clear-remains:' || job_id
  FROM ended
  ON CONFLICT (dedupe_key) WHERE state IN ('queued', 'leased') DO NOTHING
  RETURNING 1
)`;

/** Orders the tidying after ended downloads; answers how many. Throws `leadership-lost` when the term is over. */
export function orderTidying(sql: Sql, holder: FenceHolder): Promise<number> {
  return fencedExecute(sql, holder, TIDY, []);
}

const stateRow = z.object({ state: z.string() });
const STATE = 'SELECT state FROM job WHERE job_id = $1::bigint';

/** Whether a job is queued or running (again): what it left is its own then. */
export async function isUnfinished(sql: Sql, jobId: string): Promise<boolean> {
  const [row] = await sql.query(STATE, [jobId], stateRow);
  return row?.state === 'queued' || row?.state === 'leased';
}
