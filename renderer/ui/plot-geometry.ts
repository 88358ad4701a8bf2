/** Geometry of line plots: pure arithmetic between values and pixels. */

/** The next "round" number (1, 2, 5 × 10ⁿ) at or above `value`; at least `least`. */
export function niceCeiling(value: number, least = 1): number {
  const wanted = Math.max(value, least);
  const unit = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].find((each) => each * unit >= wanted * (1 - 1e-9)) ?? 10;
  return step * unit;
}

/** Pixel of the value at place `at` of `count`, left to right over the whole width. */
export function xAt(at: number, count: number, width: number): number {
  return count < 2 ? 0 : (at / (count - 1)) * width;
}

/** Place whose pixel is nearest to `x`. */
export function placeAt(x: number, count: number, width: number): number {
  if (count < 2 || width <= 0) return 0;
  return Math.min(count - 1, Math.max(0, Math.round((x / width) * (count - 1))));
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** SVG path through the values; 0 is at the bottom, `top` at the top, larger values are cut off there. */
export function linePath(values: readonly number[], width: number, height: number, top: number): string {
  return values
    .map((value, at) => {
      const y = height - (Math.min(Math.max(value, 0), top) / top) * height;
      return `${at === 0 ? 'M' : 'L'}${round(xAt(at, values.length, width))} ${round(y)}`;
    })
    .join('');
}

/** The same, closed along the bottom. */
export function areaPath(values: readonly number[], width: number, height: number, top: number): string {
  return values.length === 0 ? '' : `${linePath(values, width, height, top)}L${round(width)} ${height}L0 ${height}Z`;
}
