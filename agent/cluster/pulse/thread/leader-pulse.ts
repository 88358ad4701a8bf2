import { renewLease } from '../../../db/queries/leader-lease.ts';
import type { WarmConnection } from '../../../db/warm-connection.ts';
import { coerceError } from '../../../runtime/errors.ts';
import { type History, noteCall } from '../../../runtime/history.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { PulseMemory } from '../pulse-memory.ts';
import { type LeaseRound, type LeaseTimes, nextAttemptMs } from '../pulse-plan.ts';
import type { Lanes } from './lanes.ts';

/** What the renewal of leadership needs. */
export interface LeaderPulseOptions {
  memory: PulseMemory;
  lanes: Lanes;
  runId: string;
  ttlMs: number;
  times: LeaseTimes;
  nowMs: () => number;
  /** Null unless what this node does is recorded. */
  history: History | null;
  /** Whether the main loop lives. */
  mayRenew: () => boolean;
  log: Logger;
  onRefused: () => void;
}

/** Renews the lease of the term that stands in the shared memory, over whichever connection answers. */
export class LeaderPulse {
  readonly #options: LeaderPulseOptions;
  #term = 0;
  #round: LeaseRound | null = null;
  #timer: NodeJS.Timeout | undefined;
  #trouble = '';

  constructor(options: LeaderPulseOptions) {
    this.#options = options;
  }

  /** Does what is due; called at each tick, message, answer and freed connection. */
  step(): void {
    const { memory, lanes, times, nowMs, mayRenew } = this.#options;
    const term = memory.leadTerm();
    if (term !== this.#term) this.#round = null;
    this.#term = term;
    clearTimeout(this.#timer);
    if (term === 0 || memory.isRefused(term) || !mayRenew()) return;
    const waitMs = nextAttemptMs(this.#round, times) - nowMs();
    if (waitMs > 0) {
      this.#timer = setTimeout(() => this.step(), waitMs);
      return;
    }
    const lane = lanes.take();
    if (lane) void this.#attempt(term, lane);
  }

  async #attempt(term: number, lane: WarmConnection): Promise<void> {
    const { memory, nowMs, onRefused } = this.#options;
    const round: LeaseRound = { startedMs: nowMs(), outcome: 'pending' };
    this.#round = round;
    this.#timer = setTimeout(() => this.step(), this.#options.times.hedgeMs);
    try {
      const isOurs = await this.#renew(term, lane);
      // An answer about an ended leadership is nobody's business any more.
      if (memory.leadTerm() !== term) return;
      round.outcome = 'confirmed';
      this.#trouble = '';
      if (isOurs) memory.confirmLease(term, round.startedMs);
      else {
        memory.refuse(term);
        onRefused();
      }
    } catch (thrown) {
      round.outcome = 'failed';
      this.#say(coerceError(thrown).message);
    } finally {
      this.step();
    }
  }

  #renew(term: number, lane: WarmConnection): Promise<boolean> {
    const { history, runId, ttlMs } = this.#options;
    const call = () => renewLease(lane, term, runId, ttlMs);
    return history ? noteCall(history, 'renew', call, (renewed) => ({ term, ttlMs, renewed })) : call();
  }

  #say(message: string): void {
    if (message !== this.#trouble)
      this.#options.log.warn('A renewal of the leader lease failed; trying again over another connection', {
        error: message,
      });
    this.#trouble = message;
  }
}
