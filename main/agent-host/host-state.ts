import { EXIT, LINK_PROTOCOL } from '../../agent/contract/index.ts';
import {
  BACKOFF_LONGEST_MS,
  isLongestWait,
  LOOP_SILENCE_LIMIT_MS,
  restartWaitMs,
  SPAWN_BUDGET,
  SPAWN_WINDOW_MS,
  STABLE_MS,
  START_LIMIT_MS,
  STOP_ASK_MS,
  STOP_ASK_UNRESPONSIVE_MS,
  STOP_TERM_MS,
  THREAD_SILENCE_LIMIT_MS,
  TICK_MS,
  UNRESPONSIVE_MS,
} from './host-limits.ts';

import type {
  EndWhy,
  HostCommand,
  HostEvent,
  HostState,
  HostStateName,
  HostStep,
  RunEnd,
  Silence,
  Situation,
  StopWhy,
} from './host-situation.ts';

/**
 * The supervisor's state machine. Pure: time (monotonic milliseconds) and chance come in with the events. It decides
 * whether an agent should run, whether the one that runs is alive, and when to try again; `agent-host.ts` performs the
 * commands. The README draws it.
 */

/** Before the first start. */
export const initialHost: HostState = {
  state: 'stopped',
  sinceMs: 0,
  why: 'never-started',
  failures: 0,
  spawnedMs: [],
  lastEnd: null,
  goodbye: null,
};

/** Whether a child process exists in this state. */
export function hasChild(state: HostStateName): boolean {
  return state === 'starting' || state === 'running' || state === 'unresponsive' || state === 'stopping';
}

/**
 * How long a tick would change nothing, milliseconds: while the agent runs and speaks, nothing can be judged before its
 * silence would be too long. Otherwise the shortest time between two looks.
 */
export function waitToJudge(state: HostState, nowMs: number): number {
  if (state.state !== 'running') return TICK_MS;
  const silentMs = state.silence.loopMs + (nowMs - state.silence.loopCountedMs);
  return Math.min(UNRESPONSIVE_MS, Math.max(TICK_MS, UNRESPONSIVE_MS - silentMs));
}

const PERMANENT: Partial<Record<number, StopWhy>> = {
  [EXIT.configInvalid]: 'config-invalid',
  [EXIT.schemaTooNew]: 'schema-too-new',
  [EXIT.otherCluster]: 'other-cluster',
};

const stay = (state: HostState): HostStep => ({ state, commands: [] });

function go(from: HostState, to: Situation, commands: HostCommand[] = [], memory: Partial<HostState> = {}): HostStep {
  const { failures, spawnedMs, lastEnd, goodbye } = { ...from, ...memory };
  return { state: { ...to, failures, spawnedMs, lastEnd, goodbye }, commands };
}

/** The step that follows an event. */
export function nextHost(state: HostState, event: HostEvent): HostStep {
  switch (event.kind) {
    case 'start-asked':
    case 'restart-asked':
      return onStartAsked(state, event.nowMs, event.kind === 'restart-asked');
    case 'stop-asked':
      return onStopAsked(state, event.nowMs);
    case 'config-changed':
      return onConfigChanged(state, event.nowMs);
    case 'hello':
      return onHello(state, event.nowMs, event.protocol);
    case 'beat-loop':
    case 'beat-thread':
      return onBeat(state, event.nowMs, event.kind === 'beat-loop');
    case 'thread-lost':
      return isUp(state) ? stay({ ...state, silence: { ...state.silence, hasThread: false } }) : stay(state);
    case 'goodbye':
      return onGoodbye(state, event);
    case 'exited':
      return hasChild(state.state) ? onExited(state, event.nowMs, event.end, event.random) : stay(state);
    case 'tick':
      return onTick(state, event.nowMs, event.mainWasLate);
  }
}

type Up = Extract<HostState, { state: 'running' | 'unresponsive' }>;
function isUp(state: HostState): state is Up {
  return state.state === 'running' || state.state === 'unresponsive';
}

/** Starts within the window that ends at `atMs`. */
function spawnsBefore(state: HostState, atMs: number): number[] {
  return state.spawnedMs.filter((spawnedMs) => spawnedMs > atMs - SPAWN_WINDOW_MS);
}

function spawn(state: HostState, nowMs: number, memory: Partial<HostState> = {}): HostStep {
  const starting: Situation = { state: 'starting', sinceMs: nowMs, waitedMs: 0, countedMs: nowMs };
  const spawnedMs = [...spawnsBefore(state, nowMs), nowMs];
  return go(state, starting, [{ kind: 'spawn' }], { ...memory, spawnedMs, goodbye: null });
}

