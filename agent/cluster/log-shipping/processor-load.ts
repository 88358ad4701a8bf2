import { cpus } from 'node:os';

/** Shorter than this, the figures of the system are too coarse. */
const SPAN_MS = 500;
/** With less than this share of all processors idle, somebody waits for one. */
const IDLE_SHARE = 0.15;

interface Times {
  idle: number;
  all: number;
}

function timesNow(): Times {
  const sums = { idle: 0, all: 0 };
  for (const { times } of cpus()) {
    sums.idle += times.idle;
    sums.all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return sums;
}

/** Whether all processors of the machine are in use. */
export class ProcessorLoad {
  #before = timesNow();
  #takenMs = performance.now();
  #isFull = false;

  /** As of the last half second or so; cheap. */
  isFull(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#takenMs < SPAN_MS) return this.#isFull;
    const now = timesNow();
    const all = now.all - this.#before.all;
    if (all > 0) this.#isFull = (now.idle - this.#before.idle) / all < IDLE_SHARE;
    this.#before = now;
    this.#takenMs = nowMs;
    return this.#isFull;
  }
}
