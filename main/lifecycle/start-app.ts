import { tmpdir } from 'node:os';
import { app, powerMonitor, session } from 'electron';
import type { ConfigStatus } from '../../agent/config-file/config-files.ts';
import type { ConfigStore } from '../../agent/config-file/config-store.ts';
import type { AgentCallName, AgentParams } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import type { ErrandStart } from '../agent-host/agent-errand.ts';
import type { AgentHost } from '../agent-host/agent-host.ts';
import { nodeAdapter } from '../agent-host/node-adapter.ts';
import { createNodeHost, type NodeHost } from '../agent-host/node-host.ts';
import type { ServicePlace } from '../agent-host/service-installed.ts';
import { utilityProcessAdapter } from '../agent-host/utility-process-adapter.ts';
import { type ConfigDesk, createConfigDesk } from '../config-file/config-desk.ts';
import { chooseDesk, UNKNOWN_CONFIG } from '../config-file/service-desk.ts';
import type { TokenVault } from '../config-file/token-vault.ts';
import { watchConfig } from '../config-file/watch-config.ts';
import { openGuardedIpc } from '../ipc/guarded-ipc.ts';
import type { Log } from '../logging/main-log.ts';
import { AppError } from '../support/app-error.ts';
import type { RunStart } from '../updates/start-plan.ts';
import { startUpdates } from '../updates/start-updates.ts';
import { setAppMenu } from '../windows/app-menu.ts';
import { serveApp } from '../windows/app-protocol.ts';
import { type AppWindow, createAppWindow } from '../windows/app-window.ts';
import { APP_ORIGIN } from '../windows/content-policy.ts';
import { guardSession } from '../windows/guard-contents.ts';
import { agentNodePath, PROGRAM_FILES, trayIconFolder } from './agent-program.ts';
import type { AppLocations } from './app-locations.ts';
import { type AppStateStore, createAppStateStore } from './app-state-store.ts';
import { startAppTray } from './app-tray.ts';
import { createConfigFollower } from './config-follower.ts';
import { createFullCheck } from './full-check.ts';
import { createMainCalls } from './main-calls.ts';
import { quitOrderly } from './quit.ts';
import { configStanding, followServiceConfig } from './service-config.ts';
import { createSupportBundle } from './support-bundle.ts';

/** What a run of the application is made of besides itself. */
export interface AppParts {
  locations: AppLocations;
  config: ConfigStore;
  /** Where the token is when it does not stand in config.ini. */
  vault: TokenVault;
  /** What the store said of config.ini at the start. */
  firstCheck: ConfigStatus;
  /** How this run begins after an update. */
  updateStart: RunStart;
  isTestBuild: boolean;
  /** Where a system service may run the node instead, and whether one seems to. */
  service: ServicePlace;
  isServiceHere: boolean;
  log: Log;
}

/** The application as later events (second start, macOS activation) see it. */
export interface RunningApp {
  showWindow(): void;
}

/** Builds and connects everything. Call when Electron is ready, once. */
export function startApp(parts: AppParts): RunningApp {
  const { locations, config, log } = parts;
  const window = createAppWindow({ preloadPath: PROGRAM_FILES.preload, isPackaged: app.isPackaged, log });
  const store = createAppStateStore(initialState(parts));
  const ownDesk = createConfigDesk(config, parts.vault);
  const program = programOf(parts);
  const host = createHost(parts, { program, store, window, desk: ownDesk, onService: () => followService() });
  const desk = chooseDesk(host, ownDesk);
  const { check, bundle } = createErrands({ store, host, errand: program, log });
  const updates = startUpdates({ ...parts, host, store });
  const followAgent = createConfigFollower({ standing: () => configStanding(host, config), store, host, log });
  const followConfig = () => followAgent().then(() => updates.follow());
  const followService = followServiceConfig({ host, store, followConfig });
  guardSession(session.defaultSession, log);
  serveApp(session.defaultSession, PROGRAM_FILES.rendererFolder);
  openGuardedIpc({
    handlers: createMainCalls({
      store,
      desk,
      logFolder: locations.logFolder,
      restartAgent: () => host.restart(),
      check,
      bundle,
      updates,
      followConfig,
      window: () => window.native(),
    }),
    relay: (name, params) => relay(host, name, params),
    trustedFrame: () => window.mainFrame(),
    origin: APP_ORIGIN,
    log,
  });
  startHost(host, window, locations.isHidden);
  setAppMenu({ isMac: process.platform === 'darwin', isPackaged: app.isPackaged });
  store.subscribe((state) => window.send('app-state', state));
  const stopTray = startAppTray({
    store,
    window,
    host,
    runCheck: () => void check.run(),
    iconFolder: trayIconFolder(app.isPackaged),
    log,
  });
  const stopWatching = watchOwnConfig(locations.configPath, host, followConfig);
  followPower(host);
  quitOrderly({
    app,
    stopAgent: () => host.stop().finally(stopTray),
    onQuitting: () => {
      updates.stop();
      stopWatching();
      followService.stop();
      check.stop();
      bundle.cancel();
      window.allowClosing();
    },
    log,
  });
  return { showWindow: () => window.show() };
}

