import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatDurationExact,
  formatList,
  formatPercent,
  formatRelative,
  plural,
  sentenceCase,
} from '../../../../renderer/ui/format.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('sizes', () => {
  it('are SI with three digits that matter', () => {
    expect([0, 512, 1_500, 1_500_000, 98_700_000_000, 2.5e15].map(formatBytes)).toEqual([
      '0 B',
      '512 B',
      '1.50 kB',
      '1.50 MB',
      '98.7 GB',
      '2.50 PB',
    ]);
  });

  it('go to the next unit rather than show 1000 of one', () => {
    expect([999.4, 999.6, 999_600, 9.999e6].map(formatBytes)).toEqual(['999 B', '1.00 kB', '1.00 MB', '10.0 MB']);
  });

  it('are never below nothing', () => {
    expect(formatBytes(-5)).toBe('0 B');
  });
});

describe('counts', () => {
  it('are grouped and agree with their noun', () => {
    expect(formatCount(1_204_889)).toBe('1,204,889');
    expect([plural(0, 'job'), plural(1, 'job'), plural(1_204, 'job')]).toEqual(['0 jobs', '1 job', '1,204 jobs']);
    expect(plural(2, 'copy', 'copies')).toBe('2 copies');
  });
});

describe('shares', () => {
  it('say 100% only at the end, and stay within 0 and 100', () => {
    expect([-1, 0, 0.999, 1, 1.7].map(formatPercent)).toEqual(['0%', '0%', '99%', '100%', '100%']);
  });
});

describe('durations', () => {
  it('are rounded down to one unit', () => {
    expect([-5, 40_900, 3 * MINUTE + 59_000, 3 * HOUR, 47 * HOUR, 50 * HOUR].map(formatDuration)).toEqual([
      '0 s',
      '40 s',
      '3 min',
      '3 h',
      '47 h',
      '2 d',
    ]);
  });

  it('have two units where they are watched, and no empty second one', () => {
    expect([75_000, 2 * MINUTE, 2 * HOUR + 5 * MINUTE, 26 * HOUR].map(formatDurationExact)).toEqual([
      '1 min 15 s',
      '2 min',
      '2 h 5 min',
      '1 d 2 h',
    ]);
  });

  it('are relative to now, in both directions', () => {
    const nowMs = 1_000 * HOUR;
    expect([0, -12_000, -3 * MINUTE, 4_500].map((ms) => formatRelative(nowMs + ms, nowMs))).toEqual([
      'just now',
      '12 s ago',
      '3 min ago',
      'in 5 s',
    ]);
  });
});

describe('words', () => {
  it('are listed and written as people do', () => {
    expect([formatList([]), formatList(['a']), formatList(['a', 'b']), formatList(['a', 'b', 'c'], 'or')]).toEqual([
      '',
      'a',
      'a and b',
      'a, b or c',
    ]);
    expect(sentenceCase('storage-file')).toBe('Storage file');
  });
});
