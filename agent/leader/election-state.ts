import { type CounterRead, observeCounter, type Standstill } from '../runtime/standstill.ts';

/** Durations of the election, milliseconds (design: election). `config` has checked ttl > 2 × renew + margin. */
export interface ElectionTimes {
  ttlMs: number;
  renewMs: number;
  marginMs: number;
  /** How often a candidate looks. */
  lookMs: number;
}

/** The lease row as read. */
export interface LeaseRow {
  term: number;
  renewals: number;
  released: boolean;
  /** Run that holds or held it. */
  runId: string | null;
  /** The ttl that its holder counts with, milliseconds; null or absent when it is not known. */
  ttlMs?: number | null;
  /** True when it was released in favour of another run than the reading one; absent means no. */
  isForAnother?: boolean;
}

/** When a statement was begun and answered, monotonic milliseconds. */
export interface Attempt {
  startedMs: number;
  endedMs: number;
}

/**
 * `following`: not leading, watching the lease. `taking-over`: a compare-and-set is on its way. `verifying`: holder by
 * an answer too late to trust; a renewal decides. `leading`: trusted until `trustedUntilMs`. `stepping-down`: work is
 * being stopped; released afterwards if `release` is set. The README's drawing is checked against `EDGES`.
 */
export type ElectionState =
  | { state: 'following'; lease: LeaseRow | null; stood: Standstill | null }
  | { state: 'taking-over'; lease: LeaseRow; why: string; stood: Standstill }
  | { state: 'verifying'; term: number }
  | { state: 'leading'; term: number; trustedUntilMs: number }
  | { state: 'stepping-down'; term: number; release: boolean; why: string };

/** What may happen. */
export type ElectionEvent =
  | { kind: 'lease-read'; lease: LeaseRow; attempt: Attempt; eligible: boolean }
  | { kind: 'take-over-won'; term: number; attempt: Attempt }
  | { kind: 'take-over-lost' }
  | { kind: 'take-over-unanswered' }
  | { kind: 'renewed'; attempt: Attempt }
  | { kind: 'renewal-refused' }
  | { kind: 'trust-ended' }
  | { kind: 'not-eligible'; why: string }
  | { kind: 'work-settled' }
  /** The work does not stop; the lease must lapse then. */
  | { kind: 'work-left-behind' };

/** What the runner is to do. */
export type ElectionCommand =
  | { kind: 'take-over'; lease: LeaseRow; why: string }
  | { kind: 'renew'; term: number }
  | { kind: 'begin-work'; term: number }
  | { kind: 'end-work'; why: string }
  | { kind: 'release'; term: number; why: string };

/** State after an event, and what follows from it. */
export interface Step {
  state: ElectionState;
  commands: ElectionCommand[];
}

/** All moves between states; README and tests are compared with it. */
export const EDGES = [
  ['following', 'taking-over'],
  ['taking-over', 'following'],
  ['taking-over', 'leading'],
  ['taking-over', 'verifying'],
  ['verifying', 'leading'],
  ['verifying', 'following'],
  ['leading', 'stepping-down'],
  ['stepping-down', 'following'],
] as const;

/**
 * So long a candidate leaves a lease that was released in favour of another run to that run, by its own monotonic time
 * since the end of the first read that showed the release. Nobody waits longer: a named successor may have died.
 */
const SUCCESSOR_HEAD_START_MS = 1_000;

const FOLLOWING: ElectionState = { state: 'following', lease: null, stood: null };

/** A run that knows nothing yet. */
export const initialElection: ElectionState = FOLLOWING;

const stay = (state: ElectionState): Step => ({ state, commands: [] });

/** End of the trust that an attempt gives: counted from its start, because the answer may be old. */
export function trustedUntil(attempt: Attempt, times: ElectionTimes): number {
  return attempt.startedMs + times.ttlMs - times.marginMs;
}

/** The reducer. Events that do not fit the state (late answers) change nothing. */
export function nextElection(state: ElectionState, event: ElectionEvent, times: ElectionTimes): Step {
  switch (state.state) {
    case 'following':
      return event.kind === 'lease-read' ? onRead(state.stood, event, times) : stay(state);
    case 'taking-over':
      return onTakeOverAnswer(state, event, times);
    case 'verifying':
      return onVerification(state, event, times);
    case 'leading':
      return onLeading(state, event, times);
    case 'stepping-down':
      return onSteppingDown(state, event);
  }
}

