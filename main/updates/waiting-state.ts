import {
  type Draining,
  type NodeFacts,
  stay,
  UPDATE_LIMITS,
  type UpdateCommand,
  type UpdateEvent,
  type UpdateSettings,
  type UpdateStep,
  type Wait,
  type Waiting,
} from './update-model.ts';

/** A version that is ready: what it waits for, and when it is its turn. Pure. */

const NOTHING: Wait = { for: 'nothing', node: '' };

/** The beginning of waiting. */
export function waitingFor(version: string, hasFailedHere: boolean, nextCheckMs: number): Waiting {
  return {
    state: 'waiting',
    version,
    isAsked: false,
    wait: NOTHING,
    jobsSinceMs: null,
    claimAtMs: 0,
    isClaiming: false,
    offWhy: null,
    postponedUntilMs: null,
    hasFailedHere,
    nextCheckMs,
  };
}

/** A step of waiting. */
export function waiting(state: Waiting, event: UpdateEvent, facts: NodeFacts, settings: UpdateSettings): UpdateStep {
  const { nowMs } = facts;
  switch (event.kind) {
    case 'install-asked':
      return wanting({ ...state, isAsked: true, postponedUntilMs: null, claimAtMs: 0 }, facts, settings);
    case 'postponed': {
      const postponedUntilMs = nowMs + UPDATE_LIMITS.postponeMs;
      return stay({ ...state, isAsked: false, postponedUntilMs, wait: { for: 'postponed', node: '' } });
    }
    case 'feed-off':
      // a turn that was asked for is to be given back first
      return stay(state.isClaiming ? { ...state, offWhy: event.why } : { state: 'off', why: event.why });
    case 'feed-on':
      return stay({ ...state, offWhy: null });
    case 'claimed':
      return claimed(state, event.turn, facts);
    case 'refused':
      if (state.offWhy !== null) return stay({ state: 'off', why: state.offWhy });
      return stay({ ...state, isClaiming: false, wait: event.wait, claimAtMs: nowMs + UPDATE_LIMITS.claimMs });
    case 'found':
      if (event.version === state.version || state.isClaiming) return stay(state);
      return { state: { state: 'downloading', version: event.version, percent: 0 }, commands: [{ do: 'download' }] };
    case 'none':
      // the feed has taken it back
      if (state.isClaiming) return stay(state);
      return stay({ state: 'idle', why: '', nextCheckMs: nowMs + settings.checkMs });
    case 'check-asked':
      return { state: { ...state, nextCheckMs: nowMs + settings.checkMs }, commands: [{ do: 'check' }] };
    case 'tick':
      return wanting(state, facts, settings);
    default:
      return stay(state);
  }
}

/** Asks for the turn when nothing on this node stands against it. */
function wanting(state: Waiting, facts: NodeFacts, { checkMs }: UpdateSettings): UpdateStep {
  const { nowMs } = facts;
  if (state.isClaiming) return stay(state);
  if (nowMs >= state.nextCheckMs && !state.isAsked)
    return { state: { ...state, nextCheckMs: nowMs + checkMs }, commands: [{ do: 'check' }] };
  const hindrance = localWait(state, facts);
  const jobsSinceMs = hindrance === null && facts.jobs > 0 ? (state.jobsSinceMs ?? nowMs) : null;
  const now = { ...state, jobsSinceMs };
  const isPatient = jobsSinceMs !== null && nowMs - jobsSinceMs < UPDATE_LIMITS.patienceMs;
  const wait = hindrance ?? (isPatient && !state.isAsked ? 'jobs' : null);
  if (wait !== null) return stay({ ...now, wait: { for: wait, node: '' } });
  if (nowMs < state.claimAtMs) return stay(now);
  if (facts.agent !== 'up') return drain(now, null, facts);
  const { version, isAsked } = state;
  return { state: { ...now, isClaiming: true }, commands: [{ do: 'claim', version, isAsked }] };
}

/** What on this node stands against it besides jobs; whatever it is, a person who asked passes it when nothing runs. */
function localWait(state: Waiting, facts: NodeFacts): Wait['for'] | null {
  if (facts.agent === 'unclear') return 'agent-down';
  if (state.isAsked) return null;
  if (state.hasFailedHere) return 'failed-here';
  if (state.postponedUntilMs !== null && facts.nowMs < state.postponedUntilMs) return 'postponed';
  if (!facts.canInstallAlone) return 'needs-person';
  if (facts.agent === 'down' || facts.agent === 'waiting') return 'agent-down';
  return facts.isInWindow ? null : 'window';
}

/** What was said while the cluster was asked holds: then the turn goes back. */
function claimed(state: Waiting, turn: number, facts: NodeFacts): UpdateStep {
  const { version, offWhy } = state;
  const wait = localWait(state, facts);
  const commands: UpdateCommand[] = [{ do: 'report', turn, outcome: 'given-up', version }];
  if (offWhy !== null) return { state: { state: 'off', why: offWhy }, commands };
  if (wait === null) return drain(state, turn, facts);
  const claimAtMs = facts.nowMs + UPDATE_LIMITS.claimMs;
  return { state: { ...state, isClaiming: false, wait: { for: wait, node: '' }, claimAtMs }, commands };
}

function drain(
  { version, isAsked, hasFailedHere }: Waiting,
  turn: number | null,
  { nowMs, agent, isPaused }: NodeFacts,
): UpdateStep {
  const state: Draining = {
    state: 'draining',
    version,
    isAsked,
    turn,
    sinceMs: nowMs,
    heldMs: nowMs,
    wasPaused: isPaused,
    hasFailedHere,
    calmSinceMs: null,
    isClearing: false,
  };
  return { state, commands: agent === 'up' ? [{ do: 'pause' }] : [] };
}
