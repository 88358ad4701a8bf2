import type { Page } from '@playwright/test';
import type { AppState } from '../../preload/contract/app-state.ts';

/** What the window showed, each with the instant at which it appeared. */
export interface WindowSeen {
  states: { atMs: number; agent: AppState['agent'] }[];
  banners: { atMs: number; text: string }[];
  badges: { atMs: number; text: string }[];
}

declare global {
  interface Window {
    /** Put there by `watchWindow`. */
    windowSeen?: WindowSeen;
  }
}

/** Writes down every change of the agent's state, of the banner and of the leader badge from now on; begins anew when called again. */
export async function watchWindow(page: Page): Promise<void> {
  await page.evaluate(() => {
    const isFirst = window.windowSeen === undefined;
    window.windowSeen = { states: [], banners: [], badges: [] };
    const note = (list: { atMs: number; text: string }[] | undefined, testId: string) => {
      const text = document.querySelector<HTMLElement>(`[data-testid="${testId}"]`)?.textContent ?? '';
      if (list && list.at(-1)?.text !== text) list.push({ atMs: Date.now(), text });
    };
    const look = () => {
      note(window.windowSeen?.banners, 'agent-banner');
      note(window.windowSeen?.badges, 'leader-badge');
    };
    look();
    if (!isFirst) return;
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    window.isg.on('app-state', ({ agent }) => {
      const states = window.windowSeen?.states;
      if (states && states.at(-1)?.agent.state !== agent.state) states.push({ atMs: Date.now(), agent });
    });
  });
}

/** What the window showed since `watchWindow`. */
export async function windowSeen(page: Page): Promise<WindowSeen> {
  const seen = await page.evaluate(() => window.windowSeen);
  if (!seen) throw new Error('the window is not watched');
  return seen;
}
