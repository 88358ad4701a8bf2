import { z } from 'zod';

/**
 * One verdict of one health check. `unknown` is a state of its own (nothing measured yet), never shown as fine.
 * Every problem names cause (`reason`) and what to do (`remedy`), in words for people.
 */
export const checkResultSchema = z.object({
  /**
   * `database`, `iconik`, or `storage:<id>`; local warnings are `disk`, `ffmpeg`, `jobs`, and `version` while newer nodes
   * work beside this one; `leadership` only from the doctor.
   */
  check: z.string(),
  status: z.enum(['ok', 'failing', 'warning', 'unknown']),
  /** What was found, in one sentence; empty when ok. */
  reason: z.string(),
  /** What to do about it; empty when ok. */
  remedy: z.string(),
});
/** One verdict of one health check. */
export type CheckResult = z.infer<typeof checkResultSchema>;

/** What a worker says of itself in the cluster table (design: availability_status). */
export const availabilitySchema = z.enum(['available', 'degraded', 'draining', 'disabled', 'duplicate', 'unavailable']);
/** What a worker says of itself in the cluster table. */
export type Availability = z.infer<typeof availabilitySchema>;
