import type { Clock } from '../runtime/clock.ts';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { admission, type BreakerState, CLOSED, nextBreaker } from './circuit-breaker.ts';
import { RATE_WINDOW_MS } from './request-budget-state.ts';
import { createSilenceWatch } from './silence.ts';

/** What the calls of this node say about iconik. `throttled` is not a loss; `unknown` = no call has ended yet. */
export interface IconikHealth {
  status: 'ok' | 'failing' | 'throttled' | 'unknown';
  /** What was found, in one sentence; empty when ok. */
  reason: string;
  /** What to do about it; empty when ok. */
  remedy: string;
}

/** One admitted call: exactly one of its functions is to be called when it ends. */
interface Pass {
  /** It is the one call that tries whether iconik is back, and is not to wait long. */
  isProbe: boolean;
  succeeded(): void;
  failed(error: IsgError): void;
}

/** Watches all calls: refuses them while iconik is lost, and knows the verdict for the health check. */
export interface HealthWatch {
  /** Throws `iconik-unreachable` (`fields.refusedByBreaker`, `fields.sent: false`) while the breaker is open. */
  admit(call: { mayProbe: boolean }): Pass;
  health(): IconikHealth;
  breakerState(): BreakerState['state'];
}

const UNKNOWN: IconikHealth = { status: 'unknown', reason: 'No call to iconik has ended yet.', remedy: '' };
const OK: IconikHealth = { status: 'ok', reason: '', remedy: '' };

/** How a failed call counts (design: 401 is loss at once, 429 is throttling, one call's 403 or 404 is neither). */
function meaningOf(error: IsgError): 'unauthorized' | 'throttled' | 'alive' | 'failure' | 'inconclusive' {
  if (error.fields.abandoned || error.fields.waited || error.code === 'stopped') return 'inconclusive';
  switch (error.code) {
    case 'iconik-unauthorized':
      return 'unauthorized';
    case 'iconik-throttled':
      return 'throttled';
    case 'iconik-unreachable':
    case 'iconik-answer-unreadable':
      return 'failure';
    default:
      return error.fields.fromIconik ? 'alive' : 'inconclusive';
  }
}

/** The verdict in words; the worst of what is known counts. */
function verdictOf(known: {
  refusal: string | null;
  /** Why the breaker is not closed; null while it is. */
  trouble: string | null;
  isThrottled: boolean;
  wasAlive: boolean;
}): IconikHealth {
  const { refusal, trouble, isThrottled, wasAlive } = known;
  if (refusal !== null) {
    return { status: 'failing', reason: refusal, remedy: 'Check app-id and auth-token in config.ini.' };
  }
  if (trouble !== null) {
    const remedy = 'Check iconik-url, DNS, firewall and proxy; see status.iconik.io.';
    return { status: 'failing', reason: trouble, remedy };
  }
  if (isThrottled) {
    return {
      status: 'throttled',
      reason: 'iconik limits the number of requests (429); work goes on more slowly.',
      remedy: 'If it lasts, lower iconik-requests-per-second or give this cluster an application token of its own.',
    };
  }
  return wasAlive ? OK : UNKNOWN;
}

interface HealthWatchOptions {
  clock: Clock;
  random: () => number;
  log: Logger;
  onHealth?: ((health: IconikHealth) => void) | undefined;
}

const refusedByBreaker = (trouble: string): IsgError =>
  new IsgError('iconik-unreachable', `iconik is away, so the call was not sent. Last trouble: ${trouble}`, {
    retry: 'transient',
    fields: { sent: false, refusedByBreaker: true },
  });

/** A watch over the calls of one client; `onHealth` is told each change of the verdict, never twice the same. */
export function createHealthWatch(options: HealthWatchOptions): HealthWatch {
  const { clock, random, log, onHealth } = options;
  let breaker: BreakerState = CLOSED;
  let wasAlive = false;
  let refusal: string | null = null;
  let trouble = '';
  let throttledAtMs: number | null = null;
  let told: IconikHealth = UNKNOWN;
  const silence = createSilenceWatch(clock);

  /** Opens the breaker when calls wait in silence. Looked at whenever somebody asks: the health check does, twice a second. */
  function listen(): void {
    const silentMs = silence.tooLongMs();
    if (breaker.state !== 'closed' || silentMs === null) return;
    trouble = `iconik has not answered any call for ${Math.round(silentMs / 1_000)} s.`;
    breaker = nextBreaker(breaker, { kind: 'silence', nowMs: clock.monotonicMs(), jitter: random() });
    tell();
  }

  function health(): IconikHealth {
    const isThrottled = throttledAtMs !== null && clock.monotonicMs() - throttledAtMs < RATE_WINDOW_MS;
    return verdictOf({ refusal, trouble: breaker.state === 'closed' ? null : trouble, isThrottled, wasAlive });
  }

  function tell(): void {
    const current = health();
    if (current.status === told.status && current.reason === told.reason) return;
    const level = current.status === 'failing' ? 'warn' : 'info';
    log[level](`iconik: ${told.status} → ${current.status}`, { reason: current.reason });
    told = current;
    onHealth?.(current);
  }

  function failed(error: IsgError, call: { isProbe: boolean; startedAtMs: number }): void {
    const nowMs = clock.monotonicMs();
    const meaning = meaningOf(error);
    if (meaning === 'failure') {
      trouble = error.message;
      breaker = nextBreaker(breaker, { kind: 'failure', ...call, nowMs, jitter: random() });
    } else if (meaning === 'inconclusive') {
      breaker = nextBreaker(breaker, { kind: 'inconclusive', isProbe: call.isProbe, nowMs });
    } else {
      breaker = nextBreaker(breaker, { kind: 'alive' });
      wasAlive = true;
      refusal = meaning === 'unauthorized' ? error.message : null;
      if (meaning === 'throttled') throttledAtMs = nowMs;
    }
    tell();
  }

  return {
    health: () => {
      listen();
      return health();
    },
    breakerState: () => breaker.state,
    admit({ mayProbe }) {
      listen();
      const startedAtMs = clock.monotonicMs();
      const verdict = admission(breaker, startedAtMs, mayProbe);
      if (verdict === 'refuse') throw refusedByBreaker(trouble);
      const isProbe = verdict === 'probe';
      if (isProbe) breaker = nextBreaker(breaker, { kind: 'probing' });
      const ended = silence.waits();
      return {
        isProbe,
        succeeded() {
          ended(true);
          breaker = nextBreaker(breaker, { kind: 'alive' });
          wasAlive = true;
          refusal = null;
          tell();
        },
        failed: (error) => {
          ended(error.fields.fromIconik === true);
          failed(error, { isProbe, startedAtMs });
        },
      };
    },
  };
}
