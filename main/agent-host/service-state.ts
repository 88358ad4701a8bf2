import { LINK_PROTOCOL } from '../../agent/contract/index.ts';

/**
 * Whether this application runs an agent of its own or belongs to a system service, and how it stands with that. Pure: time
 * (monotonic milliseconds) comes in with the events. `service-host.ts` performs the commands; the README draws it.
 */

/** What a try to connect ended with: nothing is there; what was there has ended; this account may not enter. */
export type Failure = 'absent' | 'refused' | 'forbidden';

/** Where it stands. `nextMs` = when the next try begins; null while one is under way or the connection stands. */
export type ServiceSituation =
  /** Nothing decided yet. */
  | { at: 'looking' }
  /** No service: an agent of our own runs. A service that appears takes its place. */
  | { at: 'own' }
  | { at: 'attached'; version: string; heardMs: number; isSilent: boolean; isRestarting: boolean }
  /** A service is installed, or was there, and does not run. */
  | { at: 'not-running'; isInstalled: boolean; isRestarting: boolean }
  | { at: 'forbidden' }
  | { at: 'other-version'; version: string; protocol: number }
  /** The service was there and is installed no longer. Nothing runs until a person says so, or the next start. */
  | { at: 'removed' };

/** The machine's state. */
export interface ServiceState {
  situation: ServiceSituation;
  sinceMs: number;
  /** Failed tries in a row. */
  tries: number;
  connection: 'none' | 'opening' | 'open';
  /** When the next try begins; null while there is a connection. */
  nextMs: number | null;
}

/** What may happen. */
export type ServiceEvent = { nowMs: number } & (
  | { kind: 'failed'; why: Failure; isInstalled: boolean }
  /** Any message. */
  | { kind: 'heard' }
  | { kind: 'hello'; protocol: number; version: string }
  /** A connection that stood has ended. */
  | { kind: 'lost' }
  | { kind: 'tick'; mainWasLate: boolean }
  /** A person asks for a start (anew). */
  | { kind: 'restart-asked' }
);

/** What the runner is to do. */
export type ServiceCommand = 'connect' | 'disconnect' | 'start-own' | 'stop-own' | 'restart-own' | 'ask-restart';

/** Result of one event. */
export interface ServiceStep {
  state: ServiceState;
  commands: ServiceCommand[];
}

/** A service that appears is seen within this time. One try costs one call of the system. */
const LOOK_MS = 5_000;
/** Back-off of the tries for a service that should be there. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** Of silence until it is shown, and until the connection is made anew. */
const SILENT_MS = 2_250;
const SILENCE_LIMIT_MS = 15_000;

/** Before the first look. */
export const initialService: ServiceState = {
  situation: { at: 'looking' },
  sinceMs: 0,
  tries: 0,
  connection: 'none',
  nextMs: 0,
};

const step = (state: ServiceState, ...commands: ServiceCommand[]): ServiceStep => ({ state, commands });

function enter(state: ServiceState, nowMs: number, situation: ServiceSituation, over: Partial<ServiceState> = {}) {
  const sinceMs = state.situation.at === situation.at ? state.sinceMs : nowMs;
  return { ...state, ...over, situation, sinceMs };
}

function waitMs(tries: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 1.7 ** Math.min(tries, 20));
}

const closed = (nowMs: number, inMs: number): Partial<ServiceState> => ({ connection: 'none', nextMs: nowMs + inMs });

/** The step that follows an event. */
export function nextService(state: ServiceState, event: ServiceEvent): ServiceStep {
  switch (event.kind) {
    case 'failed':
      return onFailed(state, event);
    case 'hello':
      return onHello(state, event);
    case 'heard':
      return step(heard(state, event.nowMs));
    case 'lost':
      return onLost(state, event.nowMs);
    case 'tick':
      return onTick(state, event.nowMs, event.mainWasLate);
    case 'restart-asked':
      return onRestart(state, event.nowMs);
  }
}