function onRead(
  stood: Standstill | null,
  { lease, attempt, eligible }: Extract<ElectionEvent, { kind: 'lease-read' }>,
  times: ElectionTimes,
): Step {
  const read: CounterRead = { value: `${lease.term}/${lease.renewals}`, ...attempt };
  // A gap longer than the ttl between two reads is an outage or a pause of ours: the count begins anew.
  const seen = observeCounter(stood, read, times.ttlMs);
  const why = whyFree(lease, seen, times);
  if (!eligible || why === null) return stay({ state: 'following', lease, stood: seen });
  return { state: { state: 'taking-over', lease, why, stood: seen }, commands: [{ kind: 'take-over', lease, why }] };
}

/** How long a lease must stand still before it may be taken: its holder may trust it for longer than our setting says. */
export function lapseMs(lease: LeaseRow, times: ElectionTimes): number {
  return Math.max(times.ttlMs, lease.ttlMs ?? 0);
}

/** Why the lease may be taken now; null while it may not. */
function whyFree(lease: LeaseRow, { stoodMs }: Standstill, times: ElectionTimes): string | null {
  if (!lease.released) return stoodMs >= lapseMs(lease, times) ? 'the lease was not renewed' : null;
  if (!lease.isForAnother) return 'the lease was released';
  return stoodMs >= SUCCESSOR_HEAD_START_MS ? 'the lease was released, and the named successor did not take it' : null;
}

function onTakeOverAnswer(
  state: Extract<ElectionState, { state: 'taking-over' }>,
  event: ElectionEvent,
  times: ElectionTimes,
): Step {
  if (event.kind === 'take-over-won') {
    const trustedUntilMs = trustedUntil(event.attempt, times);
    if (event.attempt.endedMs >= trustedUntilMs) {
      return { state: { state: 'verifying', term: event.term }, commands: [{ kind: 'renew', term: event.term }] };
    }
    return lead(event.term, trustedUntilMs);
  }
  if (event.kind === 'take-over-lost') return stay(FOLLOWING);
  // Unanswered: it may have won; then the next read shows another term, and the count begins anew. If it did not win
  // (a lock held by a half-dead leader), what was seen of the lease is as true as before, and the next read tries again.
  if (event.kind === 'take-over-unanswered')
    return stay({ state: 'following', lease: state.lease, stood: state.stood });
  return stay(state);
}

function lead(term: number, trustedUntilMs: number): Step {
  return { state: { state: 'leading', term, trustedUntilMs }, commands: [{ kind: 'begin-work', term }] };
}

function onVerification(
  state: Extract<ElectionState, { state: 'verifying' }>,
  event: ElectionEvent,
  times: ElectionTimes,
): Step {
  if (event.kind === 'renewed' && event.attempt.endedMs < trustedUntil(event.attempt, times)) {
    return lead(state.term, trustedUntil(event.attempt, times));
  }
  if (event.kind === 'renewed' || event.kind === 'renewal-refused' || event.kind === 'trust-ended')
    return stay(FOLLOWING);
  return stay(state);
}

function onLeading(
  state: Extract<ElectionState, { state: 'leading' }>,
  event: ElectionEvent,
  times: ElectionTimes,
): Step {
  switch (event.kind) {
    case 'renewed':
      return stay({ ...state, trustedUntilMs: Math.max(state.trustedUntilMs, trustedUntil(event.attempt, times)) });
    case 'renewal-refused':
      return stepDown(state.term, false, 'another node leads under a newer term');
    case 'trust-ended':
      return stepDown(state.term, true, 'the lease could not be renewed in time');
    case 'not-eligible':
      return stepDown(state.term, true, event.why);
    default:
      return stay(state);
  }
}

function stepDown(term: number, release: boolean, why: string): Step {
  return { state: { state: 'stepping-down', term, release, why }, commands: [{ kind: 'end-work', why }] };
}

function onSteppingDown(state: Extract<ElectionState, { state: 'stepping-down' }>, event: ElectionEvent): Step {
  if (event.kind === 'work-left-behind') return stay(FOLLOWING);
  if (event.kind !== 'work-settled') return stay(state);
  const commands: ElectionCommand[] = state.release ? [{ kind: 'release', term: state.term, why: state.why }] : [];
  return { state: FOLLOWING, commands };
}
