/** Remembers since when no node has led, by this process's monotonic clock; the answer is a label by its wall clock. */
export class LeaderlessWatch {
  #since: { monotonicMs: number; wallMs: number } | null = null;

  /**
   * One more look. Answers since when nobody has led, milliseconds since the epoch, once that has lasted longer than
   * `patienceMs`; null otherwise.
   */
  observe(isLeaderless: boolean, now: { monotonicMs: number; wallMs: number }, patienceMs: number): number | null {
    if (!isLeaderless) {
      this.#since = null;
      return null;
    }
    this.#since ??= now;
    return now.monotonicMs - this.#since.monotonicMs > patienceMs ? this.#since.wallMs : null;
  }
}
