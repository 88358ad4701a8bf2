import { z } from 'zod';
import type { UnclaimedWork } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

// What keeps the queue going beside its claims.

// Any node may do it, several at once: a row that another one has in hand is left to it.
const RELEASE_DEFERRED = `
UPDATE job SET deferred = false WHERE job_id = ANY (ARRAY(
  SELECT job_id FROM job WHERE state = 'queued' AND deferred AND run_at <= now()
  ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED))`;

/** Puts jobs whose waiting time is over where claims find them, at most 1000 a call; answers how many. */
export function releaseDeferredJobs(sql: Sql): Promise<number> {
  return sql.execute(RELEASE_DEFERRED, []);
}

// A job whose record iconik still waits to hear of stays: its end would else be told as unknown. Locked in the order of
// ids like everywhere; an operator who retries a job at this moment keeps it.
const DELETE_ENDED = `
, old AS (
  SELECT job_id FROM job
  WHERE finished_at < now() - interval '1 day' * CASE WHEN $3 = 'failed' THEN $5::int ELSE $4::int END AND state = $3
    AND NOT EXISTS (SELECT 1 FROM job_origin WHERE job_origin.job_id = job.job_id AND settled_at IS NULL)
  ORDER BY finished_at LIMIT $6
), locked AS (
  SELECT job.job_id FROM job WHERE job_id = ANY (ARRAY(SELECT job_id FROM old)) AND state = $3
  ORDER BY job_id FOR UPDATE SKIP LOCKED
), changed AS (
  DELETE FROM job USING fence WHERE job_id = ANY (ARRAY(SELECT job_id FROM locked)) RETURNING 1
)`;

/** How long ended jobs are kept, days; and how many are deleted at once. */
export interface Retention {
  doneDays: number;
  failedDays: number;
  batch: number;
}

/**
 * Deletes one batch of jobs that ended in `state` long ago (`failedDays` for failed ones, `doneDays` for others); answers
 * how many. Throws `leadership-lost` when the term is over.
 */
export function deleteEndedJobs(
  sql: Sql,
  holder: FenceHolder,
  state: 'done' | 'failed' | 'cancelled',
  { doneDays, failedDays, batch }: Retention,
): Promise<number> {
  return fencedExecute(sql, holder, DELETE_ENDED, [state, doneDays, failedDays, batch]);
}

const unclaimedRow = z
  .object({
    role: z.string(),
    kind: z.string(),
    storage_id: z.string().nullable(),
    waiting_minutes: z.number(),
    has_role_holder: z.boolean(),
  })
  .transform((row) => ({
    role: row.role,
    kind: row.kind,
    storageId: row.storage_id,
    waitingMinutes: row.waiting_minutes,
    hasRoleHolder: row.has_role_holder,
  }));

// One shelf after the other, by steps in job_claim: as quick with a million queued jobs as with ten. A shelf is served when
// one of its kind and storage runs or has ended within the time; a long queue that moves is none of our business.
const UNCLAIMED = `
WITH RECURSIVE shelf AS (
  (SELECT role, kind, profile, coalesce(storage_id, '') AS place FROM job WHERE state = 'queued' AND NOT deferred
   ORDER BY role, kind, profile, coalesce(storage_id, '') LIMIT 1)
  UNION ALL
  SELECT next.* FROM shelf, LATERAL (
    SELECT role, kind, profile, coalesce(storage_id, '') AS place FROM job
    WHERE state = 'queued' AND NOT deferred
      AND (role, kind, profile, coalesce(storage_id, '')) > (shelf.role, shelf.kind, shelf.profile, shelf.place)
    ORDER BY role, kind, profile, coalesce(storage_id, '') LIMIT 1) AS next
)
SELECT shelf.role, shelf.kind, nullif(shelf.place, '') AS storage_id,
  floor(extract(epoch FROM now() - head.run_at) / 60)::int AS waiting_minutes,
  EXISTS (SELECT 1 FROM worker WHERE availability_status = 'available' AND shelf.role = ANY (roles)) AS has_role_holder
FROM shelf, LATERAL (
  SELECT run_at FROM job
  WHERE state = 'queued' AND NOT deferred AND role = shelf.role AND kind = shelf.kind AND profile = shelf.profile
    AND coalesce(storage_id, '') = shelf.place
  ORDER BY priority DESC, job_id LIMIT 1) AS head
WHERE head.run_at < now() - make_interval(mins => $1)
  AND NOT EXISTS (
    SELECT 1 FROM job WHERE state = 'leased' AND role = shelf.role AND kind = shelf.kind
      AND coalesce(storage_id, '') = shelf.place)
  AND NOT EXISTS (
    SELECT 1 FROM job WHERE finished_at > now() - make_interval(mins => $1) AND state <> 'cancelled'
      AND role = shelf.role AND kind = shelf.kind AND coalesce(storage_id, '') = shelf.place)
ORDER BY waiting_minutes DESC, 1, 2, 3`;

/** Work that has been due for `minutes` and of whose kind and storage no node has taken anything in that time. */
export function unclaimedWork(sql: Sql, minutes: number): Promise<UnclaimedWork[]> {
  return sql.query(UNCLAIMED, [minutes], unclaimedRow);
}
