// How many lines a sink takes: a bucket that is filled at a steady pace. Whatever writes a million lines in a minute then
// costs the process and the disk what the pace allows, and what was left out is counted and said. Pure.

/** The pace of a sink. */
export interface StormLimits {
  /** Lines at once. */
  burst: number;
  /** Lines a second in the long run. */
  perSecond: number;
}

/** How full the bucket is, and what was left out since the last word about it. */
export interface StormState {
  lines: number;
  /** Monotonic time of the last line. */
  atMs: number;
  left: number;
  /** Monotonic time of the first line that was left out; null when none was. */
  leftSinceMs: number | null;
}

/** A storm is spoken of when it is over, and while it lasts this often. */
const WORD_EVERY_MS = 10_000;

/** A full bucket. */
export const calm = (limits: StormLimits, nowMs: number): StormState => ({
  lines: limits.burst,
  atMs: nowMs,
  left: 0,
  leftSinceMs: null,
});

/** What becomes of a line. */
export interface StormStep {
  state: StormState;
  isTaken: boolean;
  /** Lines left out that are to be told of now, before this one; 0 when there is nothing to tell. */
  tell: { count: number; seconds: number } | null;
}

/** Takes a line or leaves it out. `isGrave` (an error) may use the last tenth of the bucket, which others may not. */
export function takeLine(state: StormState, limits: StormLimits, nowMs: number, isGrave: boolean): StormStep {
  // a clock that went backwards fills nothing
  const passedMs = Math.max(0, nowMs - state.atMs);
  const lines = Math.min(limits.burst, state.lines + (passedMs * limits.perSecond) / 1_000);
  const isTaken = lines >= (isGrave ? 1 : 1 + limits.burst / 10);
  const next = { ...state, lines: isTaken ? lines - 1 : lines, atMs: nowMs };
  if (!isTaken) {
    return { state: { ...next, left: state.left + 1, leftSinceMs: state.leftSinceMs ?? nowMs }, isTaken, tell: null };
  }
  const isOver = lines > limits.burst / 2 || (state.leftSinceMs !== null && nowMs - state.leftSinceMs >= WORD_EVERY_MS);
  if (state.leftSinceMs === null || !isOver) return { state: next, isTaken, tell: null };
  const seconds = Math.max(1, Math.round((nowMs - state.leftSinceMs) / 1_000));
  return { state: { ...next, left: 0, leftSinceMs: null }, isTaken, tell: { count: state.left, seconds } };
}
