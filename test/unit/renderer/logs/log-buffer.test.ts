import { describe, expect, test } from 'vitest';
import type { LogLine } from '../../../../agent/contract/index.ts';
import {
  appendLive,
  countNew,
  EMPTY_BUFFER,
  indexFrom,
  type LogBuffer,
  MOST_LINES,
  prependPage,
} from '../../../../renderer/ui/logs/log-buffer.ts';

const line = (seq: number, message = `line ${seq}`): LogLine => ({
  seq,
  atMs: 1_000 + seq,
  level: 'info',
  message,
  fields: '',
});
const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => line(from + at));
const seqs = ({ lines }: LogBuffer) => lines.map(({ seq }) => seq);
const filled = prependPage(EMPTY_BUFFER, { lines: run(50, 60), nextCursor: '50' });

test('older pages join at the head and the first page without cursor is the beginning', () => {
  const buffer = prependPage(filled, { lines: run(40, 49), nextCursor: null });
  expect(seqs(buffer)).toEqual(run(40, 60).map(({ seq }) => seq));
  expect(buffer).toMatchObject({ isWhole: true, olderCursor: null });
  expect(filled).toMatchObject({ isWhole: false, olderCursor: '50' });
});

test('a page that overlaps brings nothing twice', () => {
  expect(seqs(prependPage(filled, { lines: run(45, 55), nextCursor: '45' }))).toEqual(
    run(45, 60).map(({ seq }) => seq),
  );
});

describe('live lines', () => {
  test('join at the tail', () => {
    expect(seqs(appendLive(filled, run(61, 63), true))).toEqual(run(50, 63).map(({ seq }) => seq));
  });

  test('a line whose seq is known replaces its old text', () => {
    const buffer = appendLive(filled, [line(60, 'grown'), line(61)], true);
    expect(buffer.lines.at(-2)).toMatchObject({ seq: 60, message: 'grown' });
    expect(buffer.lines).toHaveLength(12);
  });

  test('late lines are put in their place; lines before the first are left to their page', () => {
    const gap = prependPage(EMPTY_BUFFER, { lines: [line(50), line(53)], nextCursor: '50' });
    expect(seqs(appendLive(gap, [line(52), line(51), line(49)], true))).toEqual([50, 51, 52, 53]);
  });

  test('only what is new is counted', () => {
    expect(countNew(filled, [line(59), line(60), line(61), line(62)])).toBe(2);
  });

  test('a node that counts anew makes the view stale instead of mixing two logs', () => {
    expect(appendLive(filled, [{ ...line(1), atMs: 99_999 }], true).isStale).toBe(true);
  });

  test('while following, the oldest lines go and can be asked for by time', () => {
    const full = prependPage(EMPTY_BUFFER, { lines: run(1, MOST_LINES), nextCursor: 'older' });
    const buffer = appendLive(full, [line(MOST_LINES + 1)], true);
    expect(buffer.lines.length).toBeLessThanOrEqual(MOST_LINES);
    expect(buffer.lines.at(-1)?.seq).toBe(MOST_LINES + 1);
    expect(buffer).toMatchObject({ isWhole: false, olderCursor: null, trimmedToMs: buffer.lines[0]?.atMs });
  });

  test('from a reader of history nothing is taken; beyond the bound lines are left out and the view says so', () => {
    const full = prependPage(EMPTY_BUFFER, { lines: run(1, MOST_LINES * 2), nextCursor: null });
    const buffer = appendLive(full, [line(MOST_LINES * 2 + 1)], false);
    expect(buffer.isCut).toBe(true);
    expect(buffer.lines[0]?.seq).toBe(1);
    expect(appendLive(buffer, [line(MOST_LINES * 2 + 5)], false)).toBe(buffer);
  });
});

test('a line is found by halving', () => {
  expect(indexFrom(filled.lines, 55)).toBe(5);
  expect(indexFrom(filled.lines, 61)).toBe(11);
  expect(indexFrom(filled.lines, 1)).toBe(0);
});
