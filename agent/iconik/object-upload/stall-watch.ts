import type { Clock } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';

/**
 * Runs `run` and gives it up when it has not called `alive` for `stallMs` of monotonic time: a large send may take
 * hours, so a total deadline would be wrong, but one that moves no byte is dead. Throws `upload-refused` (transient) then,
 * at once even if `run` does not heed its signal; the reason of `signal` when that aborts.
 */
export async function withStallWatch<T>(
  options: { clock: Clock; stallMs: number; signal: AbortSignal; what: string },
  run: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  const stalled = new AbortController();
  const ended = new AbortController();
  let lastLifeMs = options.clock.monotonicMs();
  const alive = () => {
    lastLifeMs = options.clock.monotonicMs();
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = lastLifeMs + options.stallMs - options.clock.monotonicMs();
      if (leftMs <= 0) return stalled.abort(stallError(options));
      await options.clock.sleep(leftMs, ended.signal);
    }
  };
  // Rejects only by `ended`, when nobody waits for it any more.
  watch().catch(() => undefined);
  const signal = AbortSignal.any([options.signal, stalled.signal]);
  try {
    return await Promise.race([run(signal, alive), rejectOn(signal, ended.signal)]);
  } finally {
    ended.abort();
  }
}

function rejectOn(signal: AbortSignal, until: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: until });
  });
}

function stallError(options: { stallMs: number; what: string }): IsgError {
  const message = `No byte moved for ${options.stallMs} ms while trying to ${options.what}; it will be tried again.`;
  return new IsgError('upload-refused', message, { retry: 'transient' });
}
