import { z } from 'zod';
import type { Role } from './roles.ts';

/** States of a job. `done`, `failed` and `cancelled` are final; a `failed` job is the dead letter and stays visible. */
export const jobStateSchema = z.enum(['queued', 'leased', 'done', 'failed', 'cancelled']);
/** States of a job. */
export type JobState = z.infer<typeof jobStateSchema>;

/** Where a job came from: the iconik record that ordered it. A record delivered twice runs once (`job_origin`). */
export const jobOriginSchema = z.object({
  /** Which queue of iconik listed the record. */
  kind: z.enum(['transfers_from', 'transfers_to', 'deletions', 'transcode']),
  /** Id of the record in that queue. */
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
  payload: Record<string, unknown>;
  /** 1–10, larger = sooner; default 5. */
  priority?: number;
  /** At most one job with this key is queued or leased at a time; a second enqueue is ignored. */
  dedupeKey: string;
  /** Tries before a transient error becomes a dead letter; default 8. */
  maxAttempts?: number;
  origin?: JobOrigin;
}
