import type { LogLine } from '../../../agent/contract/index.ts';

// The lines of the log view: one gapless run of one node's log, oldest first, keyed by seq. Older pages join at the head,
// live lines at the tail. Pure.

/** Where the page before the first line is read: a place of a file, or before a line (by its number, or in files its time). */
export type OlderMark = { kind: 'cursor'; cursor: string } | { kind: 'before'; seq: number; atMs: number };

/** First and last number of the whole log, of which the buffer is a part. */
export interface LogExtent {
  firstSeq: number;
  lastSeq: number;
}

/** Lines as far as they are known. */
export interface LogBuffer {
  /** Ascending by `seq`, which is unique. */
  lines: readonly LogLine[];
  /** Reads the page before the first line; null = none yet read, or the beginning has been reached (`isWhole`). */
  older: OlderMark | null;
  /** Whether the first line is the first there is. */
  isWhole: boolean;
  /** Lines after this number are still to be read; null = the last line is the last there is, and live lines join it. */
  newerSeq: number | null;
  /** Everything up to this number has been looked at, where `newerSeq` is null. */
  tailSeq: number;
  /** null when what keeps the lines does not number them (files). */
  extent: LogExtent | null;
  /** Whether the node began to count anew: the view has to be read again from the end. */
  isStale: boolean;
}

/** Most lines held; what is let go is read again when the reader comes near. Drawing costs the same in a log of any length. */
export const MOST_LINES = 20_000;
/** Lines removed at once, so that trimming is rare. */
const TRIM_LINES = 5_000;

/** No lines known. */
export const EMPTY_BUFFER: LogBuffer = {
  lines: [],
  older: null,
  isWhole: false,
  newerSeq: null,
  tailSeq: 0,
  extent: null,
  isStale: false,
};

/** A page, oldest line first. */
export interface LogPage {
  lines: readonly LogLine[];
  /** null = nothing lies before. */
  older: OlderMark | null;
  /** Lines after this number are not in it; null = it ends with the last there is. */
  newerSeq: number | null;
  extent: LogExtent | null;
}

const lastSeqOf = (page: LogPage): number => Math.max(page.extent?.lastSeq ?? 0, page.lines.at(-1)?.seq ?? 0);

/** A buffer that begins with a page. */
export function bufferOf(page: LogPage): LogBuffer {
  const { older, newerSeq, extent } = page;
  const lines = ordered(page.lines);
  return { ...EMPTY_BUFFER, lines, older, isWhole: older === null, newerSeq, tailSeq: lastSeqOf(page), extent };
}

/** The buffer with a page of older lines before it; the newest go where it becomes too long. */
export function prependPage(buffer: LogBuffer, page: LogPage): LogBuffer {
  const first = buffer.lines[0];
  const older = ordered(first ? page.lines.filter(({ seq }) => seq < first.seq) : page.lines);
  const joined = {
    ...buffer,
    lines: [...older, ...buffer.lines],
    older: page.older,
    isWhole: page.older === null,
    extent: page.extent ?? buffer.extent,
  };
  return joined.lines.length <= MOST_LINES + TRIM_LINES ? joined : withoutTail(joined);
}

function withoutTail(buffer: LogBuffer): LogBuffer {
  const lines = buffer.lines.slice(0, MOST_LINES);
  return { ...buffer, lines, newerSeq: lines.at(-1)?.seq ?? buffer.newerSeq };
}

/** The buffer with a page of newer lines after it; the oldest go where it becomes too long. */
export function appendPage(buffer: LogBuffer, page: LogPage): LogBuffer {
  const last = buffer.lines.at(-1);
  const newer = ordered(last ? page.lines.filter(({ seq }) => seq > last.seq) : page.lines);
  const joined = { ...buffer, newerSeq: page.newerSeq, tailSeq: lastSeqOf(page), extent: page.extent ?? buffer.extent };
  return newer.length === 0 ? joined : trimmed({ ...joined, lines: [...buffer.lines, ...newer] });
}

/**
 * The buffer with live lines after it. A line whose seq is known replaces the old text (it grew); a line that comes late is
 * put in its place; lines before the first belong to a page not yet read and are left to it. A reader of history keeps what
 * is in view: when there is no more room, live lines wait in the store until the reader comes to them.
 */
export function appendLive(buffer: LogBuffer, arrived: readonly LogLine[], isFollowing: boolean): LogBuffer {
  if (arrived.length === 0 || buffer.newerSeq !== null) return buffer;
  if (isRestart(buffer, arrived)) return { ...buffer, isStale: true };
  const fresh = ordered(arrived);
  const last = buffer.lines.at(-1);
  const firstFresh = fresh[0];
  const inOrder = !last || !firstFresh || firstFresh.seq > last.seq;
  if (buffer.lines.length + fresh.length > MOST_LINES + TRIM_LINES && !isFollowing) {
    return { ...buffer, newerSeq: last?.seq ?? 0 };
  }
  const lines = inOrder ? [...buffer.lines, ...fresh] : interleave(buffer, fresh);
  const next = { ...buffer, lines, tailSeq: Math.max(buffer.tailSeq, lines.at(-1)?.seq ?? 0) };
  return isFollowing ? trimmed(next) : next;
}

/** The buffer within its bound; the oldest lines go, and are read again from the first that stays. */
function trimmed(buffer: LogBuffer): LogBuffer {
  if (buffer.lines.length <= MOST_LINES + TRIM_LINES) return buffer;
  const lines = buffer.lines.slice(buffer.lines.length - MOST_LINES);
  const [first] = lines;
  return first
    ? { ...buffer, lines, isWhole: false, older: { kind: 'before', seq: first.seq, atMs: first.atMs } }
    : buffer;
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
