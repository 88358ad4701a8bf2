import { type BackoffShape, backoffMs } from '../runtime/backoff.ts';

/**
 * The circuit breaker of iconik as a pure reducer; the drawing is in README.md. All times are monotonic milliseconds that
 * come in with the events.
 */

/** So many calls in a row must fail … */
const OPEN_AFTER_FAILURES = 3;
/** … over at least this time (from the start of the first one) before iconik counts as lost: a restart of a load balancer fails many parallel calls at one instant and means nothing. */
const OPEN_AFTER_MS = 2000;
/** Rest before the next probe; half of it is fixed, half is jitter. The cap keeps recovery visible within 15 s. */
const REST: BackoffShape = { baseMs: 1000, capMs: 15_000 };

/** State of the breaker. */
export type BreakerState =
  | { state: 'closed'; failures: number; troubleSinceMs: number | null }
  | { state: 'open'; openings: number; untilMs: number }
  | { state: 'half-open'; openings: number };

/** What happened to one call, as far as reachability goes. */
export type BreakerEvent =
  /** iconik itself answered, whatever it said (also 401, 403, 404, 429). */
  | { kind: 'alive' }
  /** No answer, 5xx, or an answer that cannot be iconik's. `jitter` is uniform in [0, 1). */
  | { kind: 'failure'; isProbe: boolean; startedAtMs: number; nowMs: number; jitter: number }
  /** The caller gave up, or something in between refused: says nothing. */
  | { kind: 'inconclusive'; isProbe: boolean; nowMs: number }
  /** Calls wait and none of any kind has been answered for too long. `jitter` as above. */
  | { kind: 'silence'; nowMs: number; jitter: number }
  /** A call was let through as the probe. */
  | { kind: 'probing' };

/** The breaker of a fresh start. */
export const CLOSED: BreakerState = { state: 'closed', failures: 0, troubleSinceMs: null };

function opened(openings: number, event: { nowMs: number; jitter: number }): BreakerState {
  const fullMs = Math.min(REST.capMs, REST.baseMs * 2 ** Math.min(openings, 10));
  const restMs =
    fullMs / 2 + backoffMs(openings + 1, { baseMs: REST.baseMs / 2, capMs: REST.capMs / 2 }, () => event.jitter);
  return { state: 'open', openings: openings + 1, untilMs: event.nowMs + restMs };
}

/** The next state. */
export function nextBreaker(state: BreakerState, event: BreakerEvent): BreakerState {
  if (event.kind === 'alive') return CLOSED;
  if (event.kind === 'probing')
    return state.state === 'open' ? { state: 'half-open', openings: state.openings } : state;
  if (event.kind === 'silence') return state.state === 'closed' ? opened(0, event) : state;
  if (event.kind === 'inconclusive') {
    // A probe without result leaves the place to the next call.
    return state.state === 'half-open' && event.isProbe
      ? { state: 'open', openings: state.openings, untilMs: event.nowMs }
      : state;
  }
  switch (state.state) {
    case 'closed': {
      const failures = state.failures + 1;
      const troubleSinceMs = Math.min(state.troubleSinceMs ?? event.startedAtMs, event.startedAtMs);
      const isLost = failures >= OPEN_AFTER_FAILURES && event.nowMs - troubleSinceMs >= OPEN_AFTER_MS;
      return isLost ? opened(0, event) : { state: 'closed', failures, troubleSinceMs };
    }
    case 'half-open':
      return event.isProbe ? opened(state.openings, event) : state;
    case 'open':
      // a call from before the opening; its failure is no news
      return state;
  }
}

/**
 * Whether a call may go: `send`, `probe` (the one call that tries whether iconik is back), or `refuse`. Creations never
 * probe: one that fails leaves a doubt behind.
 */
export function admission(state: BreakerState, nowMs: number, mayProbe: boolean): 'send' | 'probe' | 'refuse' {
  if (state.state === 'closed') return 'send';
  return state.state === 'open' && nowMs >= state.untilMs && mayProbe ? 'probe' : 'refuse';
}
