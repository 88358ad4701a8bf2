import type { AppState } from '../../preload/contract/app-state.ts';
import type { IsgBridge } from '../../preload/contract/bridge.ts';
import { WatchedValue } from './watched-value.ts';

/** The newest application state, for any number of listeners. */
export interface AppStateStore {
  /** Null before the first state has come. */
  get(): AppState | null;
  /** Calls back at each change until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/**
 * Keeps the newest state from the `app-state` event. The state is also asked for once, should main not send it at
 * subscription; an event that came meanwhile is newer and wins.
 */
export function createAppStateStore(bridge: IsgBridge): AppStateStore {
  const state = new WatchedValue<AppState | null>(null);
  bridge.on('app-state', (next) => state.set(next));
  bridge.call('app.state', {}).then(
    (answer) => {
      if (answer.ok && state.get() === null) state.set(answer.value);
    },
    () => undefined, // A bridge that fails now still sends the event later; until then the state stays unknown.
  );
  return state;
}
