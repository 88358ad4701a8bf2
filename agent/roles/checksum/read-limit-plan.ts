/** The part of `checksum-max-megabytes-per-second` that one job gets, bytes; null = any number. Pure. */
export function bytesPerWorker(megabytesPerSecond: number | undefined, workers: number): number | null {
  return megabytesPerSecond === undefined ? null : (megabytesPerSecond * 1_000_000) / Math.max(1, workers);
}
