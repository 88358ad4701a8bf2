import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

// Temporary file sets of relays whose leg on this cluster has ended without their removal: cancelled (at once), or out of attempts (a
// day later: until then it can be ordered again and goes on). A first leg that may have ordered the second keeps its set: the other
// gateway removes it. Marking the leg and ordering the removal is one statement. Ends older than two days have been looked at.
const TIDY = `
, ended AS MATERIALIZED (
  SELECT job_id, storage_id, payload -> 'assetId' AS asset_id,
    CASE kind WHEN 'relay-upload' THEN checkpoint ->> 'fileSetId' ELSE payload ->> 'sourceFileSetId' END AS file_set_id
  FROM job
  WHERE state = ANY (ARRAY['failed', 'cancelled']) AND role = 'TRANSFER' AND finished_at > now() - interval '2 days'
    AND (state = 'cancelled' OR finished_at < now() - interval '1 day')
    AND (kind = 'relay-download' OR (kind = 'relay-upload' AND checkpoint ->> 'fileSetId' IS NOT NULL
      AND checkpoint ->> 'isOrdering' = 'false'))
    AND NOT coalesce(checkpoint, '{}') ? 'isSetRemoved' AND EXISTS (SELECT 1 FROM fence)
  ORDER BY job_id LIMIT 100 FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE job SET checkpoint =
    CASE jsonb_typeof(job.checkpoint) WHEN 'object' THEN job.checkpoint ELSE '{}' END || '{"isSetRemoved": true}'
  FROM ended WHERE job.job_id = ended.job_id
), changed AS (
  INSERT INTO job (role, kind, storage_id, payload, dedupe_key)
  SELECT 'TRANSFER', 'relay-cleanup', storage_id,
    jsonb_build_object('assetId', asset_id, 'fileSetId', file_set_id, 'jobId', job_id::text), 'relay-cleanup:' || file_set_id
  FROM ended
  ON CONFLICT (dedupe_key) WHERE state IN ('queued', 'leased') DO NOTHING
  RETURNING 1
)`;

/** Orders the removal of what ended relays left in the cloud; answers how many. Throws `leadership-lost` when the term is over. */
export function orderRelayTidying(sql: Sql, holder: FenceHolder): Promise<number> {
  return fencedExecute(sql, holder, TIDY, []);
}
