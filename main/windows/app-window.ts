import { BrowserWindow, nativeTheme } from 'electron';
import type { BridgeEvent, BridgeEventName } from '../../preload/contract/bridge.ts';
import { type SenderFrame, sendEvent } from '../ipc/guarded-ipc.ts';
import type { Log } from '../logging/main-log.ts';
import { APP_PAGE } from './content-policy.ts';

/** The one window. Its renderer process exists only while it is shown, and a little longer. */
export interface AppWindow {
  /** Shows it, in front; makes it first when there is none. */
  show(): void;
  /** Shows it for the first time, and calls back when it is painted, or cannot be within a second. */
  showFirst(whenPainted: () => void): void;
  isShown(): boolean;
  /** Frame that calls may come from; null while there is none. */
  mainFrame(): SenderFrame | null;
  /** Sends an event; lost when there is no window. */
  send<Name extends BridgeEventName>(name: Name, payload: BridgeEvent<Name>): void;
  /** Shows it at a screen. */
  navigate(screen: string): void;
  /** Its native window, as parent of dialogs; null while there is none. */
  native(): BrowserWindow | null;
  /** From now on closing really closes it. */
  allowClosing(): void;
}

/** What the window is made of. */
export interface AppWindowOptions {
  preloadPath: string;
  isPackaged: boolean;
  log: Log;
}

/** A renderer process costs some 80 MB: it goes when the window has been hidden this long; reopening sooner is instant. */
const KEEP_HIDDEN_MS = 5_000;
/** A page that does not answer for this long is ended and loaded anew. */
const HUNG_LIMIT_MS = 15_000;
/** A page that crashes more often than this within a minute is left alone until the window is opened again. */
const MOST_RELOADS = 3;
const RELOAD_WINDOW_MS = 60_000;
/** What waits for the first paint of the window waits no longer than this. */
const PAINT_LIMIT_MS = 1_000;
/** The page's own background (renderer/ui/colours.ts), so that nothing flashes before it is drawn. */
const BACKGROUND = { light: '#ffffff', dark: '#191d23' };

/** A window that is not there yet. */
export function createAppWindow(options: AppWindowOptions): AppWindow {
  let window: BrowserWindow | null = null;
  let destruction: NodeJS.Timeout | undefined;
  let mayClose = false;
  let waitingScreen: string | null = null;

  const takeWaitingScreen = () => {
    const screen = waitingScreen;
    waitingScreen = null;
    return screen;
  };
  const hide = (shown: BrowserWindow) => {
    shown.hide();
    clearTimeout(destruction);
    destruction = setTimeout(() => shown.destroy(), KEEP_HIDDEN_MS);
  };
  const open = (): BrowserWindow => {
    const opened = openWindow(options, takeWaitingScreen());
    opened.on('close', (event) => {
      if (mayClose) return;
      event.preventDefault();
      hide(opened);
    });
    opened.once('closed', () => {
      window = null;
      clearTimeout(destruction);
    });
    // By its address: a page that has just been loaded may not listen for events yet.
    opened.webContents.on('did-finish-load', () => {
      if (waitingScreen !== null) loadPage(opened, takeWaitingScreen(), options.log);
    });
    return opened;
  };
  const show = () => {
    clearTimeout(destruction);
    if (window === null) {
      window = open();
      return;
    }
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  };
  const send: AppWindow['send'] = (name, payload) => {
    if (window !== null && !window.webContents.isCrashed()) sendEvent(window.webContents, name, payload);
  };
  return {
    show,
    showFirst: (whenPainted) => {
      show();
      const limit = setTimeout(onPainted, PAINT_LIMIT_MS);
      function onPainted(): void {
        clearTimeout(limit);
        window?.off('ready-to-show', onPainted);
        whenPainted();
      }
      window?.once('ready-to-show', onPainted);
    },
    isShown: () => window?.isVisible() === true,
    mainFrame: () => window?.webContents.mainFrame ?? null,
    send,
    navigate: (screen) => {
      const isLoaded = window !== null && !window.webContents.isLoadingMainFrame();
      if (isLoaded) send('navigate', { screen });
      else waitingScreen = screen;
      show();
    },
    native: () => window,
    allowClosing: () => {
      mayClose = true;
    },
  };
}

/** Loads the page, at a screen if one is named; a page that is loaded already only changes its screen. */
function loadPage(window: BrowserWindow, screen: string | null, log: Log): void {
  window.loadURL(screen === null ? APP_PAGE : `${APP_PAGE}#/${screen}`).catch((thrown: unknown) => {
    if (!window.isDestroyed()) log.error('The window could not be loaded', { error: thrown });
  });
}

function openWindow({ preloadPath, isPackaged, log }: AppWindowOptions, screen: string | null): BrowserWindow {
  const window = new BrowserWindow({
    title: 'ISG Pro',
    width: 1180,
    height: 760,
    minWidth: 1024,
    minHeight: 700,
    show: false,
    autoHideMenuBar: true,
    backgroundColor: backgroundNow(),
    webPreferences: {
      preload: preloadPath,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      safeDialogs: true,
      devTools: !isPackaged,
    },
  });
  window.once('ready-to-show', () => window.show());
  const followTheme = () => window.setBackgroundColor(backgroundNow());
  nativeTheme.on('updated', followTheme);
  window.once('closed', () => nativeTheme.off('updated', followTheme));
  keepAlive(window, log);
  loadPage(window, screen, log);
  return window;
}

/** Loads the page anew when its process ends or hangs. */
function keepAlive(window: BrowserWindow, log: Log): void {
  const reloadedAt: number[] = [];
  let hung: NodeJS.Timeout | undefined;
  window.webContents.on('render-process-gone', (_, { reason, exitCode }) => {
    if (reason === 'clean-exit' || window.isDestroyed()) return;
    const recent = reloadedAt.filter((at) => performance.now() - at < RELOAD_WINDOW_MS);
    log.error('The window’s process ended', { reason, exitCode, reloads: recent.length });
    if (recent.length >= MOST_RELOADS) {
      window.destroy();
      return;
    }
    reloadedAt.splice(0, reloadedAt.length, ...recent, performance.now());
    window.webContents.reload();
  });
  window.on('unresponsive', () => {
    log.warn('The window does not answer');
    clearTimeout(hung);
    hung = setTimeout(() => window.webContents.forcefullyCrashRenderer(), HUNG_LIMIT_MS);
  });
  window.on('responsive', () => clearTimeout(hung));
  window.once('closed', () => clearTimeout(hung));
}

function backgroundNow(): string {
  return nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light;
}
