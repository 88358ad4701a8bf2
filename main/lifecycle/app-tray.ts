import { app, dialog } from 'electron';
import type { AgentHost } from '../agent-host/agent-host.ts';
import type { Log } from '../logging/main-log.ts';
import { type NotificationMemory, nextNotifications } from '../tray/notifications-model.ts';
import { createSystemTray, type SystemTray } from '../tray/tray.ts';
import { type TrayAction, trayModel } from '../tray/tray-model.ts';
import type { AppWindow } from '../windows/app-window.ts';
import type { AppStateStore } from './app-state-store.ts';
import { openLogFolder } from './open-log-folder.ts';

/** What the tray shows and acts on. */
export interface AppTrayOptions {
  store: AppStateStore;
  window: AppWindow;
  host: AgentHost;
  /** Starts a full check; its outcome stands in the state. */
  runCheck: () => void;
  iconFolder: string;
  log: Log;
}

/** Some words depend on how long something lasts, which no state change tells. */
const REDRAW_MS = 5_000;

/** Draws tray and notifications from the store at each change, and performs what the menu asks. Returns what ends it. */
export function startAppTray(options: AppTrayOptions): () => void {
  const { store } = options;
  let memory: NotificationMemory = {};
  const tray = tryTray(options);
  if (tray === null) return () => {};
  const draw = () => {
    const state = store.get();
    tray.update(trayModel(state, Date.now()));
    const next = nextNotifications(memory, state, Date.now());
    memory = next.memory;
    for (const notification of next.show) tray.notify(notification);
  };
  const unsubscribe = store.subscribe(draw);
  const timer = setInterval(draw, REDRAW_MS);
  return () => {
    unsubscribe();
    clearInterval(timer);
    tray.destroy();
  };
}

/** null where there is no tray: the window works without it. */
function tryTray(options: AppTrayOptions): SystemTray | null {
  try {
    return createSystemTray(trayModel(options.store.get(), Date.now()), {
      iconFolder: options.iconFolder,
      platform: process.platform,
      onAction: (action) => perform(action, options),
    });
  } catch (thrown) {
    options.log.error('There is no tray icon: the system refused it', { error: thrown });
    return null;
  }
}

function perform(action: TrayAction, { store, window, host, runCheck, log }: AppTrayOptions): void {
  const isCalled = (called: Promise<unknown>) =>
    void called.catch((thrown: unknown) => log.warn('The agent did not do what the tray asked', { error: thrown }));
  switch (action.do) {
    case 'open':
      if (action.screen === null) window.show();
      else window.navigate(action.screen);
      break;
    case 'open-log-folder':
      void openLogFolder(store.get().logFolder).catch((thrown: unknown) => {
        const message = thrown instanceof Error ? thrown.message : String(thrown);
        log.warn('The log folder could not be opened', { error: thrown });
        void dialog.showMessageBox({ type: 'warning', title: 'ISG Pro', message, buttons: ['Close'] });
      });
      break;
    case 'check':
      runCheck();
      window.navigate('diagnostics');
      break;
    case 'pause':
      isCalled(host.call('node.pause', {}));
      break;
    case 'resume':
      isCalled(host.call('node.resume', {}));
      break;
    case 'drill':
      isCalled(host.call('cluster.drill', {}));
      window.navigate('cluster');
      break;
    case 'restart-agent':
      host.restart();
      break;
    case 'about':
      showAbout();
      break;
    case 'quit':
      app.quit();
  }
}

function showAbout(): void {
  const detail = `Version ${app.getVersion()}\nA clustered storage gateway node for iconik`;
  void dialog.showMessageBox({ type: 'info', title: 'About ISG Pro', message: 'ISG Pro', detail, buttons: ['Close'] });
}
