import type { Clock } from '../runtime/clock.ts';
import { IsgError } from '../runtime/errors.ts';
import { failureOfAbort } from './http-failure.ts';
import { afterAnswer, afterThrottle, type BudgetLimits, initialBudget, takeToken } from './request-budget-state.ts';

/** Nobody waits longer than this for a turn: by then the caller's view of the world is old. */
const LONGEST_WAIT_MS = 60_000;
/** How often waiting requests are looked at during a long pause, so that one that waited too long learns it. */
const LOOK_EVERY_MS = 1000;

/** Hands out turns to send, first come first served. */
export interface RequestBudget {
  /**
   * Resolves when one request may be sent. Throws `iconik-throttled` after `LONGEST_WAIT_MS`, `stopped` after `close`,
   * and the caller's reason when its signal aborts; always with `fields.sent: false`.
   */
  take(signal?: AbortSignal): Promise<void>;
  /** A 429 arrived: everybody pauses. */
  throttled(retryAfterMs: number | null): void;
  /** Another answer arrived; `remaining` from RateLimit-Remaining. */
  answered(remaining: number | null): void;
  /** Turns away all who wait, now and later. */
  close(): void;
}

interface Waiter {
  sinceMs: number;
  admit(): void;
  refuse(error: IsgError): void;
}

const closed = () =>
  new IsgError('stopped', 'The connection to iconik is being closed.', { retry: 'transient', fields: { sent: false } });

const overdue = () =>
  new IsgError(
    'iconik-throttled',
    `No turn within ${LONGEST_WAIT_MS / 1000} s: iconik's request limit is used up. The node tries again; if it lasts, lower the load or ask iconik for a higher limit.`,
    { retry: 'transient', fields: { sent: false, waited: true } },
  );

/** Appends a waiter that leaves the line when its signal aborts; resolves at its turn. */
function standInLine(line: Waiter[], sinceMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      line.splice(line.indexOf(waiter), 1);
      reject(failureOfAbort(signal?.reason, { sent: false }));
    };
    const leave = () => signal?.removeEventListener('abort', onAbort);
    const waiter: Waiter = {
      sinceMs,
      admit: () => {
        leave();
        resolve();
      },
      refuse: (error) => {
        leave();
        reject(error);
      },
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    line.push(waiter);
  });
}

/** A budget of `requestsPerSecond`, with bursts of one second's worth (20 s then hold at most 21 × the rate). */
export function createRequestBudget(options: { requestsPerSecond: number; clock: Clock }): RequestBudget {
  const { clock, requestsPerSecond } = options;
  const limits: BudgetLimits = { requestsPerSecond, burst: Math.max(1, requestsPerSecond) };
  let state = initialBudget(limits, clock.monotonicMs());
  const line: Waiter[] = [];
  const closing = new AbortController();
  let isPumping = false;

  function admitNext(): number {
    const nowMs = clock.monotonicMs();
    while (line[0] && nowMs - line[0].sinceMs > LONGEST_WAIT_MS) line.shift()?.refuse(overdue());
    if (line.length === 0) return 0;
    const taken = takeToken(state, limits, nowMs);
    state = taken.state;
    if (taken.waitMs === 0) line.shift()?.admit();
    return taken.waitMs;
  }

  async function pump(): Promise<void> {
    if (isPumping) return;
    isPumping = true;
    try {
      while (line.length > 0) {
        const waitMs = admitNext();
        if (waitMs > 0) await clock.sleep(Math.min(waitMs, LOOK_EVERY_MS), closing.signal);
      }
    } catch {
      // only the closing signal ends a sleep early, and close() has turned everybody away
    } finally {
      isPumping = false;
    }
  }

  return {
    take(signal) {
      if (signal?.aborted) return Promise.reject(failureOfAbort(signal.reason, { sent: false }));
      if (closing.signal.aborted) return Promise.reject(closed());
      const turn = standInLine(line, clock.monotonicMs(), signal);
      void pump();
      return turn;
    },
    throttled: (retryAfterMs) => {
      state = afterThrottle(state, clock.monotonicMs(), retryAfterMs);
    },
    answered: (remaining) => {
      state = afterAnswer(state, clock.monotonicMs(), remaining);
    },
    close: () => {
      closing.abort();
      for (const waiter of line.splice(0)) waiter.refuse(closed());
    },
  };
}
