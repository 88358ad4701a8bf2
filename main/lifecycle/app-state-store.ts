import type { AppState } from '../../preload/contract/app-state.ts';

/** The one state object of the application. Only the store changes it; tray and window draw from it. */
export interface AppStateStore {
  get(): AppState;
  /** Replaces the named parts. Listeners hear of it soon, and at once when `agent.state` or `config` changed. */
  update(change: Partial<AppState>): void;
  /** Calls back with each state worth drawing, at most four times a second but for urgent ones. */
  subscribe(listener: (state: AppState) => void): () => void;
  /** Ends the waiting broadcast. */
  close(): void;
}

/** Four times a second is as fast as anybody reads. */
export const BROADCAST_INTERVAL_MS = 250;

/** The clock of the store; replaced in tests. */
export interface StoreClock {
  /** Monotonic, milliseconds. */
  now(): number;
  /** Calls back after a while; returns the function that prevents it. */
  after(ms: number, callback: () => void): () => void;
}

const systemClock: StoreClock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Holds the state, starting with `initial`. */
export function createAppStateStore(initial: AppState, clock: StoreClock = systemClock): AppStateStore {
  const listeners = new Set<(state: AppState) => void>();
  let state = initial;
  let lastBroadcastAt = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | null = null;
  const broadcast = () => {
    cancel?.();
    cancel = null;
    lastBroadcastAt = clock.now();
    for (const listener of listeners) listener(state);
  };
  return {
    get: () => state,
    update: (change) => {
      const before = state;
      state = { ...state, ...change };
      const wait = lastBroadcastAt + BROADCAST_INTERVAL_MS - clock.now();
      if (isUrgent(before, state) || wait <= 0) broadcast();
      else cancel ??= clock.after(wait, broadcast);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => cancel?.(),
  };
}

function isUrgent(before: AppState, after: AppState): boolean {
  return before.agent.state !== after.agent.state || before.config.status !== after.config.status;
}
