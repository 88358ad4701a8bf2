import { CONFIG_KEYS, isInUpdateWindow, isLoopbackUrl } from '../../agent/contract/index.ts';

/** What config.ini says of updates. Pure. */
export interface UpdateChoice {
  /** Null: no updates, for the reason `why` (empty when none are wanted). */
  feed: string | null;
  why: string;
  checkMs: number;
  isInWindow(at: Date): boolean;
}

const HOUR_MS = 3_600_000;

/** Reads the keys; a wrong one turns updates off rather than to a default. */
export function updateChoice(values: ReadonlyMap<string, string>, mayUseLoopback: boolean): UpdateChoice {
  const off = (why: string): UpdateChoice => ({ feed: null, why, checkMs: HOUR_MS, isInWindow: () => false });
  const url = values.get('update-url');
  if (url === undefined) return off('');
  const feed = CONFIG_KEYS['update-url'].safeParse(url).data;
  const hours = CONFIG_KEYS['update-check-hours'].safeParse(values.get('update-check-hours')).data;
  const window = CONFIG_KEYS['update-window'].safeParse(values.get('update-window'));
  if (feed === undefined || hours === undefined || !window.success)
    return off('update-url, update-check-hours or update-window in config.ini is wrong.');
  if (isLoopbackUrl(feed) && !mayUseLoopback) return off('update-url in config.ini must name a server, by https.');
  const { data } = window;
  const isInWindow = (at: Date) => data === undefined || isInUpdateWindow(data, at.getHours() * 60 + at.getMinutes());
  return { feed, why: '', checkMs: hours * HOUR_MS, isInWindow };
}
