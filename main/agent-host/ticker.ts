import { LATE_MS, TICK_MS } from './host-limits.ts';

/** Ticks that know whether main itself stood still since the last one. */
export interface Ticker {
  start(): void;
  stop(): void;
}

/** A ticker that stands. `onTick` gets the monotonic time and whether the tick came too late to prove anything. */
export function createTicker(onTick: (nowMs: number, mainWasLate: boolean) => void): Ticker {
  let timer: NodeJS.Timeout | null = null;
  let lastMs = 0;
  return {
    start: () => {
      if (timer !== null) return;
      lastMs = performance.now();
      timer = setInterval(() => {
        const nowMs = performance.now();
        const mainWasLate = nowMs - lastMs > TICK_MS + LATE_MS;
        lastMs = nowMs;
        onTick(nowMs, mainWasLate);
      }, TICK_MS);
    },
    stop: () => {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}
