import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRequestBudget } from '../../../agent/iconik/request-budget.ts';
import {
  afterAnswer,
  afterThrottle,
  type BudgetState,
  initialBudget,
  RATE_WINDOW_MS,
  takeToken,
} from '../../../agent/iconik/request-budget-state.ts';
import { createManualClock } from './manual-clock.ts';

const LIMITS = { requestsPerSecond: 45, burst: 45 };

describe('request budget arithmetic', () => {
  test('no window of 20 s holds more than iconik allows, however the requests arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 60 }), (gaps) => {
        let state = initialBudget(LIMITS, 0);
        let nowMs = 0;
        const sentAt: number[] = [];
        for (const gap of gaps) {
          nowMs += gap;
          for (let asked = 0; asked < 100; asked++) {
            const taken = takeToken(state, LIMITS, nowMs);
            state = taken.state;
            if (taken.waitMs === 0) sentAt.push(nowMs);
            else nowMs += taken.waitMs;
          }
        }
        let from = 0;
        for (const [index, at] of sentAt.entries()) {
          while ((sentAt[from] ?? at) <= at - RATE_WINDOW_MS) from++;
          expect(index - from + 1).toBeLessThanOrEqual(1000);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('a 429 empties the bucket and pauses; pauses double up to the window, and calm resets them', () => {
    let state: BudgetState = initialBudget(LIMITS, 0);
    const pauses: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 7; round++) {
      state = afterThrottle(state, nowMs, null);
      pauses.push(state.pausedUntilMs - nowMs);
      nowMs = state.pausedUntilMs;
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
    state = afterAnswer(state, nowMs, null);
    expect(afterThrottle(state, nowMs, null).pausedUntilMs - nowMs).toBe(1000);
  });

  test('many 429s of requests under way count as one', () => {
    let state = afterThrottle(initialBudget(LIMITS, 0), 0, null);
    for (let answer = 0; answer < 10; answer++) state = afterThrottle(state, 5, null);
    expect(state).toMatchObject({ pausedUntilMs: 1000, throttles: 1 });
  });

  test('nothing is saved up during a pause', () => {
    const state = afterThrottle(initialBudget(LIMITS, 0), 0, 10_000);
    expect(takeToken(state, LIMITS, 9000).waitMs).toBe(1000);
    expect(takeToken(state, LIMITS, 10_000).waitMs).toBeGreaterThan(0);
  });

  test('Retry-After is honoured, up to a minute', () => {
    expect(afterThrottle(initialBudget(LIMITS, 0), 0, 7000).pausedUntilMs).toBe(7000);
    expect(afterThrottle(initialBudget(LIMITS, 0), 0, 3_600_000).pausedUntilMs).toBe(60_000);
  });

  test('RateLimit-Remaining caps the burst, and 0 means rest', () => {
    const few = afterAnswer(initialBudget(LIMITS, 0), 0, 3);
    expect(few.tokens).toBe(3);
    expect(takeToken(afterAnswer(few, 0, 0), LIMITS, 0).waitMs).toBe(1000);
  });
});

describe('request budget', () => {
  test('turns are given first come, first served', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 1, clock });
    const order: number[] = [];
    const turns = [1, 2, 3, 4].map((name) => budget.take().then(() => order.push(name)));
    await clock.advance(0);
    expect(order).toEqual([1]);
    await clock.advance(2000);
    expect(order).toEqual([1, 2, 3]);
    await clock.advance(1000);
    await Promise.all(turns);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test('a caller that gives up leaves the line and is told that nothing was sent', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 1, clock });
    await budget.take();
    const giveUp = new AbortController();
    const given = budget.take(giveUp.signal);
    const next = budget.take();
    giveUp.abort();
    await expect(given).rejects.toMatchObject({ code: 'cancelled', fields: { sent: false } });
    await clock.advance(1000);
    await next;
  });

  test('a pause that outlasts a minute turns waiters away as throttled', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 1, clock });
    budget.throttled(60_000);
    const turn = budget.take();
    const outcome = expect(turn).rejects.toMatchObject({ code: 'iconik-throttled', fields: { sent: false } });
    await clock.advance(30_000);
    budget.throttled(60_000);
    await clock.advance(40_000);
    await outcome;
  });

  test('close turns away those who wait and those who come', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 1, clock });
    await budget.take();
    const waiting = expect(budget.take()).rejects.toMatchObject({ code: 'stopped' });
    budget.close();
    await waiting;
    await expect(budget.take()).rejects.toMatchObject({ code: 'stopped' });
  });
});
