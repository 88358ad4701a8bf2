/** Faults that the control endpoint switches on. Absent = off; a new plan replaces the old one whole. */
export interface FaultPlan {
  /** Every answer waits this long. */
  latencyMs?: number;
  /** Answers `code` at this rate, before anything is applied. */
  status?: { rate: number; code: number };
  /** Every call is answered 401. */
  unauthorized?: boolean;
  /** Answers 429 at this rate, before anything is applied. */
  throttle?: { rate: number };
  /** Answers 429 beyond 1000 calls in 20 s, as iconik does (reference C.1), or beyond a limit of its own (at most 20 s). */
  budget?: boolean | { calls: number; windowMs: number };
  /** Applies the call at this rate, then breaks the connection instead of answering. */
  dropAfterCommit?: { rate: number };
  /** Breaks the connection at this rate and applies the call `delayMs` later. Writes only. */
  lateCommit?: { rate: number; delayMs: number };
  /** Search-backed lists (assets, storage files, jobs) do not show records younger than this. */
  listLagMs?: number;
  /** Every connection is broken, but for the control endpoints. */
  outage?: boolean;
  /** `status` and `dropAfterCommit` strike object uploads and downloads too. */
  objectStore?: boolean;
  /** Of the pseudo-random sequence; the same seed and order of calls give the same faults. */
  seed?: number;
  /** Narrows `status`, `throttle`, `dropAfterCommit` and `lateCommit` to some calls, and to so many strikes in all. */
  only?: { methods?: string[]; pathIncludes?: string; times?: number };
}

/** What happens to one call. */
export type Strike =
  | { kind: 'none' }
  | { kind: 'status'; code: number }
  | { kind: 'throttle' }
  | { kind: 'drop-after-commit' }
  | { kind: 'late-commit'; delayMs: number };

/** How many faults of each kind have been injected. */
export type FaultCounts = Record<
  'status' | 'throttle' | 'unauthorized' | 'dropAfterCommit' | 'lateCommit' | 'outage',
  number
>;

/** mulberry32: small, fast, good enough to spread faults; deterministic by seed. */
function randomSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Decides faults by the plan and counts them. */
export class Faults {
  #plan: FaultPlan = {};
  #random = randomSequence(1);
  #strikesLeft = Number.POSITIVE_INFINITY;
  readonly counts: FaultCounts = {
    status: 0,
    throttle: 0,
    unauthorized: 0,
    dropAfterCommit: 0,
    lateCommit: 0,
    outage: 0,
  };

  get plan(): FaultPlan {
    return this.#plan;
  }

  /** Replaces the plan; `{}` switches every fault off. Counts go on. */
  set(plan: FaultPlan): void {
    this.#plan = plan;
    this.#random = randomSequence(plan.seed ?? 1);
    this.#strikesLeft = plan.only?.times ?? Number.POSITIVE_INFINITY;
  }

  /** What happens to this call. One draw a kind and call, so that switching one kind on does not shift the others. */
  strike(method: string, path: string, options = { mayCommitLate: true }): Strike {
    const { plan } = this;
    const [statusDraw, throttleDraw, dropDraw, lateDraw] = [
      this.#random(),
      this.#random(),
      this.#random(),
      this.#random(),
    ];
    if (!this.#isMeant(method, path)) return { kind: 'none' };
    if (plan.throttle && throttleDraw < plan.throttle.rate) return this.#count('throttle', { kind: 'throttle' });
    if (plan.status && statusDraw < plan.status.rate)
      return this.#count('status', { kind: 'status', code: plan.status.code });
    if (plan.lateCommit && options.mayCommitLate && method !== 'GET' && lateDraw < plan.lateCommit.rate) {
      return this.#count('lateCommit', { kind: 'late-commit', delayMs: plan.lateCommit.delayMs });
    }
    if (plan.dropAfterCommit && dropDraw < plan.dropAfterCommit.rate)
      return this.#count('dropAfterCommit', { kind: 'drop-after-commit' });
    return { kind: 'none' };
  }

  #isMeant(method: string, path: string): boolean {
    const { only } = this.#plan;
    if (this.#strikesLeft <= 0) return false;
    return (only?.methods?.includes(method) ?? true) && path.includes(only?.pathIncludes ?? '');
  }

  #count(name: keyof FaultCounts, strike: Strike): Strike {
    this.counts[name] += 1;
    this.#strikesLeft -= 1;
    return strike;
  }
}
