import type { Clock } from '../../../agent/runtime/clock.ts';

/** A clock that stands still until `advance`. */
export interface ManualClock extends Clock {
  /** Moves time on step by step, waking sleepers in order and letting their work run in between. */
  advance(ms: number): Promise<void>;
  /** Sleepers at this moment. */
  sleepers(): number;
}

interface Sleeper {
  atMs: number;
  wake(): void;
}

/** Lets everything that is ready run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function createManualClock(): ManualClock {
  let nowMs = 0;
  const sleeping = new Set<Sleeper>();
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleepers: () => sleeping.size,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { atMs: nowMs + ms, wake: resolve };
        signal?.addEventListener('abort', () => {
          sleeping.delete(sleeper);
          reject(signal.reason);
        });
        sleeping.add(sleeper);
      }),
    async advance(ms) {
      const endMs = nowMs + ms;
      await settle();
      for (;;) {
        const next = [...sleeping].filter((sleeper) => sleeper.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (!next) break;
        nowMs = Math.max(nowMs, next.atMs);
        sleeping.delete(next);
        next.wake();
        await settle();
      }
      nowMs = endMs;
      await settle();
    },
  };
}
