import {
  type Draining,
  type NodeFacts,
  stay,
  UPDATE_LIMITS,
  type UpdateCommand,
  type UpdateEvent,
  type UpdateStep,
  type Wait,
} from './update-model.ts';
import { waitingFor } from './waiting-state.ts';

/** A node that comes to rest before it installs: the only way to an installation. Pure. */

const HOUR_MS = 3_600_000;

/** A step of draining. */
export function draining(state: Draining, event: UpdateEvent, facts: NodeFacts): UpdateStep {
  if (event.kind === 'turn-lost') return giveUp(state, facts, { for: 'another-updates', node: '' });
  if (event.kind === 'install-asked') return stay({ ...state, isAsked: true, sinceMs: facts.nowMs });
  if (event.kind === 'postponed') return giveUp(state, facts, { for: 'postponed', node: '' });
  if (event.kind === 'cleared')
    return mayInstall(state, facts) ? install(state) : stay({ ...state, isClearing: false });
  if (event.kind !== 'tick' || state.isClearing) return stay(state);
  if ((facts.agent === 'down' || facts.agent === 'waiting') && !state.isAsked)
    return giveUp(state, facts, { for: 'agent-down', node: '' });
  return drainOn(state, facts);
}

function drainOn(before: Draining, facts: NodeFacts): UpdateStep {
  const { nowMs } = facts;
  const calmSinceMs = isAtRest(facts) ? (before.calmSinceMs ?? nowMs) : null;
  const state = { ...before, calmSinceMs };
  if (mayInstall(state, facts)) {
    if (state.turn === null) return install(state);
    return { state: { ...state, isClearing: true }, commands: [{ do: 'hold', turn: state.turn, isInstalling: true }] };
  }
  const limitMs = state.isAsked ? UPDATE_LIMITS.askedDrainMs : UPDATE_LIMITS.drainMs;
  if (nowMs - state.sinceMs > limitMs)
    return giveUp(state, facts, { for: facts.jobs > 0 ? 'jobs' : 'trouble', node: '' });
  if (state.turn === null || nowMs - state.heldMs < UPDATE_LIMITS.holdMs) return stay(state);
  return {
    state: { ...state, heldMs: nowMs },
    commands: [{ do: 'hold', turn: state.turn, isInstalling: false }],
  };
}

/** A paused node without jobs that does not lead; without an agent there is nothing to wait for. */
function isAtRest({ agent, jobs, isLeading, isPaused }: NodeFacts): boolean {
  return agent === 'up' ? isPaused && jobs === 0 && !isLeading : true;
}

/** Never while it leads; never while jobs run, but for a person who asked and has waited for them a while. */
function mayInstall({ isAsked, calmSinceMs, sinceMs }: Draining, facts: NodeFacts): boolean {
  const { nowMs } = facts;
  if (isAtRest(facts) && calmSinceMs !== null && nowMs - calmSinceMs >= UPDATE_LIMITS.calmMs) return true;
  return isAsked && facts.isPaused && !facts.isLeading && nowMs - sinceMs > UPDATE_LIMITS.askedDrainMs;
}

function install({ version, turn, wasPaused }: Draining): UpdateStep {
  return { state: { state: 'installing', version, turn, wasPaused }, commands: [{ do: 'install', version, turn }] };
}

function giveUp(state: Draining, { nowMs }: NodeFacts, wait: Wait): UpdateStep {
  const { version, turn, wasPaused, hasFailedHere } = state;
  const commands: UpdateCommand[] = wasPaused ? [] : [{ do: 'resume' }];
  if (turn !== null) commands.push({ do: 'report', turn, outcome: 'given-up', version });
  const back = waitingFor(version, hasFailedHere, nowMs + HOUR_MS);
  const postponedUntilMs = wait.for === 'postponed' ? nowMs + UPDATE_LIMITS.postponeMs : null;
  const jobsSinceMs = wait.for === 'jobs' ? nowMs : null;
  const claimAtMs = nowMs + UPDATE_LIMITS.claimMs;
  return { state: { ...back, wait, postponedUntilMs, jobsSinceMs, claimAtMs }, commands };
}
