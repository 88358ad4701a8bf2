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

/** What a batch may have at most. */
export interface ShipLimits {
  rows: number;
  bytes: number;
}

export const NO_SHIP_LIMITS: ShipLimits = { rows: MOST, bytes: 2_000_000 };

const FEWEST_BYTES = 62_500;
/** So slowly that a wall is run into again after a dozen batches, and not with every second one. */
const RAISE = 17 / 16;

/** The limits after a batch of `rows` did not come through, as over a link on which a large one takes longer than is waited. */
export function lowerLimits(limits: ShipLimits, rows: number): ShipLimits {
  const half = Math.floor(Math.min(limits.rows, rows) / 2);
  return { rows: Math.max(FEWEST, half), bytes: Math.max(FEWEST_BYTES, Math.floor(limits.bytes / 2)) };
}

/** The limits after a batch that came through. */
export function raiseLimits({ rows, bytes }: ShipLimits): ShipLimits {
  return {
    rows: Math.min(NO_SHIP_LIMITS.rows, Math.ceil(rows * RAISE)),
    bytes: Math.min(NO_SHIP_LIMITS.bytes, Math.ceil(bytes * RAISE)),
  };
}
