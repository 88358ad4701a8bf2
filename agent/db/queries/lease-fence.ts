import { z } from 'zod';
import type { Lease } from '../../contract/index.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';

/**
 * Beginning of a statement that holds only while a job is leased under this token: $1 = job id, $2 = token. FOR SHARE for
 * the reason that fence.ts gives: freeing the job waits for the statement, or the statement finds the token gone.
 */
const LEASE_FENCE_CTE = `WITH fence AS MATERIALIZED (
  SELECT 1 FROM job WHERE job_id = $1::bigint AND lease_token = $2::bigint AND state = 'leased' FOR SHARE)`;

const COUNTS = ' SELECT (SELECT count(*) FROM fence)::int AS held, (SELECT count(*) FROM changed)::int AS changed';
const countsRow = z.object({ held: z.number(), changed: z.number() });

/**
 * Runs one statement under a job's lease and answers how many rows its CTE `changed` returned. `changes` continues after
 * `LEASE_FENCE_CTE` like that of `fencedExecute`, with parameters from $3. Throws `lease-lost` when nothing was written
 * because the lease is not the caller's any more. Keep it short: renewing the lease waits for it.
 */
export async function leaseExecute(
  sql: Sql,
  lease: Lease,
  changes: string,
  values: readonly unknown[],
): Promise<number> {
  const text = `${LEASE_FENCE_CTE}${changes}${COUNTS}`;
  const [counts] = await sql.query(text, [lease.jobId, lease.leaseToken, ...values], countsRow);
  if (counts === undefined || counts.held === 0)
    throw new IsgError('lease-lost', 'The job was leased to another run meanwhile; this one changed nothing more.', {
      retry: 'transient',
    });
  return counts.changed;
}
