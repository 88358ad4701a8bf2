import type { EndVerdict, LeaseEnd } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';
import type { ClaimedJob, JobStore } from './job-store.ts';

/** Pause between two tries, milliseconds. */
const RETRY_MS = 500;
/** Tries before a refusal for good, or the stop of the node, ends them. */
const ATTEMPTS = 3;

/**
 * Ends a lease together with other writes. Finished work is not thrown away because the database is away: it is offered
 * until the database says that the lease is gone. Throws what the database threw when it refuses for good, or when the
 * node stops meanwhile.
 */
export async function endSurely(
  deps: { store: JobStore; clock: Clock; log: Logger },
  claimed: ClaimedJob,
  what: { end: LeaseEnd; alongside: (sql: Sql) => Promise<void>; isStopping(): boolean },
): Promise<EndVerdict> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { jobId, leaseToken } = claimed;
      const verdict = await deps.store.end({ jobId, leaseToken }, what.end, what.alongside);
      // Freed and taken back while the transaction was on its way: ended under the new token.
      if (verdict === 'lost' && claimed.leaseToken !== leaseToken) continue;
      return verdict;
    } catch (thrown) {
      const error = coerceError(thrown);
      if ((error.retry === 'permanent' || what.isStopping()) && attempt >= ATTEMPTS) throw error;
      deps.log.warn('The end of a job is not stored yet; trying again', { jobId: claimed.jobId, error: error.message });
      await deps.clock.sleep(RETRY_MS);
    }
  }
}
