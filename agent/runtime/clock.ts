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

/**
 * A monotonic clock that counts suspended time, made of one that stands still meanwhile and one that does not but is too
 * coarse to use by itself. Both must run at the same rate otherwise.
 */
export function countingSleep(awakeMs: () => number, uptimeMs: () => number): () => number {
  const aheadMs = uptimeMs() - awakeMs();
  let asleepMs = 0;
  return () => {
    const beforeMs = awakeMs();
    const missingMs = uptimeMs() - beforeMs - aheadMs;
    const nowMs = awakeMs();
    if (nowMs - beforeMs < TOGETHER_MS && missingMs - asleepMs > LEAST_SLEEP_MS) asleepMs = missingMs;
    return nowMs + asleepMs;
  };
}

const performanceMs = () => performance.now();

/** The clocks of this machine. Only Linux stops its monotonic clock while the machine sleeps. */
export const systemClock: Clock = {
  monotonicMs: process.platform === 'linux' ? countingSleep(performanceMs, () => uptime() * 1_000) : performanceMs,
  wallMs: () => Date.now(),
  sleep,
};
