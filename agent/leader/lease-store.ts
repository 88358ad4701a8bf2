import type { LeaseRow } from './election-state.ts';

/** The lease as the elector sees it. All calls throw `IsgError` when the database does not answer in time. */
export interface LeaseStore {
  read(): Promise<LeaseRow>;
  /**
   * Compare-and-set on (term, renewals) of `seen`. The new term is one above both the lease's and `highestSeen`; null
   * when somebody else was faster.
   */
  takeOver(seen: LeaseRow, take: { highestSeen: number; why: string }): Promise<number | null>;
  /** False when the lease is another's, or was released. */
  renew(term: number, ttlMs: number): Promise<boolean>;
  /** Marks the lease released; no effect when it is another's. */
  release(term: number, why: string): Promise<void>;
}
