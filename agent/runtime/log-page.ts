// Pages of a log that is kept in order of a number, whatever keeps it. Rare matches cost time, never more than asked for: a
// look goes over bounded stretches, ends when its time is up, and says how far it came.

/** The end of a log nobody has numbers beyond. */
const LOG_END = Number.MAX_SAFE_INTEGER;
/** Numbers looked at in one stretch: some milliseconds. */
const STRETCH = 10_000;

/** Which way a page grows. */
export type LogDirection = 'older' | 'newer';

/** What keeps the lines. */
export interface LogKeeper<Line> {
  /** The nearest number at or before (`older`), at or after (`newer`) this one that a line has; null when there is none. */
  nearest(seq: number, direction: LogDirection): Promise<number | null>;
  /** Lines that match between two numbers, both included, nearest to the beginning of the look first. */
  matching(range: { from: number; to: number; direction: LogDirection; limit: number }): Promise<Line[]>;
  /** Instant of the line with this number. */
  instantOf(seq: number): Promise<number>;
}

/** Where reading begins, as in the contract. */
export type LogStart =
  | { kind: 'end' }
  | { kind: 'before'; seq: number }
  | { kind: 'after'; seq: number }
  | { kind: 'around'; seq: number }
  | { kind: 'time'; atMs: number }
  | { kind: 'share'; share: number };

/** Lines oldest first, and the frame of the contract around them. */
export interface LogPageRead<Line> {
  lines: Line[];
  olderSeq: number | null;
  newerSeq: number | null;
  extent: { firstSeq: number; lastSeq: number } | null;
}

/** How much one page may cost. */
export interface LogPageLimits {
  limit: number;
  /** Whether the time for it is up. */
  isLate: () => boolean;
}

interface Look<Line> {
  lines: Line[];
  /** Everything from the start up to here was looked at; null = to the very end of that side. */
  reached: number | null;
}

/** Reads one page. Its first stretch is always looked at, so that repeated calls come to an end. */
export async function readLogPage<Line extends { seq: number }>(
  keeper: LogKeeper<Line>,
  at: LogStart,
  limits: LogPageLimits,
): Promise<LogPageRead<Line>> {
  const firstSeq = await keeper.nearest(Number.MIN_SAFE_INTEGER, 'newer');
  const lastSeq = await keeper.nearest(LOG_END, 'older');
  if (firstSeq === null || lastSeq === null) return { lines: [], olderSeq: null, newerSeq: null, extent: null };
  const extent = { firstSeq, lastSeq };
  if (at.kind === 'end' || at.kind === 'before') {
    const { lines, reached } = await look(keeper, at.kind === 'end' ? lastSeq : at.seq - 1, 'older', limits);
    const newerSeq = at.kind === 'end' ? null : at.seq - 1;
    return { lines: lines.reverse(), olderSeq: reached, newerSeq, extent };
  }
  if (at.kind === 'after') {
    const { lines, reached } = await look(keeper, at.seq + 1, 'newer', limits);
    return { lines, olderSeq: at.seq + 1, newerSeq: reached, extent };
  }
  const middle = await seqOf(keeper, at, extent);
  const half = Math.max(1, Math.floor(limits.limit / 2));
  const older = await look(keeper, middle - 1, 'older', { ...limits, limit: half });
  const newer = await look(keeper, middle, 'newer', { ...limits, limit: half });
  return {
    lines: [...older.lines.reverse(), ...newer.lines],
    olderSeq: older.reached,
    newerSeq: newer.reached,
    extent,
  };
}

async function look<Line extends { seq: number }>(
  keeper: LogKeeper<Line>,
  start: number,
  direction: LogDirection,
  { limit, isLate }: LogPageLimits,
): Promise<Look<Line>> {
  const step = direction === 'older' ? -1 : 1;
  const lines: Line[] = [];
  let next = await keeper.nearest(start, direction);
  while (next !== null) {
    const end = next + step * (STRETCH - 1);
    const range = { from: Math.min(next, end), to: Math.max(next, end), direction, limit: limit - lines.length };
    lines.push(...(await keeper.matching(range)));
    const last = lines.at(-1);
    if (last && lines.length >= limit) {
      const isMore = (await keeper.nearest(last.seq + step, direction)) !== null;
      return { lines, reached: isMore ? last.seq : null };
    }
    next = await keeper.nearest(end + step, direction);
    if (next !== null && isLate()) return { lines, reached: next - step };
  }
  return { lines, reached: null };
}

async function seqOf(
  keeper: LogKeeper<unknown>,
  at: Extract<LogStart, { kind: 'around' | 'time' | 'share' }>,
  { firstSeq, lastSeq }: { firstSeq: number; lastSeq: number },
): Promise<number> {
  if (at.kind === 'around') return at.seq;
  if (at.kind === 'share') return Math.round(firstSeq + at.share * (lastSeq - firstSeq));
  let low = firstSeq;
  let high = lastSeq + 1;
  // the first line at or after the instant; numbers without a line are passed over
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const seq = await keeper.nearest(middle, 'newer');
    if (seq === null || seq >= high || (await keeper.instantOf(seq)) >= at.atMs) high = middle;
    else low = seq + 1;
  }
  return low;
}
