import { uptime } from 'node:os';

/**
 * Time for decisions and time for labels, kept apart. `monotonicMs` decides (trust, deadlines, back-off): it never goes
 * back and ignores changes of the wall clock. `wallMs` only labels logs and records.
 */
export interface Clock {
  /** Milliseconds from an arbitrary origin; only differences mean anything. Goes on while the machine is suspended. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; for display only. */
  wallMs(): number;
  /** Resolves after `ms`, or at once with rejection `signal.reason` when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A machine that was away for less than this was not suspended but busy. */
const LEAST_SLEEP_MS = 250;
/** The two clocks are compared only when they were read within this of each other. */
const TOGETHER_MS = 20;

/** Cells of a `SleepLedger`: microseconds. */
const AHEAD = 0;
const ASLEEP = 1;

/**
 * How long the machine has slept since its first reader looked, in shared memory: threads that share a ledger and read the
 * same clocks agree on the time, whichever of them notices a sleep first.
 */
export class SleepLedger {
  readonly memory: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  /** With the memory of another thread's ledger, that ledger; else a new one for clocks that are `aheadMs` apart. */
  constructor(from: { memory: SharedArrayBuffer } | { aheadMs: number }) {
    this.memory = 'memory' in from ? from.memory : new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT);
    this.#cells = new BigInt64Array(this.memory);
    if ('aheadMs' in from) Atomics.store(this.#cells, AHEAD, toMicroseconds(from.aheadMs));
  }

  /** Counts a sleep when the clocks have come further apart than coarse readings explain; answers all sleep, milliseconds. */
  asleepMs(apartMs: number | null): number {
    const known = Atomics.load(this.#cells, ASLEEP);
    const knownMs = Number(known) / 1_000;
    if (apartMs === null) return knownMs;
    const missingMs = apartMs - Number(Atomics.load(this.#cells, AHEAD)) / 1_000;
    if (missingMs - knownMs <= LEAST_SLEEP_MS) return knownMs;
    // Another thread that was faster has counted the same sleep.
    Atomics.compareExchange(this.#cells, ASLEEP, known, toMicroseconds(missingMs));
    return Number(Atomics.load(this.#cells, ASLEEP)) / 1_000;
  }
}

const toMicroseconds = (ms: number): bigint => BigInt(Math.round(ms * 1_000));

/**
 * A monotonic clock that counts suspended time, made of one that stands still meanwhile and one that does not but is too
 * coarse to use by itself. Both must run at the same rate otherwise.
 */
export function countingSleep(
  awakeMs: () => number,
  uptimeMs: () => number,
  ledger = new SleepLedger({ aheadMs: uptimeMs() - awakeMs() }),
): () => number {
  return () => {
    const beforeMs = awakeMs();
    const apartMs = uptimeMs() - beforeMs;
    const nowMs = awakeMs();
    return nowMs + ledger.asleepMs(nowMs - beforeMs < TOGETHER_MS ? apartMs : null);
  };
}

/** The same in all threads of the process, unlike `performance.now()`. */
const processMs = () => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
};
const uptimeMs = () => uptime() * 1_000;

/** The clocks of this machine, for a thread that is given the ledger of the main thread. Only Linux stops its monotonic clock while the machine sleeps. */
export function createSystemClock(ledger: SleepLedger): Clock {
  return {
    monotonicMs: process.platform === 'linux' ? countingSleep(processMs, uptimeMs, ledger) : processMs,
    wallMs: () => Date.now(),
    sleep,
  };
}

/** The ledger of `systemClock`; hand its memory to threads that must agree with it. */
export const systemSleepLedger = new SleepLedger({ aheadMs: uptimeMs() - processMs() });

/** The clocks of this machine. */
export const systemClock: Clock = createSystemClock(systemSleepLedger);
