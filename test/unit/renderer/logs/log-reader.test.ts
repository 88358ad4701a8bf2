import { expect, test } from 'vitest';
import type { LogLine } from '../../../../agent/contract/index.ts';
import type { LogPage } from '../../../../renderer/ui/logs/log-buffer.ts';
import { MOST_LINES } from '../../../../renderer/ui/logs/log-buffer.ts';
import type { LogQuery } from '../../../../renderer/ui/logs/log-filter.ts';
import { createLogReader, type LogSource, type PagePlace } from '../../../../renderer/ui/logs/log-reader.ts';

const QUERY: LogQuery = {
  minLevel: 'info',
  text: '',
  isPattern: false,
  workerId: null,
  fromMs: null,
  toMs: null,
  storageId: null,
};
const line = (seq: number, level: LogLine['level'] = 'info'): LogLine => ({
  seq,
  atMs: seq,
  level,
  message: `m${seq}`,
  fields: '',
});
const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => line(from + at));

const page = (lines: LogLine[], older: number | null = null, newerSeq: number | null = null): LogPage => ({
  lines,
  older: older === null ? null : { kind: 'before', seq: older, atMs: 0 },
  newerSeq,
  extent: null,
});

/** Answers are given by hand, so that every order of events can be played. */
function play() {
  const asked: {
    source: LogSource;
    query: LogQuery;
    at: PagePlace;
    answer: (page: LogPage) => Promise<void>;
    fail: () => Promise<void>;
  }[] = [];
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const reader = createLogReader(
    (source, query, at) =>
      new Promise((resolve, reject) => {
        asked.push({
          source,
          query,
          at,
          answer: (page) => {
            resolve(page);
            return turn();
          },
          fail: () => {
            reject(new Error('The agent does not answer.'));
            return turn();
          },
        });
      }),
  );
  const last = () => {
    const call = asked.at(-1);
    if (!call) throw new Error('nothing was asked');
    return call;
  };
  const seqs = () => reader.get().buffer.lines.map(({ seq }) => seq);
  return { reader, asked, last, seqs };
}

test('lines that arrive while the newest page is read are neither lost nor doubled', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  reader.take([line(10), line(11), line(12)]);
  await last().answer(page(run(5, 11), 5));
  expect(seqs()).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
});

test('older pages are read one at a time, from the first line of the last one, until the beginning', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(5, 9), 5));
  reader.older();
  reader.older();
  expect(asked).toHaveLength(2);
  expect(last().at).toEqual({ kind: 'before', seq: 5, atMs: 0 });
  await last().answer(page(run(1, 4), null));
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  reader.older();
  expect(asked).toHaveLength(2);
});

test('lines that are left out in the middle of what arrives are read, too', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(1, 3), null));
  reader.take([...run(4, 5), ...run(9, 10)]);
  expect(last().at).toEqual({ kind: 'after', seq: 3 });
  await last().answer(page(run(4, 10), null));
  reader.take([line(11)]);
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('live lines that the filter keeps out are not shown', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page([line(1)], null));
  reader.take([line(2, 'debug'), line(3, 'error')]);
  expect(seqs()).toEqual([1, 3]);
});

test('a late answer for an earlier filter is dropped', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  const first = asked[0];
  reader.open('files', { ...QUERY, text: 'x' });
  await first?.answer(page(run(1, 3), null));
  expect(reader.get()).toMatchObject({ isLoaded: false, source: 'files' });
  await last().answer(page([line(7)], null));
  expect(seqs()).toEqual([7]);
});

test('a page that could not be read says why and can be read again', async () => {
  const { reader, last } = play();
  reader.open('agent', QUERY);
  await last().fail();
  expect(reader.get()).toMatchObject({
    failure: { message: 'The agent does not answer.', kind: 'place' },
    isLoaded: false,
  });
  reader.retry();
  expect(reader.get().failure).toBeNull();
  await last().answer(page([line(1)], null));
  expect(reader.get()).toMatchObject({ isLoaded: true, isReadingOlder: false });
});

test('a node that counts anew is read again from its end', async () => {
  const { reader, asked, last } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(500, 510), 5));
  reader.take([{ ...line(3), atMs: 9_999 }]);
  expect(asked).toHaveLength(2);
  expect(reader.get()).toMatchObject({ isLoaded: false });
});

test('lines are counted for a reader of history', async () => {
  const { reader, last } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(1, 5), null));
  reader.dispatch({ kind: 'scrolled', move: 'left-end' });
  reader.take([line(5), line(6), line(7)]);
  expect(reader.get().follow).toEqual({ kind: 'reading', arrived: 2 });
});

test('lines that were left out on their way are read before those that came after them', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(1, 5)));
  reader.take(run(6, 7));
  reader.take(run(20, 22));
  reader.take(run(23, 24));
  expect(asked).toHaveLength(2);
  expect(last().at).toEqual({ kind: 'after', seq: 7 });
  await last().answer(page(run(8, 15), 8, 15));
  expect(last().at).toEqual({ kind: 'after', seq: 15 });
  await last().answer(page(run(16, 23), 16));
  expect(seqs()).toEqual(run(1, 24).map(({ seq }) => seq));
});

