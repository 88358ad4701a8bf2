/**
 * The request budget as pure arithmetic: a token bucket that a 429 empties and pauses. All times are monotonic
 * milliseconds that come in as arguments.
 */

/** iconik counts 1000 requests in any window of 20 s (reference C.1); nobody needs to pause longer than that window. */
export const RATE_WINDOW_MS = 20_000;
/** First pause after a 429 that names no time. */
const FIRST_PAUSE_MS = 1000;
/** A server that asks for more than this is not believed. */
const LONGEST_PAUSE_MS = 60_000;

/** How fast requests may go. */
export interface BudgetLimits {
  requestsPerSecond: number;
  /** Requests that may go at once after a rest. */
  burst: number;
}

/** Tokens left as of `atMs`, and whether all wait. */
export interface BudgetState {
  tokens: number;
  atMs: number;
  pausedUntilMs: number;
  /** 429s in a row, each counted once per pause; doubles the next pause. */
  throttles: number;
}

/** A full bucket. */
export function initialBudget(limits: BudgetLimits, nowMs: number): BudgetState {
  return { tokens: limits.burst, atMs: nowMs, pausedUntilMs: Number.NEGATIVE_INFINITY, throttles: 0 };
}

function refilled(state: BudgetState, limits: BudgetLimits, nowMs: number): BudgetState {
  // Nothing is refilled for the time of a pause: the requests before it still count against the window.
  const fromMs = Math.max(state.atMs, Math.min(state.pausedUntilMs, nowMs));
  const elapsedMs = Math.max(0, nowMs - fromMs);
  const tokens = Math.min(limits.burst, state.tokens + (elapsedMs * limits.requestsPerSecond) / 1000);
  return { ...state, tokens, atMs: Math.max(state.atMs, nowMs) };
}

/** Enough for timers that fire late, and little enough that the bursts of several nodes together are no harm. */
const SHARE_BURST = 2;

/**
 * The limits of a share of the credential's budget. Bursts are of 1 request, 2 for the node that has most of the budget
 * (18/s on): n nodes of 45/s in all then send at most 46 + n in any one second, 901 + n in any 20.
 */
export function shareLimits(requestsPerSecond: number): BudgetLimits {
  return { requestsPerSecond, burst: Math.max(1, Math.min(SHARE_BURST, requestsPerSecond / 9)) };
}

/** The state at the change of a rate: what had come in under the rate before stays, up to the burst of the one after. */
export function settledTo(
  state: BudgetState,
  limits: { before: BudgetLimits; after: BudgetLimits },
  nowMs: number,
): BudgetState {
  const settled = refilled(state, limits.before, nowMs);
  return { ...settled, tokens: Math.min(settled.tokens, limits.after.burst) };
}

/** Takes one token: `waitMs` 0 means taken, else ask again after that time. */
export function takeToken(
  state: BudgetState,
  limits: BudgetLimits,
  nowMs: number,
): { state: BudgetState; waitMs: number } {
  const current = refilled(state, limits, nowMs);
  if (nowMs < current.pausedUntilMs) return { state: current, waitMs: current.pausedUntilMs - nowMs };
  // Repeated addition of small shares ends a hair below one.
  if (current.tokens >= 1 - 1e-9) return { state: { ...current, tokens: Math.max(0, current.tokens - 1) }, waitMs: 0 };
  return { state: current, waitMs: ((1 - current.tokens) * 1000) / limits.requestsPerSecond };
}

/**
 * After a 429: no tokens, and a pause of what the server asked for, else 1, 2, 4 … 20 s. Answers to requests that were
 * under way when the pause began do not lengthen it again.
 */
export function afterThrottle(state: BudgetState, nowMs: number, retryAfterMs: number | null): BudgetState {
  const asked = retryAfterMs === null ? null : Math.min(retryAfterMs, LONGEST_PAUSE_MS);
  if (nowMs < state.pausedUntilMs) {
    return { ...state, pausedUntilMs: Math.max(state.pausedUntilMs, nowMs + (asked ?? 0)) };
  }
  const pauseMs = asked ?? Math.min(RATE_WINDOW_MS, FIRST_PAUSE_MS * 2 ** Math.min(state.throttles, 10));
  return { tokens: 0, atMs: nowMs, pausedUntilMs: nowMs + pauseMs, throttles: state.throttles + 1 };
}

/** After an answer that was not a 429. `remaining` is the header RateLimit-Remaining: never burst beyond it, rest at 0. */
export function afterAnswer(state: BudgetState, nowMs: number, remaining: number | null): BudgetState {
  const calm = nowMs < state.pausedUntilMs ? state : { ...state, throttles: 0 };
  if (remaining === null) return calm;
  const pausedUntilMs = remaining === 0 ? Math.max(calm.pausedUntilMs, nowMs + FIRST_PAUSE_MS) : calm.pausedUntilMs;
  return { ...calm, tokens: Math.min(calm.tokens, remaining), pausedUntilMs };
}
