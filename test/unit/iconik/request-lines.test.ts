import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRequestBudget } from '../../../agent/iconik/request-budget.ts';
import {
  type LineCredits,
  NO_CREDITS,
  nextLine,
  REQUEST_LINES,
  type RequestLine,
} from '../../../agent/iconik/request-lines-state.ts';
import { createManualClock } from './manual-clock.ts';

/** Turns in a row while the same lines wait; `from` is where the round stands. */
function turns(waiting: ReadonlySet<RequestLine>, count: number, from: LineCredits = NO_CREDITS) {
  let credits = from;
  const given: RequestLine[] = [];
  for (let turn = 0; turn < count; turn++) {
    const next = nextLine(credits, (line) => waiting.has(line));
    credits = next.credits;
    if (next.line) given.push(next.line);
  }
  return { given, credits };
}
const lines = fc.subarray([...REQUEST_LINES], { minLength: 1 }).map((list) => new Set(list));

describe('turns among the lines', () => {
  test('nobody waits: nobody goes', () => {
    expect(nextLine(NO_CREDITS, () => false).line).toBeNull();
  });

  test('each line that waits gets its part of every round, whatever happened before', () => {
    fc.assert(
      fc.property(fc.array(lines, { maxLength: 30 }), lines, (history, waiting) => {
        let credits: LineCredits = NO_CREDITS;
        for (const before of history) credits = turns(before, 1, credits).credits;
        const { given } = turns(waiting, 26, credits);
        for (const line of waiting) expect(given.filter((turn) => turn === line).length).toBeGreaterThan(0);
        expect(given.every((turn) => waiting.has(turn))).toBe(true);
      }),
    );
  });

  test('a vital request waits for two others at most, however long those have waited', () => {
    fc.assert(
      fc.property(fc.array(lines, { maxLength: 30 }), (history) => {
        let credits: LineCredits = NO_CREDITS;
        for (const before of history) credits = turns(before, 1, credits).credits;
        expect(turns(new Set(REQUEST_LINES), 3, credits).given).toContain('vital');
      }),
      { numRuns: 1_000 },
    );
  });

  test('jobs and queues get four of five turns against a scan without end', () => {
    const { given } = turns(new Set(['leader', 'jobs', 'bulk'] as const), 50);
    const count = (line: RequestLine) => given.filter((turn) => turn === line).length;
    expect([count('leader'), count('jobs'), count('bulk')]).toEqual([20, 20, 10]);
  });
});

describe('a budget that follows a share', () => {
  test('sends at the rate of the moment, which may change under those who wait', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 45, clock });
    let perSecond = 2;
    budget.pace.follow(() => perSecond, 45);
    let sent = 0;
    for (let request = 0; request < 200; request++) void budget.take().then(() => (sent += 1));
    await clock.advance(5_000);
    expect(sent).toBeGreaterThanOrEqual(10);
    expect(sent).toBeLessThanOrEqual(12);
    expect(budget.pace.load()).toEqual({ admitted: sent, waiting: 200 - sent });
    perSecond = 20;
    const before = sent;
    await clock.advance(2_000);
    expect(sent - before).toBeGreaterThanOrEqual(35);
    expect(sent - before).toBeLessThanOrEqual(42);
  });

  test('takes its part of what iconik says is left for all nodes', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 45, clock });
    budget.pace.follow(() => 9, 45);
    await budget.take();
    await clock.advance(1_000);
    budget.answered(1);
    let isSent = false;
    void budget.take().then(() => (isSent = true));
    await clock.advance(50);
    expect(isSent).toBe(false);
    await clock.advance(100);
    expect(isSent).toBe(true);
  });

  test('pauses when another node was throttled, and tells of its own 429s once a pause', async () => {
    const clock = createManualClock();
    const budget = createRequestBudget({ requestsPerSecond: 45, clock });
    const told: number[] = [];
    budget.pace.onThrottle((pauseMs) => told.push(pauseMs));
    budget.pace.pause(3_000);
    let isSent = false;
    void budget.take().then(() => (isSent = true));
    await clock.advance(2_900);
    expect(isSent).toBe(false);
    await clock.advance(200);
    expect(isSent).toBe(true);
    expect(told).toEqual([]);
    budget.throttled(4_000);
    budget.throttled(4_000);
    expect(told).toEqual([4_000]);
  });
});
