import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { LeadershipRenewer, RenewalStanding } from './leadership-renewer.ts';
import type { LeaseStore } from './lease-store.ts';

/** What a renewer on the main loop needs. */
export interface LoopRenewerOptions {
  store: Pick<LeaseStore, 'renew'>;
  times: { ttlMs: number; renewMs: number };
  clock: Clock;
  log: Logger;
}

/** One leadership under renewal. */
interface Round {
  term: number;
  over: AbortController;
  standing: RenewalStanding;
}

/** Renews on the main loop: for tests and simulations with a clock of their own. A blocked loop renews nothing. */
export class LoopRenewer implements LeadershipRenewer {
  readonly #options: LoopRenewerOptions;
  #round: Round | null = null;
  #listener: () => void = () => {};
  #trouble = '';

  constructor(options: LoopRenewerOptions) {
    this.#options = options;
  }

  isReady(): boolean {
    return true;
  }

  begin(term: number): void {
    this.end();
    const standing: RenewalStanding = { confirmedMs: null, isRefused: false, failure: null };
    const round: Round = { term, over: new AbortController(), standing };
    this.#round = round;
    void this.#run(round);
  }

  end(): void {
    this.#round?.over.abort();
    this.#round = null;
  }

  standing(term: number): RenewalStanding {
    if (this.#round?.term !== term) return { confirmedMs: null, isRefused: false, failure: null };
    return this.#round.standing;
  }

  onTrouble(listener: () => void): void {
    this.#listener = listener;
  }

  async #run({ term, over, standing }: Round): Promise<void> {
    const { store, times, clock } = this.#options;
    // The take-over was the first renewal, so to speak.
    while (await this.#waited(over.signal)) {
      const startedMs = clock.monotonicMs();
      const renewed = await store.renew(term, times.ttlMs).catch((thrown) => this.#say(thrown));
      if (over.signal.aborted || renewed === null) continue;
      this.#trouble = '';
      if (renewed) {
        standing.confirmedMs = startedMs;
        continue;
      }
      standing.isRefused = true;
      this.#listener();
      return;
    }
  }

  async #waited(signal: AbortSignal): Promise<boolean> {
    await this.#options.clock.sleep(this.#options.times.renewMs, signal).catch(() => {});
    return !signal.aborted;
  }

  #say(thrown: unknown): null {
    const { message } = coerceError(thrown);
    if (message !== this.#trouble) this.#options.log.warn('The leader lease could not be renewed', { error: message });
    this.#trouble = message;
    return null;
  }
}
