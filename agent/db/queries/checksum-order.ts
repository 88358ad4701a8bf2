import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';

/** Rows on their way to a checksum. */

const readyRow = z
  .object({ path: z.string(), path_key: z.string(), size_bytes: z.string(), mtime_ns: z.string() })
  .transform((row) => ({
    path: row.path,
    pathKey: row.path_key,
    sizeBytes: Number(row.size_bytes),
    mtimeNs: row.mtime_ns,
  }));

const TAKE_READY = `
UPDATE storage_file SET state = 'hashing' WHERE storage_id = $1 AND path_key IN (
  SELECT path_key FROM storage_file WHERE storage_id = $1 AND state = 'ready' ORDER BY next_attempt_at LIMIT $2 FOR UPDATE
)
RETURNING path, path_key, size_bytes::text, mtime_ns::text`;

/** Moves up to `limit` quiet files to `hashing`; call it inside a fenced transaction that also enqueues their jobs. */
export function takeReady(sql: Sql, storageId: string, limit: number): Promise<z.infer<typeof readyRow>[]> {
  return sql.query(TAKE_READY, [storageId, limit], readyRow);
}

// The job's key as checksum-orders.ts builds it. A job that ended without touching its row (it died for good, was
// cancelled, or somebody removed it) would leave the row waiting for ever.
const SETTLE_STUCK = `,
waiting AS (
  SELECT path_key, 'checksum:' || storage_id || ':' || path_key || ':' || size_bytes || ':' || mtime_ns AS dedupe_key
  FROM storage_file WHERE storage_id = $3 AND state = 'hashing'
),
stuck AS (
  SELECT waiting.path_key, ended.state AS job_state, ended.error AS job_error FROM waiting
  LEFT JOIN LATERAL (
    SELECT state, error FROM job
    WHERE job.dedupe_key = waiting.dedupe_key AND kind = 'checksum' AND state IN ('done', 'failed', 'cancelled')
    ORDER BY job_id DESC LIMIT 1
  ) AS ended ON true
  WHERE NOT EXISTS (
    SELECT 1 FROM job WHERE job.dedupe_key = waiting.dedupe_key AND job.state IN ('queued', 'leased'))
),
changed AS (
  UPDATE storage_file AS file SET
    state = CASE WHEN stuck.job_state = 'failed' THEN 'faulty' ELSE 'ready' END,
    error = CASE WHEN stuck.job_state = 'failed' THEN stuck.job_error END
  FROM stuck, fence
  WHERE file.storage_id = $3 AND file.path_key = stuck.path_key AND file.state = 'hashing'
  RETURNING 1
)`;

/** Frees rows in `hashing` that no queued or leased job stands for; answers how many. */
export function settleStuckHashing(sql: Sql, holder: FenceHolder, storageId: string): Promise<number> {
  return fencedExecute(sql, holder, SETTLE_STUCK, [storageId]);
}
