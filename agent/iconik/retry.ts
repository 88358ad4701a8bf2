import { type BackoffShape, backoffMs } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, type IsgError } from '../runtime/errors.ts';
import { failureOfAbort } from './http-failure.ts';

/** Tries of a request that may be repeated, the first one included. */
export const MAX_TRIES = 5;
/** Full jitter below 0.5, 1, 2, 4 s: iconik's load balancers recover in seconds, and longer waits belong to the caller. */
const WAITS: BackoffShape = { baseMs: 500, capMs: 8000 };

/**
 * Whether the same request may be sent again at once: network errors, time-outs, 5xx, 408, 425, 429 and whatever something
 * in between answered. Not 401 (repeating a wrong token helps nobody), not what the circuit breaker or the budget turned
 * away, not what the caller gave up.
 */
function isWorthRepeating(error: IsgError): boolean {
  const { code, retry, fields } = error;
  if (retry === 'permanent' || !code.startsWith('iconik-') || code === 'iconik-unauthorized') return false;
  return !fields.refusedByBreaker && !fields.abandoned && !fields.waited;
}

/** What a repetition needs. */
export interface RetryOptions {
  clock: Clock;
  random: () => number;
  signal?: AbortSignal | undefined;
}

/** Runs `operation` up to `MAX_TRIES` times with full jitter between; throws the last error, or the caller's reason. */
export async function withRetry<T>(operation: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, random, signal } = options;
  for (let tries = 1; ; tries++) {
    try {
      return await operation();
    } catch (thrown) {
      const error = coerceError(thrown);
      if (tries >= MAX_TRIES || !isWorthRepeating(error)) throw error;
    }
    try {
      await clock.sleep(backoffMs(tries, WAITS, random), signal);
    } catch {
      // the only way out of a sleep is the caller's signal
      throw failureOfAbort(signal?.reason, { sent: true });
    }
  }
}
