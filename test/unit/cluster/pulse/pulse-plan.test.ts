import { describe, expect, it } from 'vitest';
import {
  ageJobs,
  type HeldJob,
  jobRenewMs,
  LOOK_MS,
  LOOP_PATIENCE_MS,
  leaseTimes,
  nextAttemptMs,
  observeTurns,
  type Stillness,
} from '../../../../agent/cluster/pulse/pulse-plan.ts';

const defaults = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };

/** Looks at a counter at these times; it stands from the first look on. */
const standing = (times: readonly number[]): Stillness | null =>
  times.reduce<Stillness | null>((seen, nowMs) => observeTurns(seen, 7, nowMs), null);

describe('the stillness of a main loop', () => {
  const everyLook = (forMs: number) => Array.from({ length: forMs / LOOK_MS + 1 }, (_, at) => at * LOOK_MS);

  it('reaches the patience after exactly that time of regular looks', () => {
    expect(standing(everyLook(LOOP_PATIENCE_MS - LOOK_MS))?.stoodMs).toBeLessThan(LOOP_PATIENCE_MS);
    expect(standing(everyLook(LOOP_PATIENCE_MS))?.stoodMs).toBe(LOOP_PATIENCE_MS);
  });

  it('begins anew when the counter moves', () => {
    const stood = standing(everyLook(10_000));
    expect(observeTurns(stood, 8, 10_100).stoodMs).toBe(0);
  });

  it('does not count an hour in which the observer itself was away', () => {
    const stood = standing([0, LOOK_MS, LOOK_MS + 3_600_000]);
    expect(stood?.stoodMs).toBe(LOOK_MS + 2 * LOOK_MS);
  });

  it('does not count a clock that goes back', () => {
    expect(standing([1_000, 500])?.stoodMs).toBe(0);
  });
});

describe('the next attempt to renew a leadership', () => {
  const times = leaseTimes(defaults);

  it('is due at once for a new term, and a renewal interval after the start of a confirmed one', () => {
    expect(nextAttemptMs(null, times)).toBe(Number.NEGATIVE_INFINITY);
    expect(nextAttemptMs({ startedMs: 100, outcome: 'confirmed' }, times)).toBe(850);
  });

  it('joins an unanswered one early enough for two more within the trust of the renewal before', () => {
    const trustEndsMs = defaults.ttlMs - defaults.marginMs;
    const second = nextAttemptMs({ startedMs: defaults.renewMs, outcome: 'pending' }, times);
    const third = nextAttemptMs({ startedMs: second, outcome: 'pending' }, times);
    expect(third).toBeLessThan(trustEndsMs);
    expect(trustEndsMs - third).toBeGreaterThanOrEqual(times.hedgeMs);
  });

  it('follows a failed one sooner than an unanswered one', () => {
    const failed = nextAttemptMs({ startedMs: 0, outcome: 'failed' }, times);
    expect(failed).toBeLessThan(nextAttemptMs({ startedMs: 0, outcome: 'pending' }, times));
  });
});

describe('a held job', () => {
  const job = (stallMs: number): HeldJob => ({
    holdId: 1,
    jobId: '1',
    leaseToken: '1',
    stallMs,
    progress: 0,
    note: '',
    lifelessMs: 0,
    isStalled: false,
  });

  it('stalls once, when no life was reported for its stall time while the main loop turned', () => {
    const held = job(1_000);
    const stalled = Array.from({ length: 10 }, () => ageJobs([held], LOOK_MS).length);
    expect(stalled).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('ages by the whole time of a living main loop, however its turns fall between the looks', () => {
    const held = job(60_000);
    let seen: Stillness | null = null;
    for (let look = 0; look <= 40; look++) {
      seen = observeTurns(seen, Math.floor(look / 2), look * LOOK_MS);
      ageJobs([held], seen.livedMs);
    }
    expect(held.lifelessMs).toBe(40 * LOOK_MS);
  });

  it('does not age while the main loop stands, or the machine sleeps, because nothing could be reported', () => {
    const held = job(1_000);
    let seen = observeTurns(null, 1, 0);
    for (const nowMs of [LOOK_MS, 2 * LOOK_MS, 10_000, 3_600_000]) {
      seen = observeTurns(seen, 1, nowMs);
      ageJobs([held], seen.livedMs);
    }
    ageJobs([held], observeTurns(seen, 2, 3_600_100).livedMs);
    expect(held).toMatchObject({ lifelessMs: 2 * LOOK_MS, isStalled: false });
  });

  it('is renewed at least every two seconds, and four times within the shortest lease', () => {
    expect(jobRenewMs(86_400)).toBeLessThanOrEqual(2_000);
    expect(jobRenewMs(1)).toBe(250);
  });
});
