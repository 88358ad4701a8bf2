import { describe, expect, it } from 'vitest';
import {
  FIRST_PACE,
  lowerLimits,
  NO_SHIP_LIMITS,
  nextPace,
  raiseLimits,
} from '../../../agent/cluster/log-shipping/ship-pace.ts';

/** Records a second that a database gives which takes so long for a record, and a fixed time for a batch. */
function rate(options: { isBusy: boolean; perRecordMs: number; perBatchMs: number; wokenLateMs?: number }): number {
  let pace = FIRST_PACE;
  let [records, elapsedMs] = [0, 0];
  for (let n = 0; n < 200; n += 1) {
    const tookMs = options.perBatchMs + pace.rows * options.perRecordMs;
    const sinceDueMs = tookMs + (options.wokenLateMs ?? 0);
    if (n >= 50) {
      records += pace.rows;
      elapsedMs += sinceDueMs;
    }
    pace = nextPace({ rows: pace.rows, tookMs, sinceDueMs, isBusy: options.isBusy });
    if (n >= 50) elapsedMs += pace.pauseMs;
  }
  return (records / elapsedMs) * 1_000;
}

describe('the pace of shipping', () => {
  it('uses what an idle node gives', () => {
    expect(rate({ isBusy: false, perRecordMs: 0.02, perBatchMs: 5 })).toBeGreaterThan(40_000);
  });

  it('steps back beside other work, and yet keeps up 2,000 a second', () => {
    const records = rate({ isBusy: true, perRecordMs: 0.02, perBatchMs: 5 });
    expect(records).toBeGreaterThanOrEqual(2_000);
    expect(records).toBeLessThan(2_300);
  });

  it('keeps up 2,000 a second also where the processors are so full that it is woken late', () => {
    expect(rate({ isBusy: true, perRecordMs: 0.1, perBatchMs: 50, wokenLateMs: 100 })).toBeGreaterThanOrEqual(2_000);
  });

  it('leaves a slow database alone for as long as it was asked', () => {
    const slow = nextPace({ rows: 1_000, tookMs: 2_000, sinceDueMs: 2_000, isBusy: false });
    expect(slow.pauseMs).toBe(2_000);
    expect(slow.rows).toBeLessThan(1_000);
  });
});

describe('the limits of a batch', () => {
  it('come down to what a slow link can take, and go up again slowly when it takes it', () => {
    let limits = NO_SHIP_LIMITS;
    for (let n = 0; n < 10; n += 1) limits = lowerLimits(limits, limits.rows);
    expect(limits).toEqual({ rows: 250, bytes: 62_500 });
    const once = raiseLimits(limits);
    expect(once.rows).toBeGreaterThan(limits.rows);
    expect(once.rows).toBeLessThan(limits.rows * 1.1);
    for (let n = 0; n < 100; n += 1) limits = raiseLimits(limits);
    expect(limits).toEqual(NO_SHIP_LIMITS);
  });

  it('are half of what was sent, and not of what might have been', () => {
    expect(lowerLimits(NO_SHIP_LIMITS, 1_100).rows).toBe(550);
  });
});
