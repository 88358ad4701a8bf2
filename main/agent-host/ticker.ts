import { LATE_MS } from './host-limits.ts';

/** Ticks that know whether main itself stood still since the last one. */
export interface Ticker {
  /** Begins, or plans the next tick anew. */
  start(): void;
  stop(): void;
}

/** What a ticker calls. */
export interface TickerOptions {
  /** Milliseconds until the next tick, asked after each one: a supervisor that has nothing to judge yet lets main sleep. */
  waitMs: () => number;
  /** Gets the monotonic time and whether the tick came too late to prove anything. */
  onTick: (nowMs: number, mainWasLate: boolean) => void;
}

/** A ticker that stands. */
export function createTicker({ waitMs, onTick }: TickerOptions): Ticker {
  let timer: NodeJS.Timeout | undefined;
  let runs = false;
  const plan = () => {
    const wait = waitMs();
    const dueMs = performance.now() + wait;
    timer = setTimeout(() => {
      const nowMs = performance.now();
      timer = undefined;
      onTick(nowMs, nowMs - dueMs > LATE_MS);
      if (runs && timer === undefined) plan();
    }, wait);
  };
  return {
    start: () => {
      clearTimeout(timer);
      runs = true;
      plan();
    },
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
      runs = false;
    },
  };
}
