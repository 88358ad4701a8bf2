/** How one measurement works its jobs off. */
export interface DrainPlan {
  mode: 'single' | 'batched';
  /** Through pgBouncer instead of directly. */
  isPooled: boolean;
  jobs: number;
}

/** A queue under measurement. */
export interface QueueSystem {
  name: 'ours' | 'pg-boss' | 'graphile-worker';
  /** The settings of a mode in words, for the report. */
  settings: Record<DrainPlan['mode'], string>;
  /** Puts that many ready jobs into an empty queue. */
  fill(jobs: number): Promise<void>;
  /**
   * Starts workers with a handler that does nothing, and ends them when all jobs are worked off.
   * Answers the milliseconds from the first call of the handler until the last completion was committed.
   */
  drain(plan: DrainPlan): Promise<number>;
  /**
   * Has jobs completed by workers that lost them: leased, expired (or freed), leased by another, which still works.
   * Answers how many completions by the former worker took effect.
   */
  zombies(jobs: number): Promise<ZombieCount>;
  close(): Promise<void>;
}

/** What became of completions by workers that had lost their jobs. */
export interface ZombieCount {
  accepted: number;
  /** With the optional guard that the system offers, where there is one. */
  acceptedWithGuard?: number;
}

/** Counts handler calls of one drain. */
export class Meter {
  readonly #jobs: number;
  readonly #finished = Promise.withResolvers<void>();
  #startedMs = 0;
  #done = 0;

  constructor(jobs: number) {
    this.#jobs = jobs;
  }

  /** To be called by the handler, once per job. */
  hit(): void {
    if (this.#done === 0) this.#startedMs = performance.now();
    this.#done++;
    if (this.#done >= this.#jobs) this.#finished.resolve();
  }

  isFull(): boolean {
    return this.#done >= this.#jobs;
  }

  /** Resolves with the milliseconds since the first hit once all handlers ran and `isEmpty` says that all is committed. */
  async finished(isEmpty: () => Promise<boolean>): Promise<number> {
    await this.#finished.promise;
    while (!(await isEmpty())) await new Promise((resolve) => setTimeout(resolve, 1));
    return performance.now() - this.#startedMs;
  }
}
