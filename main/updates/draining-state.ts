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
  switch (event.kind) {
    case 'turn-lost':
      return giveUp(state, facts, 'another-updates');
    case 'hold-failed':
      return giveUp(state, facts, 'trouble');
    case 'postponed':
      return giveUp(state, facts, 'postponed');
    case 'feed-off':
      return { ...giveUp(state, facts, 'nothing'), state: { state: 'off', why: event.why } };
    case 'install-asked':
      return stay({ ...state, isAsked: true, sinceMs: facts.nowMs });
    case 'cleared':
    case 'tick':
      return looked(state, event.kind, facts);
    default:
      return stay(state);
  }
}

function looked(state: Draining, kind: 'cleared' | 'tick', facts: NodeFacts): UpdateStep {
  // the answer to an earlier draining
  if (kind === 'cleared' && !state.isClearing) return stay(state);
  const isClearing = state.isClearing && kind !== 'cleared';
  if (!isClearing) {
    const wait = hindrance(state, facts);
    if (wait !== null) return giveUp(state, facts, wait);
  }
  if (kind === 'cleared') return mayInstall(state, facts) ? install(state) : stay({ ...state, isClearing });
  return isClearing ? stay(state) : drainOn(state, facts);
}

/** What has come up since draining began. Without a turn nothing is installed under a node that has begun after all. */
function hindrance({ turn, isAsked }: Draining, { agent, isInWindow }: NodeFacts): Wait['for'] | null {
  if (turn === null && (agent === 'up' || agent === 'unclear')) return 'nothing';
  if (isAsked) return null;
  if (agent === 'down' || agent === 'waiting' || agent === 'unclear') return 'agent-down';
  return isInWindow ? null : 'window';
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
  if (nowMs - state.sinceMs > limitMs) return giveUp(state, facts, facts.jobs > 0 ? 'jobs' : 'trouble');
  if (state.turn === null || nowMs - state.heldMs < UPDATE_LIMITS.holdMs) return stay(state);
  return {
    state: { ...state, heldMs: nowMs },
    commands: [{ do: 'hold', turn: state.turn, isInstalling: false }],
  };
}

/** A paused node without jobs that does not lead; where none runs there is nothing to wait for. */
function isAtRest({ agent, jobs, isLeading, isPaused }: NodeFacts): boolean {
  if (agent === 'unclear') return false;
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

/** Waits again; whoever asked has asked still, but for one who wants it later. */
function giveUp(state: Draining, { nowMs }: NodeFacts, why: Wait['for']): UpdateStep {
  const { version, turn, wasPaused, hasFailedHere } = state;
  const commands: UpdateCommand[] = wasPaused || turn === null ? [] : [{ do: 'resume' }];
  if (turn !== null) commands.push({ do: 'report', turn, outcome: 'given-up', version });
  const back = waitingFor(version, hasFailedHere, nowMs + HOUR_MS);
  const isAsked = state.isAsked && why !== 'postponed';
  const postponedUntilMs = why === 'postponed' ? nowMs + UPDATE_LIMITS.postponeMs : null;
  const jobsSinceMs = why === 'jobs' ? nowMs : null;
  const claimAtMs = nowMs + UPDATE_LIMITS.claimMs;
  const wait = { for: why, node: '' };
  return { state: { ...back, isAsked, wait, postponedUntilMs, jobsSinceMs, claimAtMs }, commands };
}
