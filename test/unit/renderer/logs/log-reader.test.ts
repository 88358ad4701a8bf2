import { expect, test } from 'vitest';
import type { LogLine } from '../../../../agent/contract/index.ts';
import type { LogPage } from '../../../../renderer/ui/logs/log-buffer.ts';
import { MOST_LINES } from '../../../../renderer/ui/logs/log-buffer.ts';
import type { LogQuery } from '../../../../renderer/ui/logs/log-filter.ts';
import { createLogReader, type LogSource } from '../../../../renderer/ui/logs/log-reader.ts';

const QUERY: LogQuery = { minLevel: 'info', text: '', fromMs: null, toMs: null, storageId: null };
const line = (seq: number, level: LogLine['level'] = 'info'): LogLine => ({
  seq,
  atMs: seq,
  level,
  message: `m${seq}`,
  fields: '',
});
const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => line(from + at));

/** Answers are given by hand, so that every order of events can be played. */
function play() {
  const asked: {
    source: LogSource;
    query: LogQuery;
    cursor: string | null;
    answer: (page: LogPage) => Promise<void>;
    fail: () => Promise<void>;
  }[] = [];
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const reader = createLogReader(
    (source, query, cursor) =>
      new Promise((resolve, reject) => {
        asked.push({
          source,
          query,
          cursor,
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
  await last().answer({ lines: run(5, 11), nextCursor: 'older' });
  expect(seqs()).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
});

test('older pages are read one at a time, by the cursor of the last one, until the beginning', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer({ lines: run(5, 9), nextCursor: 'before-5' });
  reader.older();
  reader.older();
  expect(asked).toHaveLength(2);
  expect(last().cursor).toBe('before-5');
  await last().answer({ lines: run(1, 4), nextCursor: null });
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  reader.older();
  expect(asked).toHaveLength(2);
});

test('live lines that the filter keeps out are not shown', async () => {
  const { reader, last, seqs } = play();
  reader.open('agent', QUERY);
  await last().answer({ lines: [line(1)], nextCursor: null });
  reader.take([line(2, 'debug'), line(3, 'error')]);
  expect(seqs()).toEqual([1, 3]);
});

test('a late answer for an earlier filter is dropped', async () => {
  const { reader, asked, last, seqs } = play();
  reader.open('agent', QUERY);
  const first = asked[0];
  reader.open('files', { ...QUERY, text: 'x' });
  await first?.answer({ lines: run(1, 3), nextCursor: null });
  expect(reader.get()).toMatchObject({ isLoaded: false, source: 'files' });
  await last().answer({ lines: [line(7)], nextCursor: null });
  expect(seqs()).toEqual([7]);
});

test('a page that could not be read says why and can be read again', async () => {
  const { reader, last } = play();
  reader.open('agent', QUERY);
  await last().fail();
  expect(reader.get()).toMatchObject({ error: 'The agent does not answer.', isLoaded: false });
  reader.older();
  expect(reader.get().error).toBeNull();
  await last().answer({ lines: [line(1)], nextCursor: null });
  expect(reader.get()).toMatchObject({ isLoaded: true, isReadingOlder: false });
});

test('a node that counts anew is read again from its end', async () => {
  const { reader, asked, last } = play();
  reader.open('agent', QUERY);
  await last().answer({ lines: run(500, 510), nextCursor: 'x' });
  reader.take([{ ...line(3), atMs: 9_999 }]);
  expect(asked).toHaveLength(2);
  expect(reader.get()).toMatchObject({ isLoaded: false });
});

test('lines are counted for a reader of history', async () => {
  const { reader, last } = play();
  reader.open('agent', QUERY);
  await last().answer({ lines: run(1, 5), nextCursor: null });
  reader.dispatch({ kind: 'scrolled', move: 'left-end' });
  reader.take([line(5), line(6), line(7)]);
  expect(reader.get().follow).toEqual({ kind: 'reading', arrived: 2 });
});

test('after lines were let go, older ones are asked for by time; after lines were left out, following reads the end anew', async () => {
  const { reader, asked, last } = play();
  reader.open('agent', QUERY);
  await last().answer({ lines: run(1, MOST_LINES), nextCursor: 'older' });
  reader.take([line(MOST_LINES + 1)]);
  reader.older();
  expect(last()).toMatchObject({ cursor: null, query: { toMs: reader.get().buffer.lines[0]?.atMs } });
  await last().answer({ lines: [], nextCursor: null });
  reader.dispatch({ kind: 'pause-pressed' });
  reader.take(run(MOST_LINES + 2, MOST_LINES * 3));
  expect(reader.get().buffer.isCut).toBe(true);
  const before = asked.length;
  reader.dispatch({ kind: 'follow-pressed' });
  expect(asked).toHaveLength(before + 1);
  expect(reader.get().follow.kind).toBe('following');
});
