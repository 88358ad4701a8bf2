import { describe, expect, it } from 'vitest';
import { nextReadMs, pieceBytesAt } from '../../../agent/storage/process/read-pace-plan.ts';

describe('the pace of reading', () => {
  it('keeps a reader that is always ready at the rate', () => {
    let dueMs = 0;
    for (let piece = 0; piece < 40; piece += 1) dueMs = nextReadMs({ dueMs, startedMs: dueMs }, 250_000, 1_000_000);
    expect(dueMs).toBe(10_000);
  });

  it('makes up for no time that a slow storage took', () => {
    const first = nextReadMs({ dueMs: 0, startedMs: 0 }, 1_000, 1_000);
    expect(first).toBe(1_000);
    const afterPause = nextReadMs({ dueMs: first, startedMs: 60_000 }, 1_000, 1_000);
    expect(afterPause).toBe(61_000);
  });

  it('takes pieces that come at least once a second, down to the slowest rate that one of many workers can get', () => {
    const slowest = 1_000_000 / 65 / 4;
    for (const rate of [slowest, 100_000, 1_000_000, 500_000_000]) {
      expect(pieceBytesAt(rate) / rate).toBeLessThanOrEqual(1.1);
      expect(pieceBytesAt(rate)).toBeGreaterThanOrEqual(4_096);
    }
    expect(pieceBytesAt(null)).toBe(Number.POSITIVE_INFINITY);
  });
});
