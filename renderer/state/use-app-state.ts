import { useSyncExternalStore } from 'react';
import type { AppState } from '../../preload/contract/app-state.ts';
import { getBridge } from '../bridge/bridge.ts';
import { type AppStateStore, createAppStateStore } from './app-state-store.ts';
import { type Freshness, freshness } from './freshness.ts';
import { useNow } from './use-now.ts';

let store: AppStateStore | null = null;
const theStore = (): AppStateStore => {
  store ??= createAppStateStore(getBridge());
  return store;
};
const subscribe = (listener: () => void) => theStore().subscribe(listener);
const get = () => theStore().get();

/** The one state object that every view is drawn from; null before the first has come. */
export function useAppState(): AppState | null {
  return useSyncExternalStore(subscribe, get);
}

/** How far the snapshot may be believed now; null before the first state. Changes by itself as data grow old. */
export function useFreshness(): Freshness | null {
  const state = useAppState();
  const nowMs = useNow();
  return state === null ? null : freshness(state, nowMs);
}
