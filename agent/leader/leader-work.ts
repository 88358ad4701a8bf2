import type { Clock } from '../runtime/clock.ts';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Leadership, LeaderWork } from './leadership.ts';

/** Longer than this no call of leader work may take once its signal fired; shorter than an orderly stop may take. */
export const SETTLE_LIMIT_MS = 8_000;

/** What the work of one leadership needs. */
export interface LeaderWorkOptions {
  work: readonly LeaderWork[];
  clock: Clock;
  log: Logger;
  /** How long ended work may take to settle before it is left behind. */
  settleLimitMs: number;
}

/** The leader-only work of one leadership, from its begin to its end. */
export class RunningLeaderWork {
  readonly #options: LeaderWorkOptions;
  readonly #abort = new AbortController();
  readonly #settled: Promise<unknown>;
  readonly #term: number;

  /** Begins all of it. */
  constructor(of: { term: number; runId: string; isTrusted: () => boolean }, options: LeaderWorkOptions) {
    this.#options = options;
    this.#term = of.term;
    const leadership: Leadership = {
      term: of.term,
      runId: of.runId,
      signal: this.#abort.signal,
      assertTrusted: () => {
        if (!of.isTrusted()) throw leadershipLost(of.term);
      },
    };
    this.#settled = this.#runAll(leadership);
  }

  async #runAll(leadership: Leadership): Promise<void> {
    const { work } = this.#options;
    await Promise.all(work.filter(({ goesFirst }) => goesFirst).map((item) => this.#runOnce(item, leadership)));
    await Promise.all(work.filter(({ goesFirst }) => !goesFirst).map((item) => this.#run(item, leadership)));
  }

  async #runOnce(work: LeaderWork, leadership: Leadership): Promise<void> {
    try {
      await work.run(leadership);
    } catch (thrown) {
      const error = coerceError(thrown).message;
      if (!leadership.signal.aborted) this.#options.log.warn(`Leader work "${work.name}" failed`, { error });
    }
  }

  /** Asks all work to stop; true once it has settled, false when it is left behind. */
  async end(): Promise<boolean> {
    this.#abort.abort(leadershipLost(this.#term));
    return this.#settles();
  }

  // Leader work that fails for a reason nobody foresaw is begun again: MAIN work must not rest in silence.
  async #run(work: LeaderWork, leadership: Leadership): Promise<void> {
    const { log, clock } = this.#options;
    while (!leadership.signal.aborted) {
      try {
        await work.run(leadership);
      } catch (thrown) {
        if (leadership.signal.aborted) return;
        log.error(`Leader work "${work.name}" failed; it begins again in 5 s`, { error: coerceError(thrown).message });
      }
      await clock.sleep(5_000, leadership.signal).catch(() => {});
    }
  }

  // Work that hangs must not keep the node out of every later election; what it may still do is refused by its term.
  async #settles(): Promise<boolean> {
    const { clock, log, settleLimitMs } = this.#options;
    const inTime = new AbortController();
    const late = clock.sleep(settleLimitMs, inTime.signal).then(
      () => false,
      () => true,
    );
    const isSettled = await Promise.race([this.#settled.then(() => true), late]);
    inTime.abort();
    if (!isSettled) log.error('Leader work does not stop and is left behind; the lease is left to lapse');
    return isSettled;
  }
}

function leadershipLost(term: number): IsgError {
  return new IsgError(
    'leadership-lost',
    `The leadership of term ${term} has ended; its work stops here and goes on at the new leader.`,
    { retry: 'transient', fields: { term } },
  );
}
