/** iconik's budget per credential: 1000 calls in any 20 s (reference C.1). */
const CALLS = 1000;
const WINDOW_MS = 20_000;

/** Counts calls per App-ID in a sliding window. */
export class RequestBudget {
  readonly #nowMs: () => number;
  readonly #takenAtMs = new Map<string, number[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Takes one call and says how many are left in the window. */
  take(appId: string): number {
    const since = this.#nowMs() - WINDOW_MS;
    const taken = this.#takenAtMs.get(appId) ?? [];
    while ((taken[0] ?? Number.POSITIVE_INFINITY) < since) taken.shift();
    taken.push(this.#nowMs());
    this.#takenAtMs.set(appId, taken);
    return Math.max(0, CALLS - taken.length);
  }

  /** More calls than allowed lie in the window: iconik's, or a shorter one (at most 20 s). */
  isSpent(appId: string, limit: { calls: number; windowMs: number } = { calls: CALLS, windowMs: WINDOW_MS }): boolean {
    const since = this.#nowMs() - limit.windowMs;
    return (this.#takenAtMs.get(appId) ?? []).filter((atMs) => atMs >= since).length > limit.calls;
  }
}
