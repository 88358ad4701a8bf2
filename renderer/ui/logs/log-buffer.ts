import type { LogLine } from '../../../agent/contract/index.ts';

// The lines of the log view: one gapless run of one node's log, oldest first, keyed by seq. Older pages join at the head,
// live lines at the tail. Pure.

/** Lines as far as they are known. */
export interface LogBuffer {
  /** Ascending by `seq`, which is unique. */
  lines: readonly LogLine[];
  /** Reads the page before the first line; null = none yet read, or the beginning has been reached (`isWhole`). */
  olderCursor: string | null;
  /** Whether the first line is the first there is. */
  isWhole: boolean;
  /** Time of the first line after older ones were let go: pages before it are asked for by this time; null = none were. */
  trimmedToMs: number | null;
  /** Whether lines beyond the last one exist that were not kept; true only after a reader stayed away very long. */
  isCut: boolean;
  /** Whether the node began to count anew: the view has to be read again from the end. */
  isStale: boolean;
}

/**
 * Most lines held while following: a busy day. The oldest go first. Twice as many are held for a reader of history, from whom
 * nothing is taken away; beyond that live lines are only counted, and read again when the reader returns to the end.
 */
export const MOST_LINES = 200_000;
/** Lines removed at once, so that trimming is rare. */
const TRIM_LINES = 10_000;

/** No lines known. */
export const EMPTY_BUFFER: LogBuffer = {
  lines: [],
  olderCursor: null,
  isWhole: false,
  trimmedToMs: null,
  isCut: false,
  isStale: false,
};

/** A page as `logs.read` and `logs.read-files` answer it. */
export interface LogPage {
  lines: readonly LogLine[];
  nextCursor: string | null;
}

/** The buffer with a page of older lines before it. The first page read this way fills an empty buffer. */
export function prependPage(buffer: LogBuffer, page: LogPage): LogBuffer {
  const first = buffer.lines[0];
  const older = ordered(first ? page.lines.filter(({ seq }) => seq < first.seq) : page.lines);
  return {
    ...buffer,
    lines: [...older, ...buffer.lines],
    olderCursor: page.nextCursor,
    isWhole: page.nextCursor === null,
  };
}

/**
 * The buffer with live lines after it. A line whose seq is known replaces the old text (it grew); a line that comes late is
 * put in its place; lines before the first belong to a page not yet read and are left to it.
 */
export function appendLive(buffer: LogBuffer, arrived: readonly LogLine[], isFollowing: boolean): LogBuffer {
  if (arrived.length === 0 || buffer.isCut) return buffer;
  if (isRestart(buffer, arrived)) return { ...buffer, isStale: true };
  const fresh = ordered(arrived);
  const last = buffer.lines.at(-1);
  const firstFresh = fresh[0];
  const inOrder = !last || !firstFresh || firstFresh.seq > last.seq;
  if (buffer.lines.length + fresh.length > MOST_LINES * 2 && !isFollowing) return { ...buffer, isCut: true };
  const lines = inOrder ? [...buffer.lines, ...fresh] : interleave(buffer, fresh);
  return isFollowing ? trimmed({ ...buffer, lines }) : { ...buffer, lines };
}

/** The buffer within its bound. The cursor goes with the oldest lines, for it would leave a gap; a time takes its place. */
function trimmed(buffer: LogBuffer): LogBuffer {
  if (buffer.lines.length <= MOST_LINES) return buffer;
  const lines = buffer.lines.slice(buffer.lines.length - MOST_LINES + TRIM_LINES);
  return { ...buffer, lines, isWhole: false, olderCursor: null, trimmedToMs: lines[0]?.atMs ?? null };
}

/** How many of the lines are not in the buffer yet. */
export function countNew(buffer: LogBuffer, arrived: readonly LogLine[]): number {
  const last = buffer.lines.at(-1);
  return last ? arrived.filter(({ seq }) => seq > last.seq).length : arrived.length;
}

/** A node that lost its log store counts from one again: later lines with smaller numbers. */
function isRestart(buffer: LogBuffer, arrived: readonly LogLine[]): boolean {
  const first = buffer.lines[0];
  const last = buffer.lines.at(-1);
  const next = arrived.at(-1);
  return (
    first !== undefined && last !== undefined && next !== undefined && next.seq < first.seq && next.atMs > last.atMs
  );
}

function ordered(lines: readonly LogLine[]): readonly LogLine[] {
  const isOrdered = lines.every((line, index) => index === 0 || line.seq > (lines[index - 1]?.seq ?? -1));
  return isOrdered ? lines : withoutTwins([...lines].sort((a, b) => a.seq - b.seq));
}

/** Of lines with one seq the last one stays. */
function withoutTwins(sorted: readonly LogLine[]): LogLine[] {
  return sorted.filter(({ seq }, index) => sorted[index + 1]?.seq !== seq);
}

function interleave(buffer: LogBuffer, fresh: readonly LogLine[]): LogLine[] {
  const oldest = buffer.lines[0]?.seq ?? 0;
  const from = fresh.find(({ seq }) => seq >= oldest)?.seq ?? oldest;
  const at = indexFrom(buffer.lines, from);
  const tail = [...buffer.lines.slice(at), ...fresh.filter(({ seq }) => seq >= oldest)];
  // Sorting is stable, so a fresh line stands behind the one it replaces and stays.
  return [...buffer.lines.slice(0, at), ...withoutTwins(tail.sort((a, b) => a.seq - b.seq))];
}

/** Index of the first line whose seq is at least `seq`. */
export function indexFrom(lines: readonly LogLine[], seq: number): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.seq ?? Number.POSITIVE_INFINITY) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
