import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planSheet, sheetFilters, sheetSize } from '../../../agent/roles/transcode/scrub-sheet/scrub-sheet-plan.ts';
import { videoTrack } from './video-track.ts';

const HD = videoTrack;

describe('A scrub sheet', () => {
  it('has a tile per second of a short clip and at most 100 of a long one', () => {
    expect(planSheet(HD, 5)).toEqual({
      intervalSeconds: 1,
      columns: 5,
      rows: 1,
      tile: { width: 160, height: 90 },
      count: 5,
    });
    expect(planSheet(HD, 4.03)).toMatchObject({ count: 4 });
    expect(planSheet(HD, 12.5)).toMatchObject({ intervalSeconds: 1, columns: 10, rows: 2, count: 13 });
    expect(planSheet(HD, 3_600)).toMatchObject({ intervalSeconds: 36, columns: 10, rows: 10, count: 100 });
  });

  it('is not made of what is too short, or of unknown length', () => {
    expect(planSheet(HD, 1.9)).toBeNull();
    expect(planSheet(HD, null)).toBeNull();
  });

  it('has upright tiles of an upright clip, and small ones of a small one', () => {
    expect(planSheet({ ...HD, rotation: 90 }, 5)?.tile).toEqual({ width: 90, height: 160 });
    expect(planSheet({ ...HD, width: 64, height: 48 }, 5)?.tile).toEqual({ width: 64, height: 48 });
  });

  it('covers the whole clip within 1,600 × 1,600 pixels, whatever is claimed of it', () => {
    const size = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(size, size, fc.double({ min: 2, max: 1e9, noNaN: true }), (width, height, duration) => {
        const plan = planSheet({ ...HD, width, height }, duration);
        if (!plan) throw new Error('no plan');
        const sheet = sheetSize(plan);
        expect(Math.max(sheet.width, sheet.height)).toBeLessThanOrEqual(1_600);
        expect(plan.count * plan.intervalSeconds).toBeGreaterThanOrEqual(duration - plan.intervalSeconds / 2);
        expect(plan.count).toBeLessThanOrEqual(plan.columns * plan.rows);
        expect(plan.count).toBeGreaterThan(plan.columns * (plan.rows - 1));
      }),
    );
  });

  it('takes its pictures by the clock, not by counting frames', () => {
    expect(
      sheetFilters({ intervalSeconds: 3, columns: 10, rows: 2, tile: { width: 160, height: 90 }, count: 13 }),
    ).toBe('fps=1/3:start_time=0:round=up,scale=160:90:flags=bilinear,setsar=1,tile=10x2');
  });
});
