import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, expect, type Page } from '@playwright/test';
import type { Role } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import type { IsgBridge } from '../../preload/contract/bridge.ts';
import { MediaCluster, type MediaClusterOptions } from '../support/media-cluster.ts';
import { processesNaming } from './process-tree.ts';
import { recordTray } from './tray-recorder.ts';

declare global {
  interface Window {
    isg: IsgBridge;
  }
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EVERYTHING: Role[] = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'];

/** The desktop application in a real Electron, with its window. */
export interface Desktop {
  app: ElectronApplication;
  page: Page;
  /** The state that tray and window are drawn from, as main tells it. */
  state(): Promise<AppState>;
  close(): Promise<void>;
}

/** Fails, rather than skips, when there is no Electron to run. */
function electronPath(): string {
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (dist) return join(dist, process.platform === 'win32' ? 'electron.exe' : 'electron');
  const path: unknown = createRequire(import.meta.url)('electron');
  if (typeof path !== 'string') throw new Error('There is no Electron to test with: set ELECTRON_OVERRIDE_DIST_PATH');
  return path;
}

/** Files of one installation of the application. */
export interface DesktopPlace {
  configPath: string;
  dataDir: string;
  userDataDir: string;
  /** Program that runs the agent; default: the Node that runs the tests. */
  agentNode?: string;
  /** Executable of an installed application; default: the application as built, in a bare Electron. */
  installed?: string;
  /** Where a system service is looked for; default: a place where there is none. */
  serviceSocket?: string;
}

/** How the built application is started. */
export function desktopCommand(place: DesktopPlace) {
  const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env;
  return {
    executablePath: place.installed ?? electronPath(),
    args: ['--no-sandbox', `--user-data-dir=${place.userDataDir}`, ...(place.installed === undefined ? [ROOT] : [])],
    cwd: place.installed === undefined ? ROOT : dirname(place.installed),
    env: {
      ...(env as Record<string, string>),
      ISG_PRO_CONFIG: place.configPath,
      ISG_PRO_DATA_DIR: place.dataDir,
      ISG_PRO_AGENT_NODE: place.agentNode ?? process.execPath,
      ISG_PRO_SERVICE_SOCKET: place.serviceSocket ?? join(place.userDataDir, 'no-service', 'agent.sock'),
    },
  };
}

/** Starts the built application; run `npm run build` first. */
export async function openDesktop(place: DesktopPlace): Promise<Desktop> {
  const app = await _electron.launch(desktopCommand(place));
  await recordTray(app);
  const page = await app.firstWindow();
  return {
    app,
    page,
    state: async () => {
      const result = await page.evaluate(() => window.isg.call('app.state', {}));
      if (!result.ok) throw new Error(result.error.message);
      return result.value;
    },
    close: () => app.close(),
  };
}

/**
 * Quits the application and ends the database of its node, whose keeper goes on for half a minute after its last agent
 * and has inherited open files of the application: so long would Playwright hold the application for running.
 */
export async function closeWithDatabase(opened: Desktop, installation: string): Promise<void> {
  const main = opened.app.process();
  const closed = opened.close();
  await expect.poll(() => main.exitCode ?? main.signalCode, { timeout: 20_000 }).not.toBeNull();
  for (const { pid, command } of processesNaming(installation)) if (command.includes('keeper.')) process.kill(pid);
  await closed;
}

/** A cluster on this machine, whose `node-a` runs in the desktop application; other nodes are plain agents. */
export interface DesktopCluster {
  cluster: MediaCluster;
  desktop: Desktop;
  /** Where the application of node-a keeps its things. */
  place: DesktopPlace;
  dir: string;
  close(): Promise<void>;
}

/** Starts database, stand-in and the application as node-a. */
export async function openCluster(
  options: Partial<MediaClusterOptions> & {
    beforeStart?: (cluster: MediaCluster) => Promise<void>;
    installed?: string;
  } = {},
): Promise<DesktopCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-e2e-'));
  const { beforeStart, installed, ...over } = options;
  const cluster = await MediaCluster.create({
    dir,
    nodes: [{ name: 'node-a', roles: EVERYTHING }],
    storageSettings: () => ({ growing_files_threshold: 1 }),
    config: {},
    ...over,
  });
  try {
    await beforeStart?.(cluster);
    const folder = join(dir, 'node-a');
    const place = {
      configPath: join(folder, 'config.ini'),
      dataDir: join(folder, 'data'),
      userDataDir: join(dir, 'electron'),
      ...(installed === undefined ? {} : { installed }),
    };
    const desktop = await openDesktop(place);
    return {
      cluster,
      desktop,
      place,
      dir,
      close: async () => {
        await desktop.close();
        await cluster.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  } catch (thrown) {
    await cluster.stop();
    throw thrown;
  }
}
