import type { z } from 'zod';
import type { JobOrigin, Role } from '../contract/index.ts';
import type { ErrorRecord } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';

/** A job as leased by this node. `leaseToken` is its fencing token: every write about the job names it. */
export interface LeasedJob {
  jobId: string;
  leaseToken: string;
  role: Role;
  kind: string;
  storageId: string | null;
  payload: unknown;
  /** Attempts begun, this one included. */
  attempts: number;
  /** What an earlier attempt saved to go on from (multipart upload id, finished parts); null at first. */
  checkpoint: unknown;
  origin: JobOrigin | null;
}

/** What a handler answers. A throw counts as `retry` or `failed` by the error's class. */
export type JobOutcome =
  | {
      kind: 'done';
      result: Record<string, unknown>;
      /** Writes that commit together with the completion, or not at all (follow-up jobs, index rows). */
      alongside?: (sql: Sql) => Promise<void>;
    }
  | { kind: 'retry'; error: ErrorRecord; afterMs?: number }
  /** Try later without burning an attempt (an intent in doubt, a storage that is away, shutdown). */
  | { kind: 'snooze'; afterMs: number; why: string }
  | { kind: 'failed'; error: ErrorRecord; alongside?: (sql: Sql) => Promise<void> }
  | { kind: 'cancelled' };

/** What a handler gets beside its payload. */
export interface JobContext<Payload> {
  job: LeasedJob;
  payload: Payload;
  log: Logger;
  /** Fires when the lease is lost, the job is cancelled, or the node stops. Nothing external may begin after it. */
  signal: AbortSignal;
  /** Tells how far it is (0–1) and that it lives; cheap, may be called often. */
  progress(fraction: number, note?: string): void;
  /** Stores where to resume, fenced by the lease token. Throws `lease-lost` when the lease is not ours any more. */
  saveCheckpoint(value: unknown): Promise<void>;
  /**
   * Call right before every final external effect (rename into place, PATCH CLOSED, complete multipart, unlink):
   * resolves only when the database confirmed the lease just now; throws `lease-lost` otherwise.
   */
  confirmLease(): Promise<void>;
}

/** One kind of work. `payload` parses what the queue holds; what does not parse fails the job with the reason. */
export interface JobHandler<Payload = unknown> {
  role: Role;
  kind: string;
  payload: z.ZodType<Payload>;
  /** A job of this kind that reports no life for this long is stopped and tried again, milliseconds; default 10 minutes. */
  stallMs?: number;
  /**
   * Shows that this node can do such work now, without a job: resolves when it can, throws when it cannot. Asked while the
   * node is in quarantine for the role; without it a single job is tried. Must end soon after `signal` fires.
   */
  selfTest?(signal: AbortSignal): Promise<void>;
  run(context: JobContext<Payload>): Promise<JobOutcome>;
}
