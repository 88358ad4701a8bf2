import { z } from 'zod';
import type { Role } from './roles.ts';

/** States of a job. `done`, `failed` and `cancelled` are final; a `failed` job is the dead letter and stays visible. */
export const jobStateSchema = z.enum(['queued', 'leased', 'done', 'failed', 'cancelled']);
/** States of a job. */
export type JobState = z.infer<typeof jobStateSchema>;

/** Where a job came from: the iconik record that ordered it. A record delivered twice runs once (`job_origin`). */
export const jobOriginSchema = z.object({
  /** Which queue of iconik listed the record; `event` when a gateway event itself is the order. */
  kind: z.enum(['transfers_from', 'transfers_to', 'deletions', 'transcode', 'edge_transcode', 'event']),
  /** Id of the record in that queue. Of an event: its id, followed by `:` and the id of the file when it orders several. */
  recordId: z.string(),
  /** Storage whose queue it is. */
  storageId: z.string(),
  /** iconik job that shows the work to users, if iconik named one. */
  iconikJobId: z.string().nullable(),
});
/** Where a job came from. */
export type JobOrigin = z.infer<typeof jobOriginSchema>;

/** A job to be enqueued. */
export interface NewJob {
  role: Role;
  kind: string;
  storageId: string | null;
  /** Transcoder profile, for TRANSCODE only: each profile has slots of its own on a node. Default ''. */
  profile?: string;
  payload: Record<string, unknown>;
  /** 1–10, larger = sooner; default 5. */
  priority?: number;
  /** At most one job with this key is queued or leased at a time; a second enqueue is ignored. */
  dedupeKey: string;
  /** Tries before a transient error becomes a dead letter; default 8. */
  maxAttempts?: number;
  origin?: JobOrigin;
}

/** The lease a write about a job names. `leaseToken` is its fencing token. */
export interface Lease {
  jobId: string;
  leaseToken: string;
}

/** One running job at its renewal. */
export interface RenewalItem extends Lease {
  progress: number;
  note: string;
}

/** Work of one kind for one storage that no node takes. */
export interface UnclaimedWork {
  role: string;
  kind: string;
  storageId: string | null;
  waitingMinutes: number;
  /** Whether an available node has the role at all. */
  hasRoleHolder: boolean;
}

/** One kind of slots of a node: which jobs fit, and how many more. */
export interface LaneDemand {
  role: string;
  kinds: readonly string[];
  /** Free slots; with `takenByProfile` the slots of each profile, taken ones included. */
  slots: number;
  /** Given when every profile has slots of its own: how many are taken, by profile. */
  takenByProfile?: Readonly<Record<string, number>>;
  /** At most so many jobs in all, whatever their profiles. */
  most?: number;
}

/** How a lease ends. */
export type LeaseEnd =
  | { state: 'done'; result: Record<string, unknown> }
  | { state: 'failed'; error: unknown }
  | { state: 'cancelled' }
  /** Back to the queue, not before `afterMs`; `refund` gives the attempt back (snooze, shutdown). */
  | { state: 'queued'; afterMs: number; error: unknown; refund: boolean };

/** Which priorities are given out first: larger numbers (the default) or smaller ones. */
export type PriorityOrder = 'larger-first' | 'smaller-first';

/** What a claimer can reach. */
export interface ClaimReach {
  /** Storages whose jobs may be taken: mounted here and healthy. */
  storageIds: readonly string[];
  /** The claimer's leadership; without one no MAIN job is given out. */
  term: number | null;
  /** How long a lease lasts, seconds. */
  visibilityTimeoutS: number;
  /** Default `larger-first`. */
  priorityOrder?: PriorityOrder;
}

/** A lease with the way it ends. */
export interface EndedLease {
  lease: Lease;
  end: LeaseEnd;
}

/**
 * What became of the end of a lease: `ended` (now, or earlier by this very lease whose answer got lost), or `lost`: the
 * lease is not the caller's any more and nothing was changed.
 */
export type EndVerdict = 'ended' | 'lost';
