import { useMemo, useSyncExternalStore } from 'react';
import { formatRoute, parseRoute, type Route, type RouteParams, type ScreenId } from './route.ts';

/**
 * Where the window is lives in the hash of its address: a reload of a crashed window comes back to the same screen, and
 * back and forward keys work.
 */
const subscribe = (listener: () => void) => {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
};

/** Opens a screen; parameters are the screen's own, e.g. `navigate('jobs', { states: 'failed' })`. */
export function navigate(screen: ScreenId, params: RouteParams = {}): void {
  window.location.hash = formatRoute({ screen, params });
}

/** Opens a screen; the function is always the same one. */
export function useNavigate(): (screen: ScreenId, params?: RouteParams) => void {
  return navigate;
}

/** The screen that is shown and what it was opened with. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => parseRoute(hash), [hash]);
}
