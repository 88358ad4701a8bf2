/**
 * Believing that a counter stands still. A counter that others keep moving (lease renewals, heartbeats) is believed dead
 * only after this process has itself seen the same value in successful reads that span a time of its own monotonic clock.
 * No wall clock, not even the database's, takes part.
 */
export interface Standstill {
  value: string;
  /** End of the first read that showed this value, monotonic milliseconds. */
  sinceMs: number;
  /** End of the latest read that showed it. */
  lastReadMs: number;
  /** How long the value has certainly stood: from `sinceMs` to the start of the latest read. */
  stoodMs: number;
}

/** One successful read, monotonic milliseconds. */
export interface CounterRead {
  value: string;
  startedMs: number;
  endedMs: number;
}

/**
 * The standstill after one more read. A changed value starts the count anew; so does a gap of more than `maxGapMs`
 * between two reads (an outage or a pause of this process proves nothing about the other side).
 */
export function observeCounter(previous: Standstill | null, read: CounterRead, maxGapMs: number): Standstill {
  const unbroken = previous !== null && previous.value === read.value && read.endedMs - previous.lastReadMs <= maxGapMs;
  if (!unbroken) return { value: read.value, sinceMs: read.endedMs, lastReadMs: read.endedMs, stoodMs: 0 };
  return { ...previous, lastReadMs: read.endedMs, stoodMs: Math.max(0, read.startedMs - previous.sinceMs) };
}
