/** The screens, in the order of the navigation. */
export const SCREENS = ['overview', 'cluster', 'jobs', 'storages', 'logs', 'settings', 'diagnostics'] as const;
/** A screen. */
export type ScreenId = (typeof SCREENS)[number];
/** What a screen is opened with, e.g. `{ role: 'TRANSCODE' }`; each screen says which names it knows. */
export type RouteParams = Readonly<Record<string, string>>;
/** Where the window is. */
export interface Route {
  screen: ScreenId;
  params: RouteParams;
}

const isScreen = (name: string): name is ScreenId => (SCREENS as readonly string[]).includes(name);

/** The screen of that name; anything else is the overview, so that a wrong link never shows nothing. */
export function screenOf(name: string): ScreenId {
  return isScreen(name) ? name : 'overview';
}

/** Reads `#/jobs?role=MAIN`. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { screen: screenOf(path), params: Object.fromEntries(new URLSearchParams(query)) };
}

/** Writes what `parseRoute` reads. */
export function formatRoute({ screen, params }: Route): string {
  const query = new URLSearchParams(params).toString();
  return query === '' ? `#/${screen}` : `#/${screen}?${query}`;
}
