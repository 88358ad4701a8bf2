import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BandwidthState,
  capacityOf,
  emptyBandwidth,
  serveBandwidth,
  sliceOf,
} from '../../../../agent/storage/bandwidth/bandwidth-state.ts';

/** Transfers that always want more, on a virtual clock; `rateAt` may change at any time. */
function simulate(options: {
  transfers: number;
  untilMs: number;
  rateAt: (ms: number) => number | null;
  askBytes?: number;
}) {
  const { transfers, untilMs, rateAt, askBytes = 64 * 1024 } = options;
  const moved = new Array<number>(transfers).fill(0);
  const log: { atMs: number; bytes: number }[] = [];
  let state: BandwidthState = emptyBandwidth(0);
  for (let askId = 0; askId < transfers; askId += 1)
    state = { ...state, queue: [...state.queue, { askId, bytes: askBytes }] };
  let turns = 0;
  for (let nowMs = 0; nowMs <= untilMs && turns < 2_000_000; turns += 1) {
    const step = serveBandwidth(state, nowMs, rateAt(nowMs));
    state = step.state;
    for (const { askId, bytes } of step.grants) {
      moved[askId] = (moved[askId] ?? 0) + bytes;
      log.push({ atMs: nowMs, bytes });
      state = { ...state, queue: [...state.queue, { askId, bytes: askBytes }] };
    }
    // A look at least each 10 ms, as a transfer that ends or begins would bring about.
    nowMs += step.waitMs === null ? 1 : Math.min(step.waitMs, 10);
  }
  return { moved, log, total: moved.reduce((sum, bytes) => sum + bytes, 0) };
}

describe('the bandwidth of a node', () => {
  it('is used to the full and never exceeded, in any span', () => {
    fc.assert(
      fc.property(fc.integer({ min: 125_000, max: 50_000_000 }), fc.integer({ min: 1, max: 12 }), (rate, transfers) => {
        const { log, total } = simulate({ transfers, untilMs: 2_000, rateAt: () => rate });
        expect(total).toBeLessThanOrEqual(rate * 2 + capacityOf(rate));
        expect(total).toBeGreaterThan(rate * 2 * 0.9 - capacityOf(rate));
        let from = 0;
        let inSpan = 0;
        for (const { atMs, bytes } of log) {
          inSpan += bytes;
          while ((log[from]?.atMs ?? atMs) < atMs - 500) inSpan -= log[from++]?.bytes ?? 0;
          expect(inSpan).toBeLessThanOrEqual(rate * 0.5 + capacityOf(rate) + 1);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('is shared evenly by transfers that want more than there is', () => {
    const rate = 1_000_000;
    const { moved } = simulate({ transfers: 7, untilMs: 5_000, rateAt: () => rate });
    expect(Math.max(...moved) - Math.min(...moved)).toBeLessThanOrEqual(sliceOf(rate));
  });

  it('goes to those who want it when others want less', () => {
    const rate = 1_000_000;
    let state: BandwidthState = { ...emptyBandwidth(0), queue: [{ askId: 1, bytes: 100 }] };
    state = serveBandwidth(state, 1_000, rate).state;
    state = { ...state, queue: [{ askId: 2, bytes: 10_000 }] };
    expect(serveBandwidth(state, 1_000, rate).grants).toEqual([{ askId: 2, bytes: 10_000 }]);
  });

  it('changes at once, up, down and to no limit', () => {
    const rateAt = (ms: number) => (ms < 1_000 ? 1_000_000 : ms < 2_000 ? 4_000_000 : 500_000);
    const { log } = simulate({ transfers: 3, untilMs: 3_000, rateAt });
    const during = (from: number) =>
      log.filter(({ atMs }) => atMs >= from && atMs < from + 1_000).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(during(0) / 1_000_000).toBeCloseTo(1, 0);
    expect(during(1_000) / 4_000_000).toBeCloseTo(1, 0);
    expect(during(2_000)).toBeLessThanOrEqual(500_000 + capacityOf(4_000_000));
    const queue = [
      { askId: 1, bytes: 5_000_000 },
      { askId: 2, bytes: 1 },
    ];
    expect(serveBandwidth({ tokens: 0, atMs: 0, queue }, 0, null)).toMatchObject({ grants: queue, waitMs: null });
  });

  it('saves no more than a tenth of a second while nobody asks, nor when the clock stands or goes back', () => {
    const rate = 10_000_000;
    const rested = serveBandwidth(emptyBandwidth(0), 3_600_000, rate).state;
    expect(rested.tokens).toBe(capacityOf(rate));
    const asked = { ...emptyBandwidth(1_000), queue: [{ askId: 1, bytes: 10 }] };
    expect(serveBandwidth(asked, 400, rate)).toMatchObject({ grants: [], waitMs: 1 });
  });
});
