import { join } from 'node:path';
import { app } from 'electron';
import type { ConfigStore } from '../../agent/config-file/config-store.ts';
import type { NodeHost } from '../agent-host/node-host.ts';
import type { AppStateStore } from '../lifecycle/app-state-store.ts';
import type { Log } from '../logging/main-log.ts';
import type { GoBackParts } from './go-back.ts';
import type { Installer } from './installer.ts';
import type { RunStart } from './start-plan.ts';
import { type UpdateChoice, updateChoice } from './update-settings.ts';
import { createUpdates, type Updates } from './updates.ts';

/** What updates of the application need of it. */
export interface StartUpdatesParts {
  config: Pick<ConfigStore, 'readValues'>;
  host: NodeHost;
  store: AppStateStore;
  locations: { dataDir: string };
  updateStart: RunStart;
  isTestBuild: boolean;
  log: Log;
}

/** Where it is remembered how the last update went. */
export const memoryFileOf = (dataDir: string): string => join(dataDir, 'updates', 'update.json');

/** How this application goes back to the version before it. */
export function goBackParts(dataDir: string): GoBackParts {
  const { platform, env, execPath, resourcesPath } = process;
  return {
    old: { platform, env, execPath, folder: join(dataDir, 'updates'), resourcesPath },
    args: process.argv.slice(1),
    lock: { release: () => app.releaseSingleInstanceLock(), take: () => void app.requestSingleInstanceLock() },
    exit: () => app.exit(0),
  };
}

/** Connects updates to Electron and begins them. */
export function startUpdates(parts: StartUpdatesParts): Updates {
  const { config, host, store, isTestBuild, log } = parts;
  const { dataDir } = parts.locations;
  const folder = join(dataDir, 'updates');
  const isFromSource = !app.isPackaged;
  const mayUseLoopback = isTestBuild || isFromSource;
  const updates = createUpdates({
    installer: lazyInstaller(async () => {
      // loaded when it is needed: most starts of the window do not need it
      const { createElectronInstaller } = await import('./electron-installer.ts');
      return createElectronInstaller({ folder, mayUseLoopback, log });
    }),
    host,
    store,
    readChoice: async () => {
      const choice = updateChoice(await config.readValues(), mayUseLoopback);
      if (host.isService()) return none(choice, 'This node runs as a service, which its administrator updates.');
      if (!isFromSource || process.env.ISG_PRO_TEST_UPDATES === '1') return choice;
      return none(choice, 'A program that runs from its source is not updated by itself.');
    },
    memoryFile: memoryFileOf(dataDir),
    begin: parts.updateStart,
    version: app.getVersion(),
    ...goBackParts(dataDir),
    log,
  });
  void updates.follow().catch((thrown: unknown) => log.warn('Updates did not begin', { error: thrown }));
  return updates;
}

/** No updates; the reason is said only to those who wanted them. */
function none(choice: UpdateChoice, why: string): UpdateChoice {
  return { ...choice, feed: null, why: choice.feed === null ? choice.why : why };
}

/** An installer that is made at its first check. */
function lazyInstaller(load: () => Promise<Installer>): Installer {
  let loaded: Installer | null = null;
  const get = async () => {
    loaded ??= await load();
    return loaded;
  };
  return {
    check: async (feed) => (await get()).check(feed),
    download: async (onPercent) => (await get()).download(onPercent),
    canInstallAlone: () => loaded?.canInstallAlone() ?? false,
    install: async (args, signal) => (await get()).install(args, signal),
    isReplacing: () => loaded?.isReplacing() ?? false,
  };
}
