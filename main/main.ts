import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { app, safeStorage } from 'electron';
import { createConfigStore } from '../agent/config-file/config-store.ts';
import { isServiceHere } from './agent-host/service-adapter.ts';
import { servicePlace } from './agent-host/service-installed.ts';
import { openTokenVault } from './config-file/token-vault.ts';
import { findLocations } from './lifecycle/app-locations.ts';
import { relaunchOptions } from './lifecycle/relaunch.ts';
import { type RunningApp, startApp } from './lifecycle/start-app.ts';
import { createMainLog } from './logging/main-log.ts';
import { settleStart } from './updates/go-back.ts';
import { noteStart } from './updates/note-start.ts';
import { goBackParts, memoryFileOf } from './updates/start-updates.ts';
import { declareAppScheme } from './windows/app-protocol.ts';
import { guardAllContents } from './windows/guard-contents.ts';

/** Entry of the desktop application. Everything that must precede Electron's readiness happens here, in this order. */

/** An application that fails sooner than this after its start would fail again: it is not started anew, unless it is on trial. */
const RELAUNCH_AFTER_MS = 60_000;
const CRASH_EXIT_CODE = 70;

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // ignored because what is wrong with config.ini is told where it is used
    return null;
  }
}

const locations = findLocations({
  argv: process.argv.slice(1),
  env: process.env,
  platform: process.platform,
  homeDir: homedir(),
  cwd: process.cwd(),
  readText,
});
const log = createMainLog({ folder: locations.logFolder, least: 'info', echo: !app.isPackaged });

const isTestBuild = app.isPackaged && existsSync(join(process.resourcesPath, 'test-build.json'));
// root has no sandbox: tests in containers say --no-sandbox, which a release does not listen to
if (!app.commandLine.hasSwitch('no-sandbox') || (app.isPackaged && !isTestBuild)) app.enableSandbox();
if (!app.commandLine.hasSwitch('user-data-dir')) {
  mkdirSync(locations.profileDir, { recursive: true, mode: 0o700 });
  app.setPath('userData', locations.profileDir);
  app.setPath('sessionData', locations.profileDir);
}
// A window of text on machines that are often servers, with plain display adapters or none: drawing it in software starts
// sooner, needs one process less, and meets no driver's faults.
app.disableHardwareAcceleration();
app.setAppLogsPath(locations.logFolder);
app.setAppUserModelId('io.isg-pro.desktop');

/** Whether starts are counted: a new version on trial that fails is started anew at once, until the old one comes back. */
let isOnTrial = false;

/** The lock lies in the profile: there is one application per data folder. */
if (app.requestSingleInstanceLock()) begin();
else app.exit(0);

function begin(): void {
  process.on('unhandledRejection', (thrown) => log.error('Something failed that nobody waited for', { error: thrown }));
  process.on('uncaughtException', crash);
  const memoryFile = memoryFileOf(locations.dataDir);
  const { start, isCounted } = noteStart(memoryFile, app.getVersion(), log);
  isOnTrial = isCounted;
  // before anything of a version that does not work, and without waiting for what of it may not work
  const settled = settleStart(start, { ...goBackParts(locations.dataDir), memoryFile, log });
  declareAppScheme();
  guardAllContents(app, log);
  let running: RunningApp | null = null;
  let isWindowWanted = false;
  const show = () => {
    if (running === null) isWindowWanted = true;
    else running.showWindow();
  };
  app.on('second-instance', (_, argv) => {
    if (!argv.includes('--hidden')) show();
  });
  app.on('activate', show);
  const vault = openTokenVault(join(locations.dataDir, 'token.sealed'), safeStorage);
  const config = createConfigStore(locations.configPath, () => (vault.has() ? ['auth-token'] : []));
  // read while Electron gets ready: the window waits for nothing then
  const firstCheck = config.check();
  const service = servicePlace({
    env: process.env,
    platform: process.platform,
    isPackaged: app.isPackaged,
    isTestBuild,
  });
  const serviceLook = isServiceHere(service);
  log.info(`ISG Pro ${app.getVersion()} starts`, { electron: process.versions.electron, dataDir: locations.dataDir });
  app
    .whenReady()
    .then(async () => {
      const updateStart = await settled;
      if (updateStart === null) return;
      const found = { firstCheck: await firstCheck, isServiceHere: await serviceLook };
      running = startApp({ locations, config, vault, ...found, service, updateStart, isTestBuild, log });
      if (isWindowWanted) running.showWindow();
    })
    .catch(crash);
}

/** A mistake in the program: nothing is certain any more, so everything begins anew; the agent ends with its parent. */
function crash(thrown: unknown): void {
  log.error('Ended by a mistake in the program', { error: thrown });
  if (isOnTrial || process.uptime() * 1_000 > RELAUNCH_AFTER_MS) app.relaunch(relaunchOptions(process));
  app.exit(CRASH_EXIT_CODE);
}
