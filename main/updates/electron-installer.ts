import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { app, session } from 'electron';
import electronUpdater, { type AppUpdater } from 'electron-updater';
import { isLoopbackUrl } from '../../agent/contract/index.ts';
import type { Log } from '../logging/main-log.ts';
import { appImageOf } from './app-image.ts';
import type { Installer } from './installer.ts';
import { lostArgument } from './lost-arguments.ts';
import { copyWhole, digestOf, startDetached, startInstaller } from './program-files.ts';
import { untilAborted, withinLimit } from './until-aborted.ts';

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
const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}$/;

/** A version that was fetched and verified. */
interface Fetched {
  file: string;
  sha512: string;
}

/** electron-updater with our rules: nothing by itself, never an older version, only from where the feed may be. */
export function createElectronInstaller(options: ElectronInstallerOptions): Installer {
  const updater = configure(options);
  const program = { platform: process.platform, env: process.env, execPath: process.execPath };
  const appImage = appImageOf(program);
  // it would replace the AppImage that APPIMAGE names, which is another program
  const isForeign = appImage === null && updater instanceof electronUpdater.AppImageUpdater;
  let fetched: Fetched | null = null;
  let isReplacing = false;
  return {
    check: async (feed) => {
      if (isForeign) throw new Error(BY_HAND);
      const lost = lostArgument(process.platform, process.argv);
      if (lost !== null)
        throw new Error(`It was started with ${lost}, which an update would lose; install new versions by hand.`);
      updater.setFeedURL({ provider: 'generic', url: feed });
      return check(updater);
    },
    download: async (onPercent) => {
      fetched = null;
      const file = await download(updater, onPercent);
      fetched = { file, sha512: await digestOf(file) };
    },
    canInstallAlone: () => canWriteProgram(appImage ?? process.execPath),
    install: async (args, signal) => {
      if (fetched === null) throw new Error('nothing has been fetched');
      const commit = () => {
        signal.throwIfAborted();
        isReplacing = true;
        // the new program starts before this one has gone, and would take it for the running one
        app.releaseSingleInstanceLock();
      };
      try {
        if (appImage !== null) await replaceAppImage(fetched, appImage, args, commit);
        else if (process.platform === 'win32') {
          commit();
          await startInstaller(process.resourcesPath, fetched.file, process.env);
        } else {
          commit();
          await untilAborted(handOver(updater), signal);
        }
      } catch (thrown) {
        isReplacing = false;
        app.requestSingleInstanceLock();
        throw thrown;
      }
    },
    isReplacing: () => isReplacing,
  };
}

const BY_HAND = 'This installation cannot be updated by itself; install new versions by hand.';

async function check(updater: AppUpdater): Promise<string | null> {
  const result = await withinLimit(updater.checkForUpdates(), {
    limitMs: CHECK_LIMIT_MS,
    words: `The feed did not answer within ${CHECK_LIMIT_MS / 1_000} s.`,
    // a connection that stands open would hold the next check, too
    onLimit: () => void session.fromPartition(SESSION).closeAllConnections(),
  });
  if (result === null) throw new Error(BY_HAND);
  const { version } = result.updateInfo;
  if (!VERSION.test(version)) throw new Error('The feed names no usable version.');
  return result.isUpdateAvailable ? version : null;
}

/**
 * In its own place, under its own name, with its arguments: whatever starts it at login finds it again. electron-updater
 * would delete the file before the new one is there, and leave out the arguments.
 */
async function replaceAppImage(
  { file, sha512 }: Fetched,
  place: string,
  args: readonly string[],
  commit: () => void,
): Promise<void> {
  await copyWhole(file, place, { mode: 0o755, sha512, commit });
  await startDetached(place, args, { ...process.env, APPIMAGE: place });
  await rm(file, { force: true }).catch(() => undefined);
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

async function download(updater: AppUpdater, onPercent: (percent: number) => void): Promise<string> {
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
    const [file] = await updater.downloadUpdate(stop);
    if (file === undefined) throw new Error('nothing came of the download');
    return file;
  } finally {
    clearTimeout(timer);
    updater.off('download-progress', onProgress);
  }
}

/**
 * To the system's own installer, which ends this process. It may fail late: Squirrel fetches and judges the archive only now.
 * Never resolves.
 */
function handOver(updater: AppUpdater): Promise<never> {
  return new Promise((_, reject) => {
    updater.once('error', reject);
    updater.quitAndInstall(true, true);
  });
}

/** Tried, not asked: rights on Windows and macOS are more than a mode. */
function canWriteProgram(program: string): boolean {
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
