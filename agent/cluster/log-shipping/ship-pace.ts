/** How fast records are shipped. Pure. */

/** The next step. */
export interface ShipPace {
  /** Most records of the next batch. */
  rows: number;
  /** How long to wait before it, milliseconds. */
  pauseMs: number;
}

/** What the last batch told. */
export interface ShippedBatch {
  /** What it was allowed. */
  rows: number;
  /** From its begin to its end. */
  tookMs: number;
  /** From the moment for which it was planned to its end: more than `tookMs` where nobody woke us in time. */
  sinceDueMs: number;
  /** Whether the node has other work for its processors. */
  isBusy: boolean;
}

export const FIRST_PACE: ShipPace = { rows: 500, pauseMs: 0 };

const FEWEST = 250;
const MOST = 5_000;
/** A batch should take about this long: long enough to be worth its round trip, short enough to leave room in between. */
const AIM_MS = 150;
/** A batch that takes longer says that the database is busy with something else: it is left alone for as long again. */
const SLOW_MS = 500;
/**
 * Beside other work: 2,200 records a second, just above the 2,000 that a node must be able to write and ship at. In few batches:
 * what a batch costs beside its records (two commits, a round trip, four wake-ups) is as much as 250 records.
 */
const BUSY_ROWS = 1_100;
const BUSY_EVERY_MS = 500;

/** The step after a batch. */
export function nextPace({ rows, tookMs, sinceDueMs, isBusy }: ShippedBatch): ShipPace {
  if (isBusy) return { rows: BUSY_ROWS, pauseMs: Math.max(0, BUSY_EVERY_MS - sinceDueMs) };
  const fitting = Math.round((rows * AIM_MS) / Math.max(1, tookMs));
  // At most doubled, so that one quick small batch does not lead to a huge one.
  const next = Math.max(FEWEST, Math.min(MOST, rows * 2, fitting));
  return { rows: next, pauseMs: tookMs > SLOW_MS ? tookMs : 0 };
}
