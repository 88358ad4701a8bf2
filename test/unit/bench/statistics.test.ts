import { describe, expect, it } from 'vitest';
import { median, percentile } from '../../bench/statistics.ts';

describe('the median', () => {
  it('is the middle value of an odd number of values, in whatever order they come', () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  it('is the mean of the two middle values of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('of nothing is not a number', () => {
    expect(median([])).toBeNaN();
  });
});

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);

  it('is the smallest value that the share of all values does not exceed', () => {
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
  });

  it('of few values is their worst one', () => {
    expect(percentile([7, 3, 5], 0.99)).toBe(7);
  });

  it('of nothing is not a number', () => {
    expect(percentile([], 0.99)).toBeNaN();
  });
});
