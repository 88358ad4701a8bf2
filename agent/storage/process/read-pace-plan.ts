/** When the next piece may be read, so that no second sees more than the allowed bytes. Pure. */

/**
 * The instant at which the piece after this one may be read. `dueMs` is what the call before answered (0 at first),
 * `startedMs` when this piece was begun. Time that passed unused is not made up for: after a slow stretch the rate is not
 * exceeded.
 */
export function nextReadMs(
  { dueMs, startedMs }: { dueMs: number; startedMs: number },
  bytes: number,
  bytesPerSecond: number,
): number {
  return Math.max(dueMs, startedMs) + (bytes * 1000) / bytesPerSecond;
}
