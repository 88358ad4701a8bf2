// Whether a node may go on taking jobs of one role. Pure: the clock and chance come in with the events.

/** What a role has been doing on this node. */
export type QuarantineState =
  /** Takes jobs. `jobIds` are those that failed one after the other with `code`; `rests` counts rests without a success since. */
  | { state: 'working'; code: string | null; jobIds: readonly string[]; rests: number }
  /** Takes none until `untilMs`. */
  | { state: 'resting'; trouble: Trouble; untilMs: number; rests: number }
  /** Its self-test runs. */
  | { state: 'testing'; trouble: Trouble; rests: number }
  /** Takes one job at a time until one of them shows how it stands. */
  | { state: 'probing'; trouble: Trouble; rests: number };

/** Why a role rests. */
export interface Trouble {
  code: string;
  /** The last error, in words. */
  message: string;
  /** Wall clock, milliseconds; a label. */
  sinceMs: number;
}

/** What happened. `chance` is uniform in [0, 1); `nowMs` is monotonic. */
export type QuarantineEvent =
  | { kind: 'job-failed'; jobId: string; code: string; message: string; nowMs: number; wallMs: number; chance: number }
  | { kind: 'job-done' }
  | { kind: 'tick'; nowMs: number; hasSelfTest: boolean }
  | { kind: 'test-passed' }
  | { kind: 'test-failed'; message: string; nowMs: number; chance: number };

/** Different jobs in a row that must fail with one code. One file, however often it is tried, proves nothing. */
export const FAILURES_TO_REST = 5;
const REST = { baseMs: 30_000, capMs: 10 * 60_000 };

/** A role that nothing is known against. */
export const WORKING: QuarantineState = { state: 'working', code: null, jobIds: [], rests: 0 };

/** Longer after each rest that did not help, and spread, so that many nodes do not come back in step. */
const restMs = (rests: number, chance: number): number =>
  Math.min(REST.capMs, REST.baseMs * 2 ** Math.min(rests, 10)) * (0.75 + 0.5 * chance);

function rest(trouble: Trouble, rests: number, event: { nowMs: number; chance: number }): QuarantineState {
  return { state: 'resting', trouble, untilMs: event.nowMs + restMs(rests, event.chance), rests: rests + 1 };
}

function failed(state: QuarantineState, event: Extract<QuarantineEvent, { kind: 'job-failed' }>): QuarantineState {
  const { code, message, jobId, wallMs: sinceMs } = event;
  // Jobs that were running when the rest began: nothing new.
  if (state.state === 'resting' || state.state === 'testing') return state;
  if (state.state === 'probing') return rest({ ...state.trouble, code, message }, state.rests, event);
  const before = state.code === code ? state.jobIds.filter((id) => id !== jobId) : [];
  const jobIds = [...before, jobId];
  if (jobIds.length >= FAILURES_TO_REST) return rest({ code, message, sinceMs }, state.rests, event);
  return { state: 'working', code, jobIds, rests: state.rests };
}

function tested(state: QuarantineState, event: QuarantineEvent): QuarantineState {
  if (state.state !== 'testing') return state;
  if (event.kind === 'test-failed') {
    return rest({ ...state.trouble, message: event.message }, state.rests, event);
  }
  // A single file that fails must not undo what the test has shown; only that the next rest is longer is remembered.
  return { ...WORKING, rests: state.rests };
}

/** The state after an event. `testing` asks for a self-test; its result comes back as an event. */
export function nextQuarantine(state: QuarantineState, event: QuarantineEvent): QuarantineState {
  switch (event.kind) {
    case 'job-failed':
      return failed(state, event);
    case 'job-done':
      return state.state === 'working' || state.state === 'probing' ? WORKING : state;
    case 'tick':
      if (state.state !== 'resting' || event.nowMs < state.untilMs) return state;
      return { state: event.hasSelfTest ? 'testing' : 'probing', trouble: state.trouble, rests: state.rests };
    case 'test-passed':
    case 'test-failed':
      return tested(state, event);
  }
}