test('a jump keeps what is shown until its page has come, and then names the line to go to', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(900, 910), 900));
  reader.jump({ kind: 'share', share: 0.5 });
  expect(reader.get()).toMatchObject({ isLoaded: true });
  expect(seqs()).toHaveLength(11);
  await last().answer(page(run(450, 459), 450, 459));
  expect(reader.get()).toMatchObject({ focus: { seq: 455 }, follow: { kind: 'reading', arrived: 0 } });
  reader.take([line(911)]);
  expect(seqs()).toEqual(run(450, 459).map(({ seq }) => seq));
  reader.dispatch({ kind: 'scrolled', move: 'reached-end' });
  expect(reader.get().follow.kind).toBe('reading');
  reader.newer();
  expect(last().at).toEqual({ kind: 'after', seq: 459 });
  await last().answer(page(run(460, 469), 460, 469));
  reader.dispatch({ kind: 'follow-pressed' });
  expect(last().at).toEqual({ kind: 'end' });
  expect(reader.get().follow.kind).toBe('following');
});

test('of two jumps the later one counts', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(900, 910), 900));
  reader.jump({ kind: 'share', share: 0.1 });
  const first = last();
  reader.jump({ kind: 'share', share: 0.9 });
  expect(asked).toHaveLength(3);
  await last().answer(page(run(800, 809), 800, 809));
  await first.answer(page(run(100, 109), 100, 109));
  expect(seqs()[0]).toBe(800);
});

test('for a pattern, and for another node, live lines are asked for and not judged here', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', { ...QUERY, text: '(a+)+b', isPattern: true });
  await last().answer(page([line(3)]));
  reader.take([line(4), line(9)]);
  expect(seqs()).toEqual([3]);
  reader.newer();
  expect(last().at).toEqual({ kind: 'after', seq: 3 });
  await last().answer(page([line(9)], 4));
  expect(seqs()).toEqual([3, 9]);
});

test('at 5,000 lines a second none is skipped, and the number held stays bounded', async () => {
  const { reader, last } = play();
  reader.open('agent', QUERY);
  await last().answer(page([line(1)]));
  const seen = new Set<number>();
  for (let from = 2; from < 100_000; from += 500) {
    reader.take(run(from, from + 499));
    for (const { seq } of reader.get().buffer.lines.slice(-500)) seen.add(seq);
  }
  expect(seen.size).toBeGreaterThanOrEqual(99_999);
  expect(reader.get().buffer.lines.length).toBeLessThanOrEqual(MOST_LINES * 1.25);
});

test('a reader of history gets the page that was asked for, and no more because of lines that arrive meanwhile', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(900, 910), 900));
  reader.jump({ kind: 'share', share: 0.5 });
  await last().answer(page(run(450, 459), 450, 459));
  reader.newer();
  reader.take([line(911)]);
  await last().answer(page(run(460, 469), 460, 469));
  expect(asked).toHaveLength(3);
  expect(seqs()).toEqual(run(450, 469).map(({ seq }) => seq));
});

test('lines that arrive while the last page is read are read after it', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(900, 910), 900));
  reader.jump({ kind: 'share', share: 0.99 });
  await last().answer(page(run(890, 899), 890, 899));
  reader.newer();
  reader.take([line(911)]);
  await last().answer(page(run(900, 910), 900));
  expect(last().at).toEqual({ kind: 'after', seq: 910 });
  await last().answer(page([line(911)], 911));
  expect(seqs()).toEqual(run(890, 911).map(({ seq }) => seq));
});

test('a log begun anew with smaller numbers is asked for what came live once and not for ever', async () => {
  const { reader, asked, last } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(900, 910), 900));
  reader.take([line(911)]);
  reader.jump({ kind: 'end' });
  await last().answer(page(run(1, 5)));
  await last().answer(page([]));
  expect(asked).toHaveLength(3);
});

test('catching up stops where a reader of history would lose what is in view', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer(page(run(1, MOST_LINES)));
  reader.dispatch({ kind: 'scrolled', move: 'left-end' });
  reader.take([line(MOST_LINES + 9_000)]);
  await last().answer(page(run(MOST_LINES + 1, MOST_LINES + 500), 1, MOST_LINES + 500));
  expect(asked).toHaveLength(2);
  expect([seqs()[0], seqs().at(-1)]).toEqual([1, MOST_LINES + 500]);
});

test('what is tried again is the read that failed', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', { ...QUERY, workerId: 'worker-b' });
  await last().answer(page(run(1, 3)));
  reader.newer();
  await last().fail();
  expect(reader.get().failure?.kind).toBe('newer');
  reader.retry();
  expect(last().at).toEqual({ kind: 'after', seq: 3 });
  expect(reader.get().failure).toBeNull();
  await last().answer(page([line(4)], 4));
  expect(seqs()).toEqual([1, 2, 3, 4]);

  reader.jump({ kind: 'time', atMs: 2 });
  await last().fail();
  expect(reader.get()).toMatchObject({ isLoaded: true, failure: { kind: 'place' } });
  reader.retry();
  expect(last().at).toEqual({ kind: 'time', atMs: 2 });
});

test('lines that arrive while the files are shown move nobody who reads, and show the new end to who follows', async () => {
  const { reader, asked, last, seqs } = play();
  const inFile = (nth: number): LogLine => ({ ...line(nth), seq: 1.7e15 + nth, atMs: 1.7e12 });
  reader.open('files', QUERY);
  await last().answer(page([inFile(1), inFile(2)]));
  reader.take([{ ...line(5), atMs: 1.8e12 }]);
  expect(last()).toMatchObject({ source: 'files', at: { kind: 'end' } });
  expect(seqs()).toHaveLength(2);
  await last().answer(page([inFile(1), inFile(2), inFile(3)]));
  expect(seqs()).toHaveLength(3);
  reader.dispatch({ kind: 'scrolled', move: 'left-end' });
  const before = reader.get();
  reader.take([{ ...line(6), atMs: 1.8e12 }]);
  expect(asked).toHaveLength(2);
  expect(reader.get()).toBe(before);
});
