import type { Sql } from '../runtime/sql.ts';
import type { LeasedJob } from './job-handler.ts';

/** One kind of slots of a node: which jobs fit, and how many more. */
export interface LaneDemand {
  role: string;
  kinds: readonly string[];
  slots: number;
}

/** The lease a write about a job names. */
export interface Lease {
  jobId: string;
  leaseToken: string;
}

/** A claimed job with its limit of attempts. */
export interface ClaimedJob extends LeasedJob {
  maxAttempts: number;
}

/** How a lease ends. */
export type LeaseEnd =
  | { state: 'done'; result: Record<string, unknown> }
  | { state: 'failed'; error: unknown }
  | { state: 'cancelled' }
  | { state: 'queued'; afterMs: number; error: unknown; refund: boolean };

/**
 * The queue as a runner sees it. Every write names the lease token; one with an old token changes nothing and says so.
 * All calls throw `IsgError` (`database-unreachable`, …) when the database does not answer.
 */
export interface JobStore {
  claim(
    lanes: readonly LaneDemand[],
    reach: { storageIds: readonly string[]; term: number | null; visibilityTimeoutS: number },
  ): Promise<ClaimedJob[]>;
  /** Frees what this run has leased without knowing it (the answer to a claim got lost); answers how many. */
  freeStray(knownJobIds: readonly string[]): Promise<number>;
  /** Extends leases; what is not in the answer is lost. */
  renew(
    items: readonly { jobId: string; leaseToken: string; progress: number; note: string }[],
    visibilityTimeoutS: number,
  ): Promise<{ jobId: string; leaseToken: string; cancelRequested: boolean }[]>;
  saveCheckpoint(lease: Lease, checkpoint: unknown): Promise<boolean>;
  /**
   * Ends a lease, together with `alongside`, in one transaction. Repeatable: `ended` also when an earlier call did it
   * and its answer got lost.
   */
  end(lease: Lease, end: LeaseEnd, alongside?: (sql: Sql) => Promise<void>): Promise<'ended' | 'lost'>;
}
