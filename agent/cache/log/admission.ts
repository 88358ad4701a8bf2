import { LOG_LEVELS } from '../../contract/index.ts';

/** Up to which share of the room records of a level are let in: debug, info, warn, error. The rest is kept for the more severe. */
const SHARES = [0.5, 0.7, 0.9, 1];

/**
 * The room in memory for records that are not on disk yet. What has no room is dropped and counted by level; each level
 * leaves room for the more severe ones.
 */
export class Admission {
  readonly #mostBytes: number;
  readonly #dropped = LOG_LEVELS.map(() => 0);
  /** Drops that no batch has reported yet. */
  #unreported = LOG_LEVELS.map(() => 0);
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Whether the record may come in; takes its room, or counts it. */
  admits(level: number, bytes: number): boolean {
    if (this.#bytes + bytes > this.#mostBytes * (SHARES[level] ?? 1)) {
      this.#dropped[level] = (this.#dropped[level] ?? 0) + 1;
      this.#unreported[level] = (this.#unreported[level] ?? 0) + 1;
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  /** These bytes are on disk. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Drops since the last call, for the file's counters. */
  takeUnreported(): number[] {
    const taken = this.#unreported;
    this.#unreported = LOG_LEVELS.map(() => 0);
    return taken;
  }

  hasUnreported(): boolean {
    return this.#unreported.some((count) => count > 0);
  }

  /** Bytes waiting, and drops by level since the start. */
  counts(): { bytes: number; dropped: readonly number[] } {
    return { bytes: this.#bytes, dropped: [...this.#dropped] };
  }
}
