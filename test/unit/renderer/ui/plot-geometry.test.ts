import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areaPath, linePath, niceCeiling, placeAt, xAt } from '../../../../renderer/ui/plot-geometry.ts';

describe('the top of an axis', () => {
  it('is 1, 2 or 5 times a power of ten at or above the largest value', () => {
    expect([0.3, 1, 3, 7, 10, 34, 120, 1_000_000].map((value) => niceCeiling(value, 0.1))).toEqual([
      0.5, 1, 5, 10, 10, 50, 200, 1_000_000,
    ]);
  });

  it('is never below the least', () => {
    expect(niceCeiling(0, 10)).toBe(10);
  });

  it('covers every value', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e15, noNaN: true }), (value) => {
        expect(niceCeiling(value, 0.001)).toBeGreaterThanOrEqual(value * (1 - 1e-9));
      }),
    );
  });
});

describe('places', () => {
  it('span the whole width', () => {
    expect([xAt(0, 60, 590), xAt(59, 60, 590), xAt(0, 1, 590)]).toEqual([0, 590, 0]);
  });

  it('are found again from their pixel, also from beyond the ends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1_440 }), fc.nat(), (count, some) => {
        const at = some % count;
        expect(placeAt(xAt(at, count, 700), count, 700)).toBe(at);
      }),
    );
    expect([placeAt(-20, 60, 590), placeAt(9_999, 60, 590), placeAt(5, 60, 0)]).toEqual([0, 59, 0]);
  });
});

describe('paths', () => {
  it('put zero at the bottom, cut off above the top, and close the area along the bottom', () => {
    expect(linePath([0, 5, 50], 100, 40, 10)).toBe('M0 40L50 20L100 0');
    expect(areaPath([0, 10], 100, 40, 10)).toBe('M0 40L100 0L100 40L0 40Z');
    expect(areaPath([], 100, 40, 10)).toBe('');
  });
});
