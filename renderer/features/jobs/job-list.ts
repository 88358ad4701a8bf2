import type { AgentAnswer, JobRow } from '../../../agent/contract/index.ts';

// The rows of the jobs table as far as they have been read. Keyset pages are read on demand and read again in place; this
// file merges them without moving what a reader looks at. Pure.

/** A place from which a page can be read: `cursor` answers the rows from `index` on. */
export interface PageMark {
  index: number;
  /** Opaque keyset cursor; null = the beginning. */
  cursor: string | null;
}

/** What is known of the list. Row ids are unique; marks ascend and the first is `{ index: 0, cursor: null }`. */
export interface JobList {
  rows: readonly JobRow[];
  marks: readonly PageMark[];
  /** Whether the last row is the last there is. */
  isComplete: boolean;
  /** Rows there are, as last told by the agent; null before the first answer. */
  total: number | null;
  /** Ids of rows that left the filter while the order was held: shown dimmed until the order is let go. */
  departed: ReadonlySet<string>;
}

/** A page to read next. */
export interface PageRead {
  mark: PageMark;
  limit: number;
}

/** Rows a page: few enough to answer in milliseconds, enough for several screens. */
export const PAGE_ROWS = 200;
/** Most rows the contract lets one call ask for. */
const MOST_ROWS = 500;
/**
 * Most rows the table offers to scroll through. 36 px each stay below the 16.7 million px at which Chromium's layout of tall
 * elements loses its exactness; who has more is better served by a filter, and is told so.
 */
export const MOST_SCROLLABLE_ROWS = 400_000;

/** A list of which nothing is known. */
export const EMPTY_LIST: JobList = {
  rows: [],
  marks: [{ index: 0, cursor: null }],
  isComplete: false,
  total: null,
  departed: new Set(),
};

/** Rows the table has room for: those read and those still to be read. */
export function scrollableRows(list: JobList): number {
  if (list.isComplete) return list.rows.length;
  return Math.min(Math.max(list.total ?? 0, list.rows.length), MOST_SCROLLABLE_ROWS);
}

/** The page to read so that rows up to `lastIndex` are known; null when they are, or when there are no more. */
export function missingPage(list: JobList, lastIndex: number): PageRead | null {
  if (list.isComplete || lastIndex < list.rows.length) return null;
  const mark = list.marks.at(-1);
  if (!mark || mark.index !== list.rows.length) return null;
  const isFar = lastIndex - list.rows.length > PAGE_ROWS;
  return { mark, limit: isFar ? MOST_ROWS : PAGE_ROWS };
}

/** The page that reads the rows `firstIndex`–`lastIndex` again; at most 500 rows, from the nearest mark above. */
export function pageAround(list: JobList, firstIndex: number, lastIndex: number): PageRead {
  const mark = list.marks.findLast(({ index }) => index <= firstIndex) ?? { index: 0, cursor: null };
  const wanted = Math.max(lastIndex - mark.index + 1, 50);
  return { mark, limit: Math.min(wanted, MOST_ROWS) };
}

type JobsAnswer = AgentAnswer<'jobs.list'>;

/**
 * The list with a page that was read at `mark`. `isHeld` keeps order and membership of the rows that are there (a pointer is
 * over them): values change in place, rows that left are remembered as departed, new rows only join at the end.
 */
export function mergePage(list: JobList, mark: PageMark, answer: JobsAnswer, isHeld: boolean): JobList {
  const isAppend = mark.index >= list.rows.length;
  return isHeld && !isAppend ? updateInPlace(list, mark, answer) : replaceSpan(list, mark, answer);
}

/** One row changed by hand, before the agent's next answer tells the truth. */
export function changeRow(list: JobList, jobId: string, change: Partial<JobRow>): JobList {
  return { ...list, rows: list.rows.map((row) => (row.jobId === jobId ? { ...row, ...change } : row)) };
}

/**
 * Where the span that an answer speaks of ends: after the last old row that it names, or at the end of the list when nothing
 * follows it. An answer that names none of the old rows ends them all: they are elsewhere now, and are read again on demand.
 */
function spanEnd(rows: readonly JobRow[], start: number, answer: JobsAnswer): number {
  if (answer.nextCursor === null) return rows.length;
  const named = new Set(answer.rows.map(({ jobId }) => jobId));
  const last = rows.findLastIndex(({ jobId }, index) => index >= start && named.has(jobId));
  return last === -1 ? rows.length : last + 1;
}

function updateInPlace(list: JobList, mark: PageMark, answer: JobsAnswer): JobList {
  const fresh = new Map(answer.rows.map((row) => [row.jobId, row]));
  const end = spanEnd(list.rows, mark.index, answer);
  const isKnown = list.rows.some(({ jobId }, index) => index >= mark.index && fresh.has(jobId));
  const departed = new Set(list.departed);
  const rows = list.rows.map((row, index) => {
    const now = fresh.get(row.jobId);
    if (now) departed.delete(row.jobId);
    else if (isKnown && index >= mark.index && index < end) departed.add(row.jobId);
    return now ?? row;
  });
  return { ...list, rows, departed, total: answer.total };
}

function replaceSpan(list: JobList, mark: PageMark, answer: JobsAnswer): JobList {
  const start = Math.min(mark.index, list.rows.length);
  const above = list.rows.slice(0, start);
  const known = new Set(above.map(({ jobId }) => jobId));
  const fresh = answer.rows.filter(({ jobId }) => !known.has(jobId));
  const end = spanEnd(list.rows, start, answer);
  const below = list.rows.slice(end);
  const shift = fresh.length - (end - start);
  const freshEnd = start + fresh.length;
  const marks = [
    ...list.marks.filter(({ index }) => index < start),
    { index: start, cursor: mark.cursor },
    ...(answer.nextCursor === null ? [] : [{ index: freshEnd, cursor: answer.nextCursor }]),
    ...list.marks.filter(({ index }) => index > end).map(({ index, cursor }) => ({ index: index + shift, cursor })),
  ];
  return {
    rows: [...above, ...fresh, ...below],
    marks: withoutEmptySpans(marks),
    isComplete: answer.nextCursor === null || (list.isComplete && below.length > 0),
    total: answer.total,
    departed: new Set([...list.departed].filter((jobId) => known.has(jobId))),
  };
}

/** Two marks at one index would read the same rows: the later one knows the list as it is now. */
function withoutEmptySpans(marks: readonly PageMark[]): PageMark[] {
  return marks.filter(({ index }, at) => at === 0 || marks[at + 1]?.index !== index);
}
