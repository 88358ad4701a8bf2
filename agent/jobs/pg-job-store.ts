import * as queries from '../db/queries/job.ts';
import type { Database } from '../runtime/sql.ts';
import type { ClaimedJob, JobStore } from './job-store.ts';

/** Lock waits of a completion are short: only a renewal or a rescue of the same job can hold its row. */
const END_LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 10_000, idleTimeoutMs: 10_000 };

function toClaimedJob(row: queries.ClaimedRow): ClaimedJob {
  return {
    jobId: row.job_id,
    leaseToken: row.lease_token,
    role: row.role,
    kind: row.kind,
    storageId: row.storage_id,
    payload: row.payload,
    attempts: row.attempts,
    checkpoint: row.checkpoint ?? null,
    origin: queries.originOf(row),
    maxAttempts: row.max_attempts,
  };
}

/** The queue in PostgreSQL, for one run of one worker. */
export function createPgJobStore(database: Database, owner: { runId: string; workerId: string }): JobStore {
  return {
    async claim(lanes, reach) {
      const rows = await queries.claimJobs(database, { lanes, ...reach, ...owner });
      return rows.map(toClaimedJob);
    },
    freeStray: (knownJobIds) => queries.freeStrayJobs(database, owner.runId, knownJobIds),
    renew: (items, visibilityTimeoutS) => queries.renewJobs(database, items, { ...owner, visibilityTimeoutS }),
    saveCheckpoint: (lease, checkpoint) => queries.saveCheckpoint(database, lease, checkpoint),
    end: (lease, end, alongside) =>
      database.transaction(async (sql) => {
        const standing = await queries.lockLease(sql, lease);
        if (standing !== 'held') return standing;
        await queries.endLease(sql, lease.jobId, end);
        await alongside?.(sql);
        return 'ended' as const;
      }, END_LIMITS),
  };
}
