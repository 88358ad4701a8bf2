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
    const stalled = Array.from({ length: 10 }, () => ageJobs([held], LOOK_MS, true).length);
    expect(stalled).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('does not age while the main loop stands, because nothing could be reported', () => {
    const held = job(1_000);
    for (let look = 0; look < 40; look++) ageJobs([held], LOOK_MS, false);
    expect(held).toMatchObject({ lifelessMs: 0, isStalled: false });
  });

  it('does not age by a sleep of the machine', () => {
    const held = job(1_000);
    expect(ageJobs([held], 3_600_000, true)).toEqual([]);
  });

  it('is renewed at least every two seconds, and four times within the shortest lease', () => {
    expect(jobRenewMs(86_400)).toBeLessThanOrEqual(2_000);
    expect(jobRenewMs(1)).toBe(250);
  });
});
