import type { App } from 'electron';
import { STOP_ASK_MS, STOP_TERM_MS } from '../agent-host/host-limits.ts';
import type { Log } from '../logging/main-log.ts';

/**
 * How long the agent may take to stop; then the application goes, and the agent ends because its parent is gone. One that
 * hangs is ended by force before.
 */
const STOP_LIMIT_MS = STOP_ASK_MS + STOP_TERM_MS + 1_000;

/** What quitting has to end. */
export interface QuitOptions {
  app: Pick<App, 'on' | 'quit' | 'exit'>;
  stopAgent: () => Promise<void>;
  /** Called once, first: nothing new may begin. */
  onQuitting: () => void;
  log: Log;
}

/** Makes every way to quit (menu, signals, end of the session) an orderly one: the agent first, then the application. */
export function quitOrderly({ app, stopAgent, onQuitting, log }: QuitOptions): void {
  let isQuitting = false;
  app.on('before-quit', (event) => {
    event.preventDefault();
    if (isQuitting) return;
    isQuitting = true;
    log.info('Quitting');
    onQuitting();
    void withinLimit(stopAgent()).then((isInTime) => {
      if (!isInTime) log.warn(`The agent did not stop within ${STOP_LIMIT_MS / 1_000} s and is left to end by itself`);
      log.info('Quit');
      app.exit(0);
    });
  });
  // the tray stays without windows
  app.on('window-all-closed', () => {});
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => app.quit());
}

async function withinLimit(stopped: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), STOP_LIMIT_MS);
  });
  const isInTime = await Promise.race([stopped.then(() => true as const), late]);
  clearTimeout(timer);
  return isInTime;
}
