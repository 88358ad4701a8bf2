import { draining } from './draining-state.ts';
import {
  MINUTE_MS,
  type NodeFacts,
  stay,
  UPDATE_LIMITS,
  type UpdateEvent,
  type UpdateSettings,
  type UpdateState,
  type UpdateStep,
} from './update-model.ts';
import { waiting, waitingFor } from './waiting-state.ts';

/**
 * The life of an update on this node (README.md has the drawing). Pure: time and what is known of the node come in as
 * `facts` with every event; what is to be done goes out as commands.
 */

/** Without a feed these end at once; what has a turn gives it back first, and what replaces the program goes on. */
const DROPPED: readonly UpdateState['state'][] = ['off', 'idle', 'checking', 'downloading', 'ready'];

/** The next state and what is to be done. */
export function nextUpdate(
  state: UpdateState,
  event: UpdateEvent,
  facts: NodeFacts,
  settings: UpdateSettings,
): UpdateStep {
  const isDropped = event.kind === 'feed-off' && DROPPED.includes(state.state);
  if (isDropped) return stay({ state: 'off', why: event.why });
  switch (state.state) {
    case 'off':
      return event.kind === 'feed-on' ? stay({ state: 'idle', why: '', nextCheckMs: facts.nowMs }) : stay(state);
    case 'idle':
      return idle(state, event, facts);
    case 'checking':
      return checking(state, event, facts, settings);
    case 'downloading':
      return downloading(state, event, facts, settings);
    case 'ready':
      return ready(state, event, facts.nowMs + settings.checkMs);
    case 'waiting':
      return waiting(state, event, facts, settings);
    case 'draining':
      return draining(state, event, facts);
    case 'installing':
      return installing(state, event, facts, settings);
    case 'confirming':
      return confirming(state, event, facts, settings);
    case 'rolling-back':
      if (event.kind !== 'roll-back-failed') return stay(state);
      return stay({ state: 'idle', why: '', nextCheckMs: facts.nowMs + settings.checkMs });
  }
}

function ready(
  { version, hasFailedHere }: UpdateState & { state: 'ready' },
  event: UpdateEvent,
  nextCheckMs: number,
): UpdateStep {
  return stay({ ...waitingFor(version, hasFailedHere, nextCheckMs), isAsked: event.kind === 'install-asked' });
}

function idle(state: UpdateState & { state: 'idle' }, event: UpdateEvent, { nowMs }: NodeFacts): UpdateStep {
  const isDue = event.kind === 'tick' && nowMs >= state.nextCheckMs;
  return isDue || event.kind === 'check-asked'
    ? { state: { state: 'checking' }, commands: [{ do: 'check' }] }
    : stay(state);
}

function checking(
  state: UpdateState,
  event: UpdateEvent,
  { nowMs }: NodeFacts,
  { checkMs }: UpdateSettings,
): UpdateStep {
  if (event.kind === 'found')
    return { state: { state: 'downloading', version: event.version, percent: 0 }, commands: [{ do: 'download' }] };
  if (event.kind === 'none') return stay({ state: 'idle', why: '', nextCheckMs: nowMs + checkMs });
  if (event.kind === 'failed') return stay({ state: 'idle', why: event.why, nextCheckMs: nowMs + checkMs });
  return stay(state);
}

function downloading(
  state: UpdateState & { state: 'downloading' },
  event: UpdateEvent,
  { nowMs }: NodeFacts,
  { checkMs }: UpdateSettings,
): UpdateStep {
  if (event.kind === 'progress') return stay({ ...state, percent: Math.min(100, Math.max(0, event.percent)) });
  if (event.kind === 'downloaded')
    return stay({ state: 'ready', version: event.version, hasFailedHere: event.hasFailedHere });
  if (event.kind === 'failed') return stay({ state: 'idle', why: event.why, nextCheckMs: nowMs + checkMs });
  return stay(state);
}

function installing(
  state: UpdateState & { state: 'installing' },
  event: UpdateEvent,
  { nowMs }: NodeFacts,
  { checkMs }: UpdateSettings,
): UpdateStep {
  if (event.kind !== 'install-failed') return stay(state);
  const { version, turn } = state;
  return {
    state: { state: 'idle', why: event.why, nextCheckMs: nowMs + checkMs, notInstalled: version },
    commands: [{ do: 'start-agent' }, { do: 'report', turn, outcome: 'given-up', version }],
  };
}

function confirming(
  state: UpdateState & { state: 'confirming' },
  event: UpdateEvent,
  facts: NodeFacts,
  { checkMs }: UpdateSettings,
): UpdateStep {
  if (event.kind !== 'tick') return stay(state);
  const { nowMs, agent, isRefused } = facts;
  const { version, turn } = state;
  // the version before it would be outdated all the more
  const isUp = agent === 'up' || agent === 'set-up' || agent === 'outdated';
  const upSinceMs = isUp ? (state.upSinceMs ?? nowMs) : null;
  const waitingSinceMs = agent === 'waiting' ? (state.waitingSinceMs ?? nowMs) : null;
  const now = { ...state, upSinceMs, waitingSinceMs };
  const idle: UpdateState = { state: 'idle', why: '', nextCheckMs: nowMs + checkMs };
  if (isSince(upSinceMs, UPDATE_LIMITS.stableMs, nowMs) || isSince(waitingSinceMs, UPDATE_LIMITS.waitingMs, nowMs)) {
    const report = { do: 'report', turn, outcome: 'installed', version } as const;
    return { state: idle, commands: [{ do: 'confirm', version }, report] };
  }
  if (isRefused || nowMs > state.untilMs) {
    const why = isRefused ? REFUSED : `Its agent was not ready within ${UPDATE_LIMITS.confirmMs / MINUTE_MS} minutes.`;
    const next: UpdateState = state.canGoBack ? { state: 'rolling-back', version, turn, why } : idle;
    return { state: next, commands: [{ do: 'roll-back', version, why }] };
  }
  if (turn === null || agent !== 'up' || nowMs - state.heldMs < UPDATE_LIMITS.holdMs) return stay(now);
  return { state: { ...now, heldMs: nowMs }, commands: [{ do: 'hold', turn, isInstalling: true }] };
}

const REFUSED = 'The database refused the changes of its tables that it needs.';

const isSince = (sinceMs: number | null, limitMs: number, nowMs: number) =>
  sinceMs !== null && nowMs - sinceMs >= limitMs;