/** Plans the next start `waitMs` from now, or as soon after as the budget of starts allows. */
function planStart(state: HostState, nowMs: number, waitMs: number): HostStep {
  const wishedMs = nowMs + waitMs;
  const atWish = spawnsBefore(state, wishedMs);
  // The budget is free again when the start that is `SPAWN_BUDGET` starts back has left the window.
  const blocking = atWish.length >= SPAWN_BUDGET ? atWish.at(-SPAWN_BUDGET) : undefined;
  const gaveUp = blocking !== undefined || isLongestWait(state.failures);
  const untilMs =
    blocking === undefined ? wishedMs : Math.max(wishedMs, nowMs + BACKOFF_LONGEST_MS, blocking + SPAWN_WINDOW_MS);
  const to = gaveUp ? ('gave-up-for-now' as const) : ('backing-off' as const);
  return go(state, { state: to, sinceMs: nowMs, untilMs }, [{ kind: 'wake', atMs: untilMs }]);
}

// A person asks: no wait, no budget, and the count of failures begins anew.
function onStartAsked(state: HostState, nowMs: number, again: boolean): HostStep {
  switch (state.state) {
    case 'stopped':
    case 'backing-off':
    case 'gave-up-for-now':
      return spawn(state, nowMs, { failures: 0, lastEnd: null });
    case 'stopping':
      return stay({ ...state, afterwards: 'start' });
    case 'starting':
    case 'running':
    case 'unresponsive':
      return again ? askToEnd(state, nowMs, 'start') : stay(state);
  }
}

function onStopAsked(state: HostState, nowMs: number): HostStep {
  if (state.state === 'stopped') return stay(state);
  if (state.state === 'stopping') return stay({ ...state, afterwards: 'stop' });
  if (hasChild(state.state)) return askToEnd(state, nowMs, 'stop');
  return stopped(state, nowMs);
}

// A stop that a person wanted is no failure, and earlier failures are history.
function stopped(state: HostState, nowMs: number): HostStep {
  return go(state, { state: 'stopped', sinceMs: nowMs, why: 'asked' }, [], { failures: 0, lastEnd: null });
}

function askToEnd(state: HostState, nowMs: number, afterwards: 'stop' | 'start'): HostStep {
  const leftMs = state.state === 'unresponsive' ? STOP_ASK_UNRESPONSIVE_MS : STOP_ASK_MS;
  return go(
    state,
    { state: 'stopping', sinceMs: nowMs, why: 'asked', afterwards, means: 'ask', leftMs, countedMs: nowMs },
    [{ kind: 'ask-stop' }],
  );
}

function kill(state: HostState, nowMs: number, why: EndWhy): HostStep {
  const killed: Situation = {
    state: 'stopping',
    sinceMs: nowMs,
    why,
    afterwards: 'fail',
    means: 'kill',
    leftMs: STOP_TERM_MS,
    countedMs: nowMs,
  };
  return go(state, killed, [{ kind: 'kill' }]);
}

// Not asked for by a person but by a file: the wait is skipped, the budget of starts is not.
function onConfigChanged(state: HostState, nowMs: number): HostStep {
  const waits = state.state === 'backing-off' || state.state === 'gave-up-for-now';
  const mayBeMended = state.state === 'stopped' && state.why !== 'asked' && state.why !== 'never-started';
  if (!waits && !mayBeMended) return stay(state);
  if (spawnsBefore(state, nowMs).length < SPAWN_BUDGET) return spawn(state, nowMs, { failures: 0, lastEnd: null });
  return waits ? stay(state) : planStart(state, nowMs, 0);
}

function onHello(state: HostState, nowMs: number, protocol: number): HostStep {
  if (state.state !== 'starting') return stay(state);
  if (protocol !== LINK_PROTOCOL) return kill(state, nowMs, 'protocol');
  const silence: Silence = {
    loopMs: 0,
    loopCountedMs: nowMs,
    threadMs: 0,
    threadCountedMs: nowMs,
    hasThread: false,
  };
  return go(state, { state: 'running', sinceMs: nowMs, silence, helloMs: nowMs });
}

function onBeat(state: HostState, nowMs: number, ofLoop: boolean): HostStep {
  if (!isUp(state)) return stay(state);
  const heard = { threadMs: 0, threadCountedMs: nowMs };
  if (!ofLoop) return stay({ ...state, silence: { ...state.silence, ...heard, hasThread: true } });
  const silence: Silence = { ...state.silence, ...heard, loopMs: 0, loopCountedMs: nowMs };
  if (state.state === 'running') return stay({ ...state, silence });
  return go(state, { state: 'running', sinceMs: nowMs, silence, helloMs: state.helloMs });
}