function followPower(host: NodeHost): void {
  powerMonitor.on('resume', () => host.resumed());
  powerMonitor.on('shutdown', () => app.quit());
}

/** Two programs that start at once make each other slow, and people look at the window. */
function startHost(host: NodeHost, window: AppWindow, isHidden: boolean): void {
  if (isHidden) host.start();
  else window.showFirst(() => host.start());
}

/** The file is nobody's while a service runs the node, which has one of its own. */
function watchOwnConfig(path: string, host: NodeHost, follow: () => Promise<void>): () => void {
  return watchConfig(path, () => {
    if (!host.isService()) void follow();
  });
}

function initialState({ locations, config, firstCheck, isServiceHere }: AppParts): AppState {
  const { platform } = process;
  const { status, problems } = firstCheck;
  return {
    appVersion: app.getVersion(),
    platform: platform === 'win32' || platform === 'darwin' ? platform : 'linux',
    agent: { state: 'stopped', reason: '', sinceMs: Date.now(), nextStartMs: null, lastExitCode: null, lastWords: [] },
    snapshot: null,
    config: isServiceHere ? UNKNOWN_CONFIG : { path: config.path, status, problems },
    logFolder: locations.logFolder,
    check: { runningSinceMs: null, last: null, failure: '' },
    bundle: null,
    updateReady: null,
    update: { state: 'off', version: null, percent: 0, why: '', isAsked: false, last: null },
  };
}

/** How the agent's program is started, as the node or for an errand. */
function programOf({ locations, vault, isTestBuild }: AppParts): ErrandStart {
  const nodePath = agentNodePath({ env: process.env, isPackaged: app.isPackaged, isTestBuild });
  return {
    spawn: nodePath === null ? utilityProcessAdapter : nodeAdapter(nodePath),
    entry: PROGRAM_FILES.agentEntry,
    configPath: locations.configPath,
    dataDir: locations.dataDir,
    environment: process.env,
    keptToken: vault,
  };
}

interface HostParts {
  program: ErrandStart;
  store: AppStateStore;
  window: AppWindow;
  desk: ConfigDesk;
  /** How the application stands with a service may have changed. */
  onService: () => void;
}

function createHost({ log, service }: AppParts, parts: HostParts): NodeHost {
  const { program, store, window, desk } = parts;
  return createNodeHost({
    ...program,
    service,
    version: app.getVersion(),
    temporaryFolder: tmpdir(),
    log,
    onState: (agent) => {
      if (agent.state === 'starting') void desk.noteAgentStart();
      store.update({ agent });
      parts.onService();
    },
    onSnapshot: (snapshot) => store.update({ snapshot }),
    onLogLines: (lines) => window.send('log-lines', lines),
    onOutput: (stream, line) => log.debug(`agent ${stream}: ${line}`),
  });
}

/** What is looked at and packed on demand, while an agent answers or not. */
function createErrands(parts: { store: AppStateStore; host: NodeHost; errand: ErrandStart; log: Log }) {
  const hindrance = () => (parts.host.isService() ? ONLY_ADMINISTRATORS : null);
  return {
    check: createFullCheck({ ...parts, hindrance }),
    bundle: createSupportBundle({ ...parts, hindrance, temporaryFolder: tmpdir(), versions: process.versions }),
  };
}

const ONLY_ADMINISTRATORS =
  'This node runs as a service, whose files only administrators may read. One of them calls the program of the service itself: --doctor, or --support-bundle FILE.zip.';

/** Of all that can be in the way of a call, an agent that is not there has one code for the whole window. */
async function relay<Name extends AgentCallName>(host: AgentHost, name: Name, params: unknown): Promise<unknown> {
  try {
    return await host.call(name, params as AgentParams<Name>);
  } catch (thrown) {
    const isDown = thrown instanceof Error && 'code' in thrown && thrown.code === 'agent-unavailable';
    throw isDown ? new AppError('agent-down', thrown.message, 'transient', thrown) : thrown;
  }
}
