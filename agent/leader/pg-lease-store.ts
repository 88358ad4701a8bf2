import * as queries from '../db/queries/leader-lease.ts';
import type { Database } from '../runtime/sql.ts';
import type { LeaseStore } from './lease-store.ts';

/** A take-over waits at most this long for leader writes of the old term that hold the fence. */
const TAKE_OVER_LIMITS = { lockTimeoutMs: 300, statementTimeoutMs: 1_000, idleTimeoutMs: 1_000 };

/** The lease in PostgreSQL, for one run of one worker. */
export function createPgLeaseStore(
  database: Database,
  self: { runId: string; workerId: string; name: string },
): LeaseStore {
  return {
    read: () => queries.readLease(database),
    takeOver: (seen, { highestSeen, why }) =>
      database.transaction(
        (sql) =>
          queries.takeOverLease(sql, {
            seenTerm: seen.term,
            seenRenewals: seen.renewals,
            highestSeen,
            why,
            ...self,
          }),
        TAKE_OVER_LIMITS,
      ),
    renew: (term, ttlMs) => queries.renewLease(database, term, self.runId, ttlMs),
    release: (term, why) => queries.releaseLease(database, term, self.runId, why),
  };
}
