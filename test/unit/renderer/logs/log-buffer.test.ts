import { describe, expect, test } from 'vitest';
import type { LogLine } from '../../../../agent/contract/index.ts';
import {
  appendLive,
  appendPage,
  bufferOf,
  countNew,
  indexFrom,
  type LogBuffer,
  type LogPage,
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
const before = (seq: number) => ({ kind: 'before', seq, atMs: 0 }) as const;
const page = (lines: LogLine[], older: number | null, newerSeq: number | null = null): LogPage => ({
  lines,
  older: older === null ? null : before(older),
  newerSeq,
  extent: null,
});
const filled = bufferOf(page(run(50, 60), 50));

test('older pages join at the head and the first page without cursor is the beginning', () => {
  const buffer = prependPage(filled, page(run(40, 49), null));
  expect(seqs(buffer)).toEqual(run(40, 60).map(({ seq }) => seq));
  expect(buffer).toMatchObject({ isWhole: true, older: null });
  expect(filled).toMatchObject({ isWhole: false, older: before(50) });
});

test('a page that overlaps brings nothing twice', () => {
  expect(seqs(prependPage(filled, page(run(45, 55), 45)))).toEqual(run(45, 60).map(({ seq }) => seq));
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
    const gap = bufferOf(page([line(50), line(53)], 50));
    expect(seqs(appendLive(gap, [line(52), line(51), line(49)], true))).toEqual([50, 51, 52, 53]);
  });

  test('only what is new is counted', () => {
    expect(countNew(filled, [line(59), line(60), line(61), line(62)])).toBe(2);
  });

  test('a node that counts anew makes the view stale instead of mixing two logs', () => {
    expect(appendLive(filled, [{ ...line(1), atMs: 99_999 }], true).isStale).toBe(true);
  });

  test('while following, the oldest lines go and can be read again from the first that stays', () => {
    const full = bufferOf(page(run(1, MOST_LINES), 1));
    const buffer = appendLive(full, run(MOST_LINES + 1, MOST_LINES * 2), true);
    expect(buffer.lines).toHaveLength(MOST_LINES);
    expect(buffer.lines.at(-1)?.seq).toBe(MOST_LINES * 2);
    const [first] = buffer.lines;
    expect(buffer).toMatchObject({ isWhole: false, older: { kind: 'before', seq: first?.seq, atMs: first?.atMs } });
  });

  test('a reader of history keeps what is in view: live lines beyond the bound wait in the store', () => {
    const full = bufferOf(page(run(1, MOST_LINES), null));
    const buffer = appendLive(full, run(MOST_LINES + 1, MOST_LINES * 2), false);
    expect(buffer.newerSeq).toBe(MOST_LINES);
    expect(buffer.lines[0]?.seq).toBe(1);
    expect(appendLive(buffer, [line(MOST_LINES * 2 + 5)], false)).toBe(buffer);
  });
});

describe('a part of a longer log', () => {
  test('grows at its end by newer pages until the last line, and then by live ones', () => {
    const part = bufferOf(page(run(50, 60), 50, 60));
    expect(appendLive(part, [line(99)], true)).toBe(part);
    const more = appendPage(part, page(run(61, 70), 61, 70));
    expect([more.newerSeq, more.lines.length]).toEqual([70, 21]);
    const whole = appendPage(more, page(run(69, 72), 71, null));
    expect(seqs(whole)).toEqual(run(50, 72).map(({ seq }) => seq));
    expect(appendLive(whole, [line(73)], true).lines.at(-1)?.seq).toBe(73);
  });

  test('never holds more than its bound, whichever way the reader goes, and never has a gap', () => {
    let buffer = bufferOf(page(run(500_000, 500_499), 500_000, 500_499));
    for (let first = 499_500; first > 400_000; first -= 500)
      buffer = prependPage(buffer, page(run(first, first + 499), first, null));
    expect(buffer.lines.length).toBeLessThanOrEqual(MOST_LINES * 1.25);
    for (let turn = 0; turn < 200 && buffer.newerSeq !== null; turn += 1) {
      const from: number = buffer.newerSeq + 1;
      buffer = appendPage(buffer, page(run(from, from + 499), from, from + 499));
    }
    expect(buffer.lines.length).toBeLessThanOrEqual(MOST_LINES * 1.25);
    const [first] = buffer.lines;
    expect(seqs(buffer)).toEqual(
      run(first?.seq ?? 0, (first?.seq ?? 0) + buffer.lines.length - 1).map(({ seq }) => seq),
    );
    expect(buffer.older).toMatchObject({ seq: first?.seq });
  });
});

test('a line is found by halving', () => {
  expect(indexFrom(filled.lines, 55)).toBe(5);
  expect(indexFrom(filled.lines, 61)).toBe(11);
  expect(indexFrom(filled.lines, 1)).toBe(0);
});