function onFailed(
  state: ServiceState,
  { nowMs, why, isInstalled }: Extract<ServiceEvent, { kind: 'failed' }>,
): ServiceStep {
  const { situation } = state;
  const tries = state.tries + 1;
  const later = { ...closed(nowMs, LOOK_MS), tries };
  if (why === 'forbidden') {
    const commands: ServiceCommand[] = situation.at === 'own' ? ['stop-own'] : [];
    return step(enter(state, nowMs, { at: 'forbidden' }, later), ...commands);
  }
  // What an ended service leaves behind is no reason to end an agent that works.
  if (situation.at === 'own') return step({ ...state, ...later });
  if (why === 'absent' && !isInstalled) {
    if (situation.at === 'looking') return step(enter(state, nowMs, { at: 'own' }, later), 'start-own');
    // A service that starts anew takes its socket away for a moment.
    const isMoment = situation.at === 'not-running' && nowMs - state.sinceMs < LONGEST_WAIT_MS;
    if (!isMoment) return step(enter(state, nowMs, { at: 'removed' }, later));
  }
  const isRestarting = situation.at === 'not-running' && situation.isRestarting;
  const next = enter(
    state,
    nowMs,
    { at: 'not-running', isInstalled, isRestarting },
    closed(nowMs, waitMs(state.tries)),
  );
  return step({ ...next, tries });
}

function onHello(
  state: ServiceState,
  { nowMs, protocol, version }: Extract<ServiceEvent, { kind: 'hello' }>,
): ServiceStep {
  const commands: ServiceCommand[] = state.situation.at === 'own' ? ['stop-own'] : [];
  const open = { tries: 0, connection: 'open' as const, nextMs: null };
  if (protocol === LINK_PROTOCOL)
    return step(
      enter(state, nowMs, { at: 'attached', version, heardMs: nowMs, isSilent: false, isRestarting: false }, open),
      ...commands,
    );
  const other = enter(state, nowMs, { at: 'other-version', version, protocol }, closed(nowMs, LONGEST_WAIT_MS));
  return step(other, ...commands, 'disconnect');
}

function heard(state: ServiceState, nowMs: number): ServiceState {
  const { situation } = state;
  if (situation.at !== 'attached') return state;
  const next = { ...situation, heardMs: nowMs, isSilent: false };
  return { ...state, situation: next, sinceMs: situation.isSilent ? nowMs : state.sinceMs };
}

// Soon tried again: an ended service may be replaced already.
function onLost(state: ServiceState, nowMs: number): ServiceStep {
  const { situation } = state;
  const tries = state.tries + 1;
  if (situation.at === 'own') return step({ ...state, ...closed(nowMs, LOOK_MS), tries });
  const isRestarting = 'isRestarting' in situation && situation.isRestarting;
  const over = { ...closed(nowMs, waitMs(state.tries)), tries };
  return step(enter(state, nowMs, { at: 'not-running', isInstalled: true, isRestarting }, over));
}

function onTick(state: ServiceState, nowMs: number, mainWasLate: boolean): ServiceStep {
  if (state.nextMs !== null && nowMs >= state.nextMs)
    return step({ ...state, connection: 'opening', nextMs: null }, 'connect');
  const { situation } = state;
  if (situation.at !== 'attached') return step(state);
  // Time in which main itself stood still proves nothing of the service.
  if (mainWasLate) return step({ ...state, situation: { ...situation, heardMs: nowMs } });
  const silentMs = nowMs - situation.heardMs;
  if (silentMs >= SILENCE_LIMIT_MS) {
    const lost = onLost(state, nowMs);
    return step(lost.state, 'disconnect', ...lost.commands);
  }
  if (situation.isSilent || silentMs < SILENT_MS) return step(state);
  return step({ ...state, situation: { ...situation, isSilent: true }, sinceMs: nowMs });
}

function onRestart(state: ServiceState, nowMs: number): ServiceStep {
  switch (state.situation.at) {
    case 'own':
      return step(state, 'restart-own');
    case 'attached':
      return step({ ...state, situation: { ...state.situation, isRestarting: true } }, 'ask-restart');
    case 'removed':
      return step(enter(state, nowMs, { at: 'own' }), 'start-own');
    case 'not-running':
      // Nothing is installed, only a socket is left: a person may decide that this application runs the node.
      if (!state.situation.isInstalled) return step(enter(state, nowMs, { at: 'own' }), 'start-own');
      return step({ ...state, ...(state.connection === 'none' ? { nextMs: nowMs } : {}) });
    default:
      return step({ ...state, ...(state.connection === 'none' ? { nextMs: nowMs } : {}) });
  }
}
