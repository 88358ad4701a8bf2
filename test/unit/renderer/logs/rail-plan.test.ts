import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEAST_THUMB_PX, shareAt, thumbOf } from '../../../../renderer/ui/logs/rail-plan.ts';

const extent = { firstSeq: 1, lastSeq: 10_000_000 };

test('at both ends of ten million lines the thumb is at both ends of its rail', () => {
  const top = thumbOf(extent, { firstSeq: 1, lastSeq: 30 }, 500);
  const bottom = thumbOf(extent, { firstSeq: 9_999_971, lastSeq: 10_000_000 }, 500);
  expect(top).toEqual({ topPx: 0, heightPx: LEAST_THUMB_PX });
  expect(bottom.topPx + bottom.heightPx).toBe(500);
});

test('a log that is in view as a whole fills its rail', () => {
  expect(thumbOf({ firstSeq: 5, lastSeq: 9 }, { firstSeq: 5, lastSeq: 9 }, 300)).toEqual({ topPx: 0, heightPx: 300 });
});

test('wherever the view is, the thumb is on its rail, and its place leads back near to what was in view', () => {
  const view = fc.record({
    first: fc.integer({ min: 1, max: 9_999_970 }),
    railPx: fc.integer({ min: 60, max: 2_000 }),
  });
  fc.assert(
    fc.property(view, ({ first, railPx }) => {
      const thumb = thumbOf(extent, { firstSeq: first, lastSeq: first + 29 }, railPx);
      expect(thumb.topPx).toBeGreaterThanOrEqual(0);
      expect(thumb.topPx + thumb.heightPx).toBeLessThanOrEqual(railPx + 1e-6);
      const back = shareAt(thumb.topPx, thumb, railPx) * 10_000_000;
      expect(Math.abs(back - first)).toBeLessThan(100);
    }),
  );
});
