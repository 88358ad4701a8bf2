import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../agent/runtime/backoff.ts';
import { observeCounter, type Standstill } from '../../../agent/runtime/standstill.ts';

const reads = (list: [value: string, startedMs: number, endedMs: number][]): Standstill | null => {
  let seen: Standstill | null = null;
  for (const [value, startedMs, endedMs] of list) seen = observeCounter(seen, { value, startedMs, endedMs }, 2_000);
  return seen;
};

describe('a standstill', () => {
  it('counts from the end of the first read to the start of the latest', () => {
    expect(
      reads([
        ['7', 0, 400],
        ['7', 1_000, 1_900],
      ])?.stoodMs,
    ).toBe(600);
  });

  it('begins anew when the counter moves', () => {
    expect(
      reads([
        ['7', 0, 10],
        ['8', 1_000, 1_010],
      ])?.stoodMs,
    ).toBe(0);
  });

  it('begins anew after a gap between reads', () => {
    expect(
      reads([
        ['7', 0, 10],
        ['7', 2_100, 2_110],
        ['7', 3_000, 3_010],
      ])?.stoodMs,
    ).toBe(890);
  });
});

describe('back-off', () => {
  it('stays below base × 2^(n−1) and below the cap, however many attempts', () => {
    const shape = { baseMs: 100, capMs: 1_000 };
    expect(backoffMs(1, shape, () => 0.999)).toBe(99);
    expect(backoffMs(3, shape, () => 0.999)).toBe(399);
    expect(backoffMs(500, shape, () => 0.999)).toBe(999);
    expect(backoffMs(5, shape, () => 0)).toBe(0);
  });
});
