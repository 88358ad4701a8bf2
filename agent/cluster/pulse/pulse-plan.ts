/** Who may be renewed now, and when. Pure: times come in as arguments, monotonic milliseconds. */

/** Main loop and thread look at each other this often. */
export const LOOK_MS = 250;
/**
 * A main loop that has stood still for this long is dead: nothing is renewed for it any more. With looks that come late, and
 * a statement on its way, that makes the 15 s after which nobody may renew for a dead loop.
 */
export const LOOP_PATIENCE_MS = 14_000;
/** A thread that has stood still for this long is replaced. Trust has ended long before, so this may be patient. */
export const THREAD_PATIENCE_MS = 10_000;

/** How long the other side's counter has stood still. */
export interface Stillness {
  turns: number;
  stoodMs: number;
  lookedMs: number;
  /** When it was last seen to move. */
  movedMs: number;
  /** How long the other side has certainly been at work since it was seen to move before; 0 while it stands. */
  livedMs: number;
}

/**
 * The stillness after one more look. A look counts for two intervals at most: time in which the observer itself was late,
 * or the machine slept, says nothing about the other side.
 */
export function observeTurns(previous: Stillness | null, turns: number, nowMs: number): Stillness {
  if (previous === null) return { turns, stoodMs: 0, lookedMs: nowMs, movedMs: nowMs, livedMs: 0 };
  if (previous.turns !== turns)
    return { turns, stoodMs: 0, lookedMs: nowMs, movedMs: nowMs, livedMs: countedMs(nowMs - previous.movedMs) };
  const stoodMs = previous.stoodMs + countedMs(nowMs - previous.lookedMs);
  return { ...previous, stoodMs, lookedMs: nowMs, livedMs: 0 };
}

const countedMs = (passedMs: number): number => Math.min(Math.max(0, passedMs), 2 * LOOK_MS);

/** Pauses of the renewal of a leadership, milliseconds. */
export interface LeaseTimes {
  renewMs: number;
  /** An attempt without an answer for this long is joined by one over another connection. */
  hedgeMs: number;
  /** After a failed attempt. */
  retryMs: number;
}

/** The latest attempt to renew the lease of one term. */
export interface LeaseRound {
  startedMs: number;
  outcome: 'pending' | 'confirmed' | 'failed';
}

/**
 * Pauses for a leadership with these settings. Between a renewal and the end of the trust of the one before there is room
 * for three attempts, so that one or two silent connections cost nothing.
 */
export function leaseTimes(times: { ttlMs: number; renewMs: number; marginMs: number }): LeaseTimes {
  const roomMs = times.ttlMs - times.marginMs - times.renewMs;
  return { renewMs: times.renewMs, hedgeMs: Math.max(20, roomMs / 3), retryMs: Math.max(10, roomMs / 15) };
}

/** When the next attempt is due; at once for a term that has none. */
export function nextAttemptMs(round: LeaseRound | null, times: LeaseTimes): number {
  if (round === null) return Number.NEGATIVE_INFINITY;
  const pause = { confirmed: times.renewMs, failed: times.retryMs, pending: times.hedgeMs }[round.outcome];
  return round.startedMs + pause;
}

/** A lease under renewal. */
export interface HeldJob {
  readonly holdId: number;
  readonly jobId: string;
  readonly stallMs: number;
  leaseToken: string;
  progress: number;
  note: string;
  /** How long no life has been reported while the main loop could have. */
  lifelessMs: number;
  isStalled: boolean;
}

/** Ages held jobs by the time in which the main loop lived: one that stood could report nothing. Answers those that stall now. */
export function ageJobs(jobs: Iterable<HeldJob>, livedMs: number): HeldJob[] {
  const stalled: HeldJob[] = [];
  for (const job of jobs) {
    if (job.isStalled) continue;
    job.lifelessMs += livedMs;
    job.isStalled = job.lifelessMs >= job.stallMs;
    if (job.isStalled) stalled.push(job);
  }
  return stalled;
}

/** Job leases are renewed this often: under the two seconds in which a job learns of its cancellation, and four times within the lease. */
export function jobRenewMs(visibilityTimeoutS: number): number {
  return Math.min(1_500, (visibilityTimeoutS * 1_000) / 4);
}
