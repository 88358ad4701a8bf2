import { describe, expect, test } from 'vitest';
import type { JobRow } from '../../../../agent/contract/index.ts';
import {
  changeRow,
  EMPTY_LIST,
  type JobList,
  MOST_SCROLLABLE_ROWS,
  mergePage,
  missingPage,
  PAGE_ROWS,
  pageAround,
  scrollableRows,
} from '../../../../renderer/features/jobs/job-list.ts';

const job = (id: number, more: Partial<JobRow> = {}): JobRow => ({
  jobId: String(id),
  role: 'CHECKSUM',
  kind: 'checksum',
  state: 'queued',
  subject: `file-${id}.mov`,
  storageId: null,
  priority: 5,
  attempts: 0,
  progress: 0,
  note: '',
  nodeName: null,
  createdMs: 0,
  startedMs: null,
  finishedMs: null,
  error: null,
  ...more,
});
const jobs = (from: number, count: number) => Array.from({ length: count }, (_, at) => job(from - at));
const answer = (rows: JobRow[], nextCursor: string | null, total = 1000) => ({ rows, nextCursor, total });
const ids = (list: JobList) => list.rows.map(({ jobId }) => Number(jobId));
const top = { index: 0, cursor: null };

/** 100–91 and 90–81 read, more to come. */
function twoPages(): JobList {
  const first = mergePage(EMPTY_LIST, top, answer(jobs(100, 10), 'after-91'), false);
  return mergePage(first, { index: 10, cursor: 'after-91' }, answer(jobs(90, 10), 'after-81'), false);
}

describe('reading on', () => {
  test('pages join at the end and the next one continues where the last one ended', () => {
    const list = twoPages();
    expect(ids(list)).toEqual(jobs(100, 20).map(({ jobId }) => Number(jobId)));
    expect(missingPage(list, 25)).toEqual({ mark: { index: 20, cursor: 'after-81' }, limit: PAGE_ROWS });
  });

  test('nothing is read when the rows wanted are there, or there are no more', () => {
    expect(missingPage(twoPages(), 19)).toBeNull();
    const whole = mergePage(EMPTY_LIST, top, answer(jobs(3, 3), null, 3), false);
    expect(missingPage(whole, 99)).toBeNull();
    expect(scrollableRows(whole)).toBe(3);
  });

  test('a leap far down reads the largest pages', () => {
    expect(missingPage(twoPages(), 90_000)?.limit).toBe(500);
  });

  test('the table has room for all rows there are, up to a bound that browsers lay out exactly', () => {
    expect(scrollableRows(twoPages())).toBe(1000);
    const huge = mergePage(EMPTY_LIST, top, answer(jobs(9, 3), 'x', 3_000_000), false);
    expect(scrollableRows(huge)).toBe(MOST_SCROLLABLE_ROWS);
  });
});

describe('reading again', () => {
  test('values change in place', () => {
    const fresh = jobs(100, 10).map((row) => ({ ...row, progress: 0.5 }));
    const list = mergePage(twoPages(), top, answer(fresh, 'after-91'), false);
    expect(list.rows[3]?.progress).toBe(0.5);
    expect(list.rows).toHaveLength(20);
  });

  test('new rows at the top push the others down without losing or doubling any', () => {
    const list = mergePage(twoPages(), top, answer(jobs(103, 10), 'after-94'), false);
    expect(ids(list)).toEqual(jobs(103, 23).map(({ jobId }) => Number(jobId)));
    expect(list.marks).toEqual([
      top,
      { index: 10, cursor: 'after-94' },
      { index: 13, cursor: 'after-91' },
      { index: 23, cursor: 'after-81' },
    ]);
  });

  test('rows that left the filter go, and those after them move up', () => {
    const rows = [...jobs(100, 4), ...jobs(94, 6)];
    const list = mergePage(twoPages(), top, answer(rows, 'after-89'), false);
    expect(ids(list)).toEqual([
      100,
      99,
      98,
      97,
      94,
      93,
      92,
      91,
      90,
      89,
      ...jobs(88, 8).map(({ jobId }) => Number(jobId)),
    ]);
    expect(list.marks.at(-1)).toEqual({ index: 18, cursor: 'after-81' });
  });

  test('when none of the old rows is named any more, what followed is read anew on demand', () => {
    const list = mergePage(twoPages(), top, answer(jobs(500, 10), 'after-491'), false);
    expect(ids(list)).toEqual(jobs(500, 10).map(({ jobId }) => Number(jobId)));
    expect(missingPage(list, 15)?.mark).toEqual({ index: 10, cursor: 'after-491' });
  });

  test('an answer without continuation ends the list', () => {
    const list = mergePage(twoPages(), top, answer(jobs(100, 2), null, 2), false);
    expect(ids(list)).toEqual([100, 99]);
    expect(list.isComplete).toBe(true);
  });

  test('a row that moved up is not there twice', () => {
    const list = mergePage(
      twoPages(),
      { index: 10, cursor: 'after-91' },
      answer([job(95), ...jobs(90, 9)], 'after-82'),
      false,
    );
    expect(new Set(ids(list)).size).toBe(list.rows.length);
  });

  test('the rows in view are read from the nearest mark above them', () => {
    expect(pageAround(twoPages(), 12, 19)).toEqual({ mark: { index: 10, cursor: 'after-91' }, limit: 50 });
    expect(pageAround(EMPTY_LIST, 0, 0).mark).toEqual(top);
  });
});

describe('while the order is held', () => {
  test('new rows wait, rows that left stay and are marked, values change', () => {
    const rows = [job(101), job(100, { state: 'leased' }), ...jobs(98, 8)];
    const list = mergePage(twoPages(), top, answer(rows, 'after-91'), true);
    expect(ids(list)).toEqual(ids(twoPages()));
    expect(list.rows[0]?.state).toBe('leased');
    expect([...list.departed]).toEqual(['99']);
  });

  test('rows still join at the end, so that a pointer does not stop scrolling', () => {
    const list = mergePage(twoPages(), { index: 20, cursor: 'after-81' }, answer(jobs(80, 10), 'after-71'), true);
    expect(list.rows).toHaveLength(30);
  });

  test('letting go forgets the departed', () => {
    const held = mergePage(twoPages(), top, answer([job(100), ...jobs(98, 9)], 'after-90'), true);
    expect(held.departed.size).toBe(1);
    const list = mergePage(held, top, answer([job(100), ...jobs(98, 9)], 'after-90'), false);
    expect(ids(list)).not.toContain(99);
    expect(list.departed.size).toBe(0);
  });
});

test('a change made by hand shows at once', () => {
  expect(changeRow(twoPages(), '95', { priority: 9 }).rows[5]?.priority).toBe(9);
});
