import type {
  ClaimReach,
  EndedLease,
  EndVerdict,
  LaneDemand,
  Lease,
  LeaseEnd,
  RenewalItem,
} from '../contract/index.ts';
import type { Sql } from '../runtime/sql.ts';
import type { LeasedJob } from './job-handler.ts';

/** A claimed job with its limit of attempts. */
export interface ClaimedJob extends LeasedJob {
  /** Transcoder profile; '' for all other work. */
  profile: string;
  maxAttempts: number;
}

/** A job that was leased but that this version cannot read: it is another's, and must be given back. */
export interface UnfitJob extends Lease {
  role: string;
  kind: string;
  /** What does not fit. */
  reason: string;
}

/** What a renewal found of a lease; the token is a new one when the job had been freed and was taken back. */
export interface RenewedLease extends Lease {
  cancelRequested: boolean;
  /** Another transaction has the row in hand: this time the lease was neither renewed nor lost. */
  isBusy?: boolean;
}

/**
 * The queue as a runner sees it. Every write names the lease token; one with an old token changes nothing and says so.
 * All calls throw `IsgError` (`database-unreachable`, …) when the database does not answer.
 */
export interface JobStore {
  /**
   * Ends leases and claims for free slots in one atomic step. Repeatable when the answer got lost: verdicts say `ended`
   * again, and what was leased without our knowing is found by `freeStray`. At most one end per job.
   */
  exchange(
    ends: readonly EndedLease[],
    lanes: readonly LaneDemand[],
    reach: ClaimReach,
  ): Promise<{ claimed: ClaimedJob[]; unfit?: UnfitJob[]; verdicts: ReadonlyMap<string, EndVerdict> }>;
  /** `exchange` without ends; what does not fit is left to `freeStray`. */
  claim(lanes: readonly LaneDemand[], reach: ClaimReach): Promise<ClaimedJob[]>;
  /** Puts jobs whose waiting time is over where claims find them; answers how many. */
  releaseDeferred(): Promise<number>;
  /** Frees what this run has leased without knowing it (the answer to a claim got lost); answers how many. */
  freeStray(knownJobIds: readonly string[]): Promise<number>;
  /** Extends leases; what is not in the answer is lost. */
  renew(items: readonly RenewalItem[], visibilityTimeoutS: number): Promise<RenewedLease[]>;
  saveCheckpoint(lease: Lease, checkpoint: unknown): Promise<boolean>;
  /**
   * Ends a lease, together with `alongside`, in one transaction. Repeatable: `ended` also when an earlier call did it
   * and its answer got lost.
   */
  end(lease: Lease, end: LeaseEnd, alongside?: (sql: Sql) => Promise<void>): Promise<EndVerdict>;
}
