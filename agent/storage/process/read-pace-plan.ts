/** How much is read at a time, and when the next piece may be read, so that no second sees more than the allowed bytes. Pure. */

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

const SMALLEST_PIECE_BYTES = 4_096;
/** Part of a second that one piece may stand for. */
const PIECE_SECONDS = 0.25;

/**
 * Most bytes of one piece at a rate (null = any number). At a low rate whole pieces would come minutes apart: nobody would see
 * progress, and the silence would be taken for a hung storage.
 */
export function pieceBytesAt(bytesPerSecond: number | null): number {
  if (bytesPerSecond === null) return Number.POSITIVE_INFINITY;
  return Math.max(SMALLEST_PIECE_BYTES, Math.floor(bytesPerSecond * PIECE_SECONDS));
}
