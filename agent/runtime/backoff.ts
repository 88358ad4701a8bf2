/** Shape of an exponential back-off with full jitter. */
export interface BackoffShape {
  /** Upper bound of the first wait, milliseconds. */
  baseMs: number;
  /** No wait is longer than this, milliseconds. */
  capMs: number;
}

/**
 * Milliseconds to wait before attempt `attempt` (1 = first retry): uniform in [0, min(cap, base × 2^(attempt−1))).
 * Full jitter, because many nodes that lost the same server must not come back in step. `random` is uniform in [0, 1).
 */
export function backoffMs(attempt: number, shape: BackoffShape, random: () => number): number {
  const ceiling = Math.min(shape.capMs, shape.baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.floor(random() * ceiling);
}
