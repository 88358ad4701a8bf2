import type { Clock } from '../../runtime/clock.ts';
import { type BandwidthState, emptyBandwidth, serveBandwidth } from './bandwidth-state.ts';

/** The bytes that all transfers of this node together may move. */
export interface Bandwidth {
  /** Whether a limit holds now; while none does, nobody needs to ask. */
  isLimited(): boolean;
  /** Hears each change of `isLimited`, at most a second late. Answers how to stop hearing. */
  subscribe(listener: (isLimited: boolean) => void): () => void;
  /** Waits its turn; resolves with how many of `bytes` may move, at least one. Rejects with the reason of `signal`. */
  take(bytes: number, signal: AbortSignal): Promise<number>;
}

/** What the budget is made of. */
export interface BandwidthOptions {
  clock: Clock;
  /** Bytes per second at an instant of the wall clock; null = no limit. Asked at least once a second. */
  limitAt: (wallMs: number) => number | null;
}

const LOOK_MS = 1_000;

interface Waiter {
  give: (bytes: number) => void;
}

class NodeBandwidth implements Bandwidth {
  readonly #options: BandwidthOptions;
  readonly #listeners = new Set<(isLimited: boolean) => void>();
  readonly #waiters = new Map<number, Waiter>();
  #state: BandwidthState;
  #limit: number | null;
  #lookedAtMs: number;
  #lastAskId = 0;
  #looking: NodeJS.Timeout | undefined;
  #turn: NodeJS.Timeout | undefined;

  constructor(options: BandwidthOptions) {
    this.#options = options;
    this.#lookedAtMs = options.clock.monotonicMs();
    this.#state = emptyBandwidth(this.#lookedAtMs);
    this.#limit = options.limitAt(options.clock.wallMs());
  }

  isLimited(): boolean {
    this.#look();
    return this.#limit !== null;
  }

  subscribe(listener: (isLimited: boolean) => void): () => void {
    this.#listeners.add(listener);
    this.#looking ??= setInterval(() => this.#look(true), LOOK_MS).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    };
  }

  take(bytes: number, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    this.#lastAskId += 1;
    const askId = this.#lastAskId;
    const granted = Promise.withResolvers<number>();
    const onAbort = () => {
      this.#waiters.delete(askId);
      this.#state = { ...this.#state, queue: this.#state.queue.filter((ask) => ask.askId !== askId) };
      granted.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiters.set(askId, {
      give: (allowed) => {
        signal.removeEventListener('abort', onAbort);
        granted.resolve(allowed);
      },
    });
    this.#state = { ...this.#state, queue: [...this.#state.queue, { askId, bytes }] };
    this.#serve();
    return granted.promise;
  }

  /** Asks for the limit anew, at most once a second: days and hours take their time. */
  #look(isDue = false): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (!isDue && nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    const before = this.#limit;
    this.#limit = this.#options.limitAt(this.#options.clock.wallMs());
    if (before === this.#limit) return;
    if ((before === null) !== (this.#limit === null)) {
      for (const listener of this.#listeners) listener(this.#limit !== null);
    }
    this.#serve();
  }

  #serve(): void {
    clearTimeout(this.#turn);
    this.#turn = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    const { state, grants, waitMs } = serveBandwidth(this.#state, nowMs, this.#limit);
    this.#state = state;
    // The turn comes again by itself: whoever is served may ask at once, and be heard in this very loop.
    if (waitMs !== null) {
      this.#turn = setTimeout(() => {
        this.#look();
        this.#serve();
      }, waitMs);
    }
    for (const { askId, bytes } of grants) {
      this.#waiters.get(askId)?.give(bytes);
      this.#waiters.delete(askId);
    }
  }
}

/** The budget of a node: one for all of its storages, in both directions together. */
export function createBandwidth(options: BandwidthOptions): Bandwidth {
  return new NodeBandwidth(options);
}
