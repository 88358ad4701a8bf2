import { freeStrayJobs, renewJobs } from '../db/queries/job.ts';
import { type ClaimedRow, exchangeJobs, originOf } from '../db/queries/job-claim.ts';
import { endLease, lockLease, saveCheckpoint } from '../db/queries/job-end.ts';
import { releaseDeferredJobs } from '../db/queries/job-upkeep.ts';
import type { Database } from '../runtime/sql.ts';
import type { ClaimedJob, JobStore } from './job-store.ts';

/**
 * Lock waits of a completion are short: only a renewal or a rescue of the same job can hold its row. A node that freezes in
 * the middle lets go of it soon: renewals wait for it, those of other jobs in the same statement, too.
 */
const END_LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 10_000, idleTimeoutMs: 3_000 };

function toClaimedJob(row: ClaimedRow): ClaimedJob {
  return {
    jobId: row.job_id,
    leaseToken: row.lease_token,
    role: row.role,
    kind: row.kind,
    profile: row.profile,
    storageId: row.storage_id,
    payload: row.payload,
    attempts: row.attempts,
    checkpoint: row.checkpoint ?? null,
    origin: originOf(row),
    maxAttempts: row.max_attempts,
  };
}

/** The queue in PostgreSQL, for one run of one worker. */
export function createPgJobStore(database: Database, owner: { runId: string; workerId: string }): JobStore {
  const { runId, workerId } = owner;
  const exchange: JobStore['exchange'] = async (ends, lanes, reach) => {
    const answer = await exchangeJobs(database, { ends, lanes, ...reach, runId, workerId });
    return { ...answer, claimed: answer.claimed.map(toClaimedJob) };
  };
  return {
    exchange,
    claim: async (lanes, reach) => (await exchange([], lanes, reach)).claimed,
    releaseDeferred: () => releaseDeferredJobs(database),
    freeStray: (knownJobIds) => freeStrayJobs(database, runId, knownJobIds),
    renew: (items, visibilityTimeoutS) => renewJobs(database, items, { runId, workerId, visibilityTimeoutS }),
    saveCheckpoint: (lease, checkpoint) => saveCheckpoint(database, lease, checkpoint),
    end: (lease, end, alongside) =>
      database.transaction(async (sql) => {
        const standing = await lockLease(sql, lease);
        if (standing !== 'held') return standing;
        await endLease(sql, lease.jobId, end);
        await alongside?.(sql);
        return 'ended' as const;
      }, END_LIMITS),
  };
}
