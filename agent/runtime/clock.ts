/**
 * Time for decisions and time for labels, kept apart. `monotonicMs` decides (trust, deadlines, back-off): it never goes
 * back and ignores changes of the wall clock. `wallMs` only labels logs and records.
 */
export interface Clock {
  /** Milliseconds from an arbitrary origin; only differences mean anything. */
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

/** The clocks of this machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep,
};
