import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { app, session } from 'electron';
import electronUpdater, { type AppUpdater } from 'electron-updater';
import { isLoopbackUrl } from '../../agent/contract/index.ts';
import type { Log } from '../logging/main-log.ts';
import type { Installer } from './installer.ts';

/** What electron-updater is told. */
export interface ElectronInstallerOptions {
  /** Folder of ours. */
  folder: string;
  /** Whether the feed may be http on this machine itself: test builds only. */
  mayUseLoopback: boolean;
  log: Log;
}

/** electron-updater waits for ever for a server that accepts and says nothing. */
const CHECK_LIMIT_MS = 60_000;
const STALL_LIMIT_MS = 120_000;
/** Name of electron-updater's own session. */
const SESSION = 'electron-updater';
const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z.-]{1,40})?$/;

/** electron-updater with our rules: nothing by itself, never an older version, only from where the feed may be. */
export function createElectronInstaller(options: ElectronInstallerOptions): Installer {
  const updater = configure(options);
  return {
    check: async (feed) => {
      updater.setFeedURL({ provider: 'generic', url: feed });
      const result = await withinLimit(updater.checkForUpdates(), CHECK_LIMIT_MS);
      if (result === null)
        throw new Error('This installation cannot be updated by itself; install new versions by hand.');
      const { version } = result.updateInfo;
      if (!VERSION.test(version)) throw new Error('The feed names no usable version.');
      return result.isUpdateAvailable ? version : null;
    },
    download: (onPercent) => download(updater, onPercent),
    canInstallAlone: () => canWriteProgram(),
    install: () => install(updater),
  };
}

function configure({ folder, mayUseLoopback, log }: ElectronInstallerOptions): AppUpdater {
  const updater = electronUpdater.autoUpdater;
  updater.autoDownload = false;
  updater.autoInstallOnAppQuit = false;
  updater.allowDowngrade = false;
  updater.disableWebInstaller = true;
  // the whole file every time: one digest over all of it, no old pieces
  updater.disableDifferentialDownload = true;
  updater.logger = {
    info: (words: unknown) => log.debug(`Updater: ${String(words)}`),
    warn: (words: unknown) => log.info(`Updater: ${String(words)}`),
    error: (words: unknown) => log.warn(`Updater: ${String(words)}`),
    debug: () => {},
  };
  if (!app.isPackaged) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'app-update.yml');
    writeFileSync(file, 'provider: generic\nupdaterCacheDirName: isg-pro-updater\n');
    updater.forceDevUpdateConfig = true;
    updater.updateConfigPath = file;
  }
  // redirects and absolute addresses in the feed, too
  session.fromPartition(SESSION, { cache: false }).webRequest.onBeforeRequest(({ url }, answer) => {
    const isAllowed = url.startsWith('https://') || (mayUseLoopback && isLoopbackUrl(url));
    if (!isAllowed) log.warn('The feed leads to a server without https, which is not used');
    answer({ cancel: !isAllowed });
  });
  return updater;
}

async function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  // closing its connections makes electron-updater end the request, which it would else go on waiting for
  const timer = setTimeout(() => void session.fromPartition(SESSION).closeAllConnections(), limitMs);
  return promise.finally(() => clearTimeout(timer));
}

async function download(updater: AppUpdater, onPercent: (percent: number) => void): Promise<void> {
  const stop = new electronUpdater.CancellationToken();
  const limit = () => setTimeout(() => stop.cancel(), STALL_LIMIT_MS);
  let timer = limit();
  const onProgress = ({ percent }: { percent: number }) => {
    clearTimeout(timer);
    timer = limit();
    onPercent(percent);
  };
  updater.on('download-progress', onProgress);
  try {
    await updater.downloadUpdate(stop);
  } finally {
    clearTimeout(timer);
    updater.off('download-progress', onProgress);
  }
}

/** The new program starts before this one has gone, and would take it for the running one. */
function install(updater: AppUpdater): void {
  let failure: Error | null = null;
  const onError = (error: Error) => {
    failure = error;
  };
  updater.on('error', onError);
  app.releaseSingleInstanceLock();
  updater.quitAndInstall(true, true);
  updater.off('error', onError);
  if (failure === null) return;
  app.requestSingleInstanceLock();
  throw failure;
}

/** Tried, not asked: rights on Windows and macOS are more than a mode. */
function canWriteProgram(): boolean {
  const program = process.env.APPIMAGE ?? process.execPath;
  const probe = join(dirname(program), `.isg-pro-${process.pid}.tmp`);
  try {
    closeSync(openSync(probe, 'wx'));
    rmSync(probe, { force: true });
    return true;
  } catch {
    // ignored because that is the answer
    return false;
  }
}
