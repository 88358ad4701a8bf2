import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../agent/runtime/clock.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32): the same seed tells the same story. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Planned {
  atMs: number;
  /** Null when it was cancelled. */
  run: (() => void | Promise<void>) | null;
}

/**
 * Time that passes only when nothing more can happen at this instant. One event runs at a time; what it awaits of the real
 * world (a SQL statement) is finished before the next event, so that a run depends on its seed alone.
 */
export class VirtualTime {
  nowMs = 0;
  readonly #planned: Planned[] = [];

  /** Plans an event; answers how to cancel it. Events of one instant run in the order in which they were planned. */
  at(atMs: number, run: () => void | Promise<void>): () => void {
    const planned: Planned = { atMs: Math.max(atMs, this.nowMs), run };
    let at = this.#planned.length;
    while (at > 0 && (this.#planned[at - 1]?.atMs ?? 0) > planned.atMs) at--;
    this.#planned.splice(at, 0, planned);
    return () => {
      planned.run = null;
    };
  }

  /** Runs all events up to an instant. */
  async advanceTo(untilMs: number): Promise<void> {
    await setImmediate();
    for (;;) {
      const next = this.#planned[0];
      if (!next || next.atMs > untilMs) break;
      this.#planned.shift();
      if (!next.run) continue;
      this.nowMs = next.atMs;
      await next.run();
      // All that follows from the event without further waiting has happened after this turn.
      await setImmediate();
    }
    this.nowMs = untilMs;
  }
}

/**
 * A process in virtual time: it can be frozen (its timers and answers wait, its clock goes on) and killed (they never
 * come), and its clocks run at a rate of their own.
 */
export class SimProcess {
  readonly #time: VirtualTime;
  readonly #rate: number;
  readonly #originMs: number;
  #frozenUntilMs = 0;
  #isDead = false;
  /** What the wall clock is wrong by. */
  wallErrorMs = 0;

  constructor(time: VirtualTime, clock: { rate: number; originMs: number }) {
    this.#time = time;
    this.#rate = clock.rate;
    this.#originMs = clock.originMs;
  }

  freezeUntil(untilMs: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, untilMs);
  }

  kill(): void {
    this.#isDead = true;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Plans something in this process after a time of the real world; answers how to cancel it. */
  later(delayMs: number, run: () => void): () => void {
    let isCancelled = false;
    const step = (): void => {
      if (isCancelled || this.#isDead) return;
      if (this.#time.nowMs < this.#frozenUntilMs) this.#time.at(this.#frozenUntilMs, step);
      else run();
    };
    this.#time.at(this.#time.nowMs + delayMs, step);
    return () => {
      isCancelled = true;
    };
  }

  readonly clock: Clock = {
    monotonicMs: () => this.#originMs + this.#time.nowMs * this.#rate,
    wallMs: () => 1_700_000_000_000 + this.#time.nowMs * this.#rate + this.wallErrorMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const cancel = this.later(Math.max(0, ms) / this.#rate, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        const onAbort = () => {
          cancel();
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