// Usually before the exit; but the order of the two is not promised, so a late one may still turn a retry into a stop.
function onGoodbye(state: HostState, event: { nowMs: number; code: number; reason: string }): HostStep {
  const goodbye = { code: event.code, reason: event.reason };
  const why = PERMANENT[event.code];
  const isLate = state.state === 'backing-off' || state.state === 'gave-up-for-now';
  if (isLate && why !== undefined && state.lastEnd?.code === event.code)
    return go(state, { state: 'stopped', sinceMs: event.nowMs, why }, [], { goodbye });
  return stay({ ...state, goodbye });
}

function onExited(state: HostState, nowMs: number, end: RunEnd, random: number): HostStep {
  if (state.state === 'stopping') {
    if (state.afterwards === 'stop') return stopped(state, nowMs);
    if (state.afterwards === 'start') return spawn(state, nowMs, { failures: 0, lastEnd: null });
    if (state.why === 'protocol')
      return go(state, { state: 'stopped', sinceMs: nowMs, why: 'protocol' }, [], {
        lastEnd: { ...end, endedFor: state.why },
      });
    return failed(state, nowMs, end, random);
  }
  const why = end.code === null ? undefined : PERMANENT[end.code];
  // Where codes and signals look alike (an abort is a "6"), only the agent's own word makes an end permanent.
  const isSure = end.isCodeCertain || state.goodbye?.code === end.code;
  if (why !== undefined && isSure)
    return go(state, { state: 'stopped', sinceMs: nowMs, why }, [], { lastEnd: { ...end, endedFor: null } });
  return failed(state, nowMs, end, random);
}

function failed(state: HostState, nowMs: number, end: RunEnd, random: number): HostStep {
  const failures = state.failures + 1;
  const endedFor = state.state === 'stopping' ? state.why : null;
  return planStart({ ...state, failures, lastEnd: { ...end, endedFor } }, nowMs, restartWaitMs(failures, random));
}

function onTick(state: HostState, nowMs: number, mainWasLate: boolean): HostStep {
  const counted = (sinceMs: number) => (mainWasLate ? 0 : Math.max(0, nowMs - sinceMs));
  switch (state.state) {
    case 'stopped':
      return stay(state);
    case 'backing-off':
    case 'gave-up-for-now':
      if (nowMs >= state.untilMs) return spawn(state, nowMs);
      return stay(state);
    case 'starting': {
      const waitedMs = state.waitedMs + counted(state.countedMs);
      if (waitedMs >= START_LIMIT_MS) return kill(state, nowMs, 'no-hello');
      return stay({ ...state, waitedMs, countedMs: nowMs });
    }
    case 'stopping':
      return onTickWhileStopping(state, nowMs, state.leftMs - counted(state.countedMs));
    case 'running':
    case 'unresponsive':
      return onTickWhileUp(state, nowMs, counted);
  }
}

function onTickWhileUp(state: Up, nowMs: number, counted: (sinceMs: number) => number): HostStep {
  const silence: Silence = {
    ...state.silence,
    loopMs: state.silence.loopMs + counted(state.silence.loopCountedMs),
    loopCountedMs: nowMs,
    threadMs: state.silence.threadMs + counted(state.silence.threadCountedMs),
    threadCountedMs: nowMs,
  };
  if (silence.hasThread && silence.threadMs >= THREAD_SILENCE_LIMIT_MS) return kill(state, nowMs, 'process-silent');
  if (silence.loopMs >= LOOP_SILENCE_LIMIT_MS) return kill(state, nowMs, 'loop-silent');
  const isSilent = silence.loopMs >= UNRESPONSIVE_MS;
  if (state.state === 'running' && isSilent)
    return go(state, { state: 'unresponsive', sinceMs: nowMs, silence, helloMs: state.helloMs });
  const isStable = state.state === 'running' && nowMs - state.helloMs >= STABLE_MS;
  return stay({ ...state, silence, failures: isStable ? 0 : state.failures });
}

type Stopping = Extract<HostState, { state: 'stopping' }>;
function onTickWhileStopping(state: Stopping, nowMs: number, leftMs: number): HostStep {
  if (leftMs > 0) return stay({ ...state, leftMs, countedMs: nowMs });
  // A process in an uninterruptible call dies only when the call returns; until then nothing else may be started.
  const means = state.means === 'ask' ? 'terminate' : 'kill';
  return { state: { ...state, means, leftMs: STOP_TERM_MS, countedMs: nowMs }, commands: [{ kind: means }] };
}
