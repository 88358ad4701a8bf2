import type { Clock } from '../runtime/clock.ts';
import { IsgError } from '../runtime/errors.ts';
import { failureOfAbort } from './http-failure.ts';
import {
  afterAnswer,
  afterThrottle,
  type BudgetLimits,
  initialBudget,
  settledTo,
  shareLimits,
  takeToken,
} from './request-budget-state.ts';
import { type LineCredits, NO_CREDITS, nextLine, REQUEST_LINES, type RequestLine } from './request-lines-state.ts';

/** Nobody waits longer than this for a turn: by then the caller's view of the world is old. */
const LONGEST_WAIT_MS = 60_000;
/** How often those who wait are looked at meanwhile: a larger share may have come, or one may have waited too long. */
const LOOK_EVERY_MS = 250;

/** Hands out turns to send: by turns among the lines, first come first served within each. */
export interface RequestBudget {
  /**
   * Resolves when one request may be sent. Throws `iconik-throttled` after `LONGEST_WAIT_MS`, `stopped` after `close`,
   * and the caller's reason when its signal aborts; always with `fields.sent: false`.
   */
  take(signal?: AbortSignal, line?: RequestLine): Promise<void>;
  /** A 429 arrived: everybody pauses. */
  throttled(retryAfterMs: number | null): void;
  /** Another answer arrived; `remaining` from RateLimit-Remaining. */
  answered(remaining: number | null): void;
  /** How this budget and the rest of the cluster see each other. */
  pace: RequestPace;
  /** Turns away all who wait, now and later. */
  close(): void;
}

/** The budget of one node as a share of what its credential may send. */
export interface RequestPace {
  /** From now on `perSecond()` requests a second of the credential's `ofPerSecond`; asked right before each turn. */
  follow(perSecond: () => number, ofPerSecond: number): void;
  /** Turns given since the start, and requests that wait for one now. */
  load(): { admitted: number; waiting: number };
  /** Another node of the credential was throttled: pause with it, milliseconds. */
  pause(ms: number): void;
  /** Told when a 429 begins a pause of this node, with the pause in milliseconds; set once. */
  onThrottle(listener: (pauseMs: number) => void): void;
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

/**
 * A budget of `requestsPerSecond`, with bursts of one second's worth (20 s then hold at most 21 × the rate), until it
 * follows a share.
 */
export function createRequestBudget(options: { requestsPerSecond: number; clock: Clock }): RequestBudget {
  return new LinedBudget(options.clock, options.requestsPerSecond);
}

class LinedBudget implements RequestBudget {
  readonly pace: RequestPace;
  readonly #clock: Clock;
  readonly #lines: Record<RequestLine, Waiter[]> = { vital: [], leader: [], jobs: [], bulk: [] };
  readonly #closing = new AbortController();
  #limits: BudgetLimits;
  #wanted: () => BudgetLimits;
  #state: ReturnType<typeof initialBudget>;
  #credits: LineCredits = NO_CREDITS;
  #fraction = () => 1;
  #admitted = 0;
  #isPumping = false;
  #listener: (pauseMs: number) => void = () => {};

  constructor(clock: Clock, requestsPerSecond: number) {
    this.#clock = clock;
    this.#limits = { requestsPerSecond, burst: Math.max(1, requestsPerSecond) };
    this.#wanted = () => this.#limits;
    this.#state = initialBudget(this.#limits, clock.monotonicMs());
    this.pace = {
      follow: (perSecond, ofPerSecond) => {
        this.#wanted = () => shareLimits(perSecond());
        this.#fraction = () => Math.min(1, perSecond() / ofPerSecond);
      },
      load: () => ({ admitted: this.#admitted, waiting: this.#waiting() }),
      pause: (ms) => {
        this.#state = afterThrottle(this.#state, this.#clock.monotonicMs(), ms);
      },
      onThrottle: (listener) => {
        this.#listener = listener;
      },
    };
  }

  take(signal?: AbortSignal, line: RequestLine = 'jobs'): Promise<void> {
    if (signal?.aborted) return Promise.reject(failureOfAbort(signal.reason, { sent: false }));
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    const turn = standInLine(this.#lines[line], this.#clock.monotonicMs(), signal);
    void this.#pump();
    return turn;
  }

  throttled(retryAfterMs: number | null): void {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#state.pausedUntilMs;
    this.#state = afterThrottle(this.#state, nowMs, retryAfterMs);
    if (before <= nowMs) this.#listener(this.#state.pausedUntilMs - nowMs);
  }

  answered(remaining: number | null): void {
    // What is left is left for all nodes of the credential. Nothing at all is left for nobody.
    const ours = remaining === null || remaining === 0 ? remaining : remaining * this.#fraction();
    const nowMs = this.#clock.monotonicMs();
    // What has come in until now is capped, too; refilled later, it would be added to what is left.
    const settled = settledTo(this.#state, { before: this.#limits, after: this.#limits }, nowMs);
    this.#state = afterAnswer(settled, nowMs, ours);
  }

  close(): void {
    this.#closing.abort();
    for (const line of REQUEST_LINES) for (const waiter of this.#lines[line].splice(0)) waiter.refuse(closed());
  }

  #waiting(): number {
    return REQUEST_LINES.reduce((sum, line) => sum + this.#lines[line].length, 0);
  }

  /** Gives one turn if that may be; answers how long to wait for it otherwise, milliseconds. */
  #admitNext(): number {
    const nowMs = this.#clock.monotonicMs();
    for (const line of REQUEST_LINES) this.#refuseOverdue(this.#lines[line], nowMs);
    const turn = nextLine(this.#credits, (line) => this.#lines[line].length > 0);
    if (turn.line === null) return 0;
    const wanted = this.#wanted();
    // What came in under the old rate was counted under the old rate.
    if (wanted.requestsPerSecond !== this.#limits.requestsPerSecond)
      this.#state = settledTo(this.#state, { before: this.#limits, after: wanted }, nowMs);
    this.#limits = wanted;
    const taken = takeToken(this.#state, wanted, nowMs);
    this.#state = taken.state;
    if (taken.waitMs > 0) return taken.waitMs;
    this.#credits = turn.credits;
    this.#admitted += 1;
    this.#lines[turn.line].shift()?.admit();
    return 0;
  }

  #refuseOverdue(line: Waiter[], nowMs: number): void {
    while (line[0] && nowMs - line[0].sinceMs > LONGEST_WAIT_MS) line.shift()?.refuse(overdue());
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#waiting() > 0) {
        const waitMs = this.#admitNext();
        if (waitMs > 0) await this.#clock.sleep(Math.min(waitMs, LOOK_EVERY_MS), this.#closing.signal);
      }
    } catch {
      // only the closing signal ends a sleep early, and close() has turned everybody away
    } finally {
      this.#isPumping = false;
    }
  }
}
