/** Settled records that iconik's complete lists of one queue do not show any more. */
export class AbsentRecords {
  /** By record: when a list did not show it for the first time, monotonic. */
  readonly #sinceMs = new Map<string, number>();
  readonly #forMs: number;

  /** `forMs` is how long a record must be away, milliseconds. */
  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /**
   * Takes note of one more list, begun after all of `settled` were. Answers those that no list has shown for the whole
   * time, the first and this one being two: a single list may have missed them.
   */
  gone(settled: readonly string[], isListed: (recordId: string) => boolean, nowMs: number): string[] {
    const absent = new Set(settled.filter((recordId) => !isListed(recordId)));
    for (const recordId of this.#sinceMs.keys()) if (!absent.has(recordId)) this.#sinceMs.delete(recordId);
    const gone = [...absent].filter((recordId) => nowMs - (this.#sinceMs.get(recordId) ?? Infinity) >= this.#forMs);
    for (const recordId of absent) if (!this.#sinceMs.has(recordId)) this.#sinceMs.set(recordId, nowMs);
    return gone;
  }
}
