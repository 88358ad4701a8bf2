import { IsgError } from '../runtime/errors.ts';

/** What the queue said about a held lease. */
export type LeaseNews =
  /** The job was freed meanwhile and taken back: from now on this token counts. */
  | { kind: 'token'; jobId: string; leaseToken: string }
  /** Somebody asked to cancel the job; it is still ours until it is ended. */
  | { kind: 'cancel-requested'; jobId: string }
  /** The lease is another's, or the job is over: whatever the runner still does for it is refused. */
  | { kind: 'lost'; jobId: string }
  /** No life was reported within the stall window; the lease is renewed no longer. */
  | { kind: 'stalled'; jobId: string };

/** A job whose lease is to be kept alive. */
export interface HeldLease {
  jobId: string;
  leaseToken: string;
  /** A job that reports no life for this long is renewed no longer, milliseconds. */
  stallMs: number;
}

/**
 * Keeps the leases of this process's jobs alive, at least every two seconds and well before they run out, and brings news
 * of them. A renewal carries the job's progress. Implementations: in the main loop (tests, tools), or in a thread of its
 * own that heavy work cannot delay and that stops when the main loop hangs.
 */
export interface LeaseRenewer {
  /** Told of every piece of news, in the main loop; set once before the first lease is held. */
  onNews(listener: (news: LeaseNews) => void): void;
  /** Begins to renew a lease. */
  hold(lease: HeldLease): void;
  /** A sign of life with the progress to show (fraction 0 to 1); cheap enough to be called very often. */
  report(jobId: string, progress: number, note: string): void;
  /** Ends the renewal of a lease; late answers about it are dropped. */
  drop(jobId: string): void;
  /**
   * Renews one lease at once and answers when the database has confirmed it: true when it is still ours (a changed token
   * has been told as news before). Throws `database-unreachable` when no answer came in time,
   * `database-conflict` when another transaction kept the row in hand for 2 s.
   */
  confirm(jobId: string): Promise<boolean>;
  /** How long a renewed lease lasts, seconds; applies from the next renewal. */
  setVisibilityTimeout(seconds: number): void;
}

/** A confirmation asks so often, so far apart (milliseconds), while another transaction has the row: 2 s in all. */
export const BUSY_TRIES = 40;
export const BUSY_PAUSE_MS = 50;

/** A lease whose row stays in the hands of another transaction: nothing is known of it. */
export function rowBusy(): IsgError {
  const message =
    'The lease could not be confirmed: another transaction has the row of its job in hand. The job is tried again.';
  return new IsgError('database-conflict', message, { retry: 'transient' });
}
