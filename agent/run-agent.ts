import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { type AgentLog, createAgentLog } from './agent-log.ts';
import { runNode } from './app.ts';
import { type FileLock, lockDataFolder } from './cache/data-folder-lock.ts';
import { loadInstallation } from './cache/installation.ts';
import { DuplicateRefusedError } from './cluster-node.ts';
import { type ConfigFollower, followConfigFile } from './config/config-follower.ts';
import { parseFlags } from './config/flags.ts';
import { type LoadedConfig, loadConfig, locateFiles, type NodeConfig } from './config/load-config.ts';
import { EXIT, serviceSocketPath } from './contract/index.ts';
import { diagnoseNode, runDoctor } from './doctor/run-doctor.ts';
import { startBeatThread } from './link/beat-thread.ts';
import { startHangGuard } from './link/hang-guard.ts';
import type { ParentLink } from './link/parent-link.ts';
import { ServiceLink } from './link/service-link.ts';
import { toLogLine } from './operator/calls/log-calls.ts';
import { serviceCalls } from './operator/calls/service-calls.ts';
import { printStatus } from './operator/local-status/status-file.ts';
import { observers, StatusKeeper } from './operator/local-status/status-keeper.ts';
import { Operator } from './operator/operator.ts';
import type { NodeIdentity } from './operator/snapshot.ts';
import { runPrintSettings } from './print-settings.ts';
import { systemClock } from './runtime/clock.ts';
import { coerceError } from './runtime/errors.ts';
import { createConsoleSink } from './runtime/log-sinks.ts';
import { createLogger, type Logger } from './runtime/logger.ts';
import { serviceLogFile, waitBeforeRestart } from './service/restart-wait.ts';
import { listenForStop, type StopOrder } from './stop-order.ts';
import { VERSION } from './version.ts';

/** The agent: flags, configuration, data folder, then the node until a signal or its parent stops it. */

const EXIT_OF_CODE: Partial<Record<string, number>> = {
  'schema-too-new': EXIT.schemaTooNew,
  'schema-failed': EXIT.schemaFailed,
  'other-cluster': EXIT.otherCluster,
  'config-invalid': EXIT.configInvalid,
};

/** The parent sends the token right after hello; an agent that waited for ever would look like a hung one. */
const TOKEN_LIMIT_MS = 5_000;

/** How a run ended. */
interface End {
  code: number;
  /** In words for people. */
  reason: string;
}

const STOPPED: End = { code: EXIT.stopped, reason: 'The agent was stopped.' };

/** Runs until stopped and ends the process with the fitting exit code; `link` is null when headless. */
export async function runAgent(parent: ParentLink | null): Promise<never> {
  const argv = process.argv.slice(2);
  const link = openServiceLink(argv) ?? parent;
  process.on('uncaughtException', (thrown) => void crash(link, thrown));
  const { beatSocket, service } = parseFlags(argv).flags;
  if (link && beatSocket !== undefined) {
    startBeatThread(beatSocket, link.counter);
    link.beatRarely();
  }
  if (link instanceof ServiceLink) startHangGuard({ logFile: serviceLogFile(locateFiles(argv, process.env).dataDir) });
  const stop = listenForStop(link);
  const end = await runConfigured(argv, stop, link);
  if (stop.isParentLost()) process.exit(EXIT.parentLost);
  const code = stop.isRestart() ? EXIT.restart : end.code;
  // Before a long wait: nobody must take a service that waits for one that works.
  await link?.goodbye(code, end.reason);
  if (service) {
    const say = (line: string) => void process.stderr.write(line);
    await waitBeforeRestart({ ...end, ...locateFiles(argv, process.env), signal: stop.signal, say });
    // A service that is stopped while it waits has not failed.
    if (stop.signal.aborted && !stop.isRestart()) process.exit(EXIT.stopped);
  }
  process.exit(code);
}

/** Null for an agent that is no system service, and for errands, which nobody connects with. */
function openServiceLink(argv: readonly string[]): ServiceLink | null {
  const { flags } = parseFlags(argv);
  const isErrand = flags.doctor || flags.status || flags.printSettings || flags.supportBundle !== undefined;
  if (!flags.service || isErrand) return null;
  const link = new ServiceLink({ version: VERSION });
  const { configPath } = locateFiles(argv, process.env);
  link.serveOwn(serviceCalls({ configPath, restart: () => link.restart() }));
  return link;
}

/** Lets the desktop applications of this machine in, once the data folder is this agent's. */
async function openToClients(link: ParentLink | null, argv: readonly string[], log: Logger): Promise<void> {
  const path = parseFlags(argv).flags.serviceSocket ?? serviceSocketPath(process.platform);
  if (link instanceof ServiceLink) await link.listen(path, log);
}

async function runConfigured(argv: readonly string[], stop: StopOrder, link: ParentLink | null): Promise<End> {
  const { flags } = parseFlags(argv);
  const keptToken = (flags.tokenByParent ? await link?.token(TOKEN_LIMIT_MS) : undefined) ?? undefined;
  const loaded = loadConfig(argv, process.env, undefined, keptToken);
  if (flags.doctor) return { code: await runDoctor(loaded, flags), reason: 'The diagnosis has ended.' };
  if (flags.supportBundle !== undefined) {
    // A running node never needs what packs it.
    const { runSupportBundle } = await import('./doctor/support-bundle/run-support-bundle.ts');
    const files = locateFiles(argv, process.env);
    const order = { ...flags, ...files, file: flags.supportBundle, loaded, signal: stop.signal };
    return { code: await runSupportBundle(order), reason: 'The support bundle has ended.' };
  }
  if (loaded.kind === 'ok' && flags.status) {
    const isFresh = printStatus(loaded.config.dataDir, flags.json, (text) => process.stdout.write(text));
    return { code: isFresh ? EXIT.stopped : EXIT.doctorFoundProblems, reason: 'The status has been printed.' };
  }
  if (loaded.kind === 'ok' && flags.printSettings)
    return { code: await runPrintSettings(loaded.config, flags), reason: 'The settings have been printed.' };
  if (loaded.kind === 'ok') return run(loaded, argv, stop, link);
  if (link && isConfigAbsent(argv)) return waitForSetUp(link, argv, stop.signal);
  const problems = loaded.problems.map((problem) => `- ${problem}\n`).join('');
  process.stderr.write(`The configuration is wrong; nothing was started.\n${problems}`);
  return { code: EXIT.configInvalid, reason: loaded.problems.join('\n') };
}

/** Where a crash is written: standard error, until the log is open and strikes out the secrets. */
let writeCrash = (stack: string): void => {
  process.stderr.write(`Ended by a mistake in the program: ${stack}\n`);
};

async function crash(link: ParentLink | null, thrown: Error): Promise<never> {
  writeCrash(thrown.stack ?? thrown.message);
  await link?.goodbye(EXIT.crash, `A mistake in the program: ${thrown.message}`);
  process.exit(EXIT.crash);
}

/** Whether config.ini is named and does not exist yet: the case of the set-up assistant. A file that cannot be read exists. */
function isConfigAbsent(argv: readonly string[]): boolean {
  const { flags, problems } = parseFlags(argv);
  if (problems.length > 0 || flags.config === undefined || Object.keys(flags.settings).length > 0) return false;
  try {
    return statSync(flags.config, { throwIfNoEntry: false }) === undefined;
  } catch {
    // ignored because what cannot be looked at is no absent file; loading has said what is wrong
    return false;
  }
}

/** What this process is before it knows more. */
const bareIdentity = (): NodeIdentity => ({
  storageGatewayId: '',
  workerId: '',
  version: VERSION,
  host: hostname(),
  startedMs: Math.round(systemClock.wallMs() - process.uptime() * 1_000),
  dataDir: '',
  iconikUrl: '',
});

/** Without config.ini there is nothing to run: the agent helps the set-up assistant until it is started anew. */
async function waitForSetUp(link: ParentLink, argv: readonly string[], signal: AbortSignal): Promise<End> {
  const log = createLogger([createConsoleSink(process.stderr)], () => systemClock.wallMs());
  const dataDir = parseFlags(argv).flags.dataDir ?? '';
  const operator = new Operator({
    link,
    log,
    identity: { ...bareIdentity(), dataDir },
    httpsProxy: undefined,
    first: {
      phase: 'set-up',
      reason: 'This node is not set up yet: there is no config.ini. The set-up assistant writes it.',
      isDuplicate: false,
    },
  });
  const lock = link instanceof ServiceLink ? await openForSetUp(link, { argv, operator, log, signal }) : null;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await operator.close();
  lock?.release();
  return STOPPED;
}

/** A config.ini that somebody writes by hand is looked for this often. */
const LOOK_FOR_CONFIG_MS = 2_000;

/**
 * Lets the set-up assistants of this machine in. A config.ini that appears while nobody is connected was written by hand: the
 * service starts anew with it. An assistant asks for that itself when it has finished.
 */
async function openForSetUp(
  link: ServiceLink,
  { argv, ...parts }: { argv: readonly string[]; operator: Operator; log: Logger; signal: AbortSignal },
): Promise<FileLock | null> {
  const { dataDir } = locateFiles(argv, process.env);
  const lock = await holdDataFolder({ dataDir, noWait: false }, parts);
  if (lock === null) return null;
  await openToClients(link, argv, parts.log);
  const looking = setInterval(() => {
    if (!link.hasClients() && !isConfigAbsent(argv)) link.restart();
  }, LOOK_FOR_CONFIG_MS);
  parts.signal.addEventListener('abort', () => clearInterval(looking), { once: true });
  return lock;
}

function createOperator(link: ParentLink, config: NodeConfig, agentLog: AgentLog): Operator {
  link.redactBy(agentLog.redact);
  link.onSilence((silentMs) =>
    agentLog.log.warn(
      `The desktop application has been silent for ${Math.round(silentMs / 1_000)} s; the node goes on`,
    ),
  );
  const { storageGatewayId, dataDir, iconikUrl, httpsProxy } = config;
  return new Operator({
    link,
    log: agentLog.log,
    logView: agentLog.view,
    identity: { ...bareIdentity(), storageGatewayId, dataDir, iconikUrl },
    httpsProxy,
    diagnose: (embeddedUri) => diagnoseNode(config, embeddedUri),
    first: {
      phase: 'waiting-for-iconik',
      reason: 'The node is starting: it asks iconik for its settings.',
      isDuplicate: false,
    },
  });
}

async function run(
  { config, warnings, text }: Extract<LoadedConfig, { kind: 'ok' }>,
  argv: readonly string[],
  stop: StopOrder,
  link: ParentLink | null,
): Promise<End> {
  const agentLog = createAgentLog(config, (records) => link?.sendLog(records.map(toLogLine)));
  const { log } = agentLog;
  writeCrash = (stack) => {
    log.error('Ended by a mistake in the program', { stack });
    agentLog.close();
  };
  stop.announce(log);
  for (const warning of warnings) log.warn(warning);
  const operator = link ? createOperator(link, config, agentLog) : undefined;
  const follower = followConfigFile(config, { argv, text, env: process.env, log, hide: agentLog.hide });
  try {
    const onLocked = () => openToClients(link, argv, log);
    return await runOnDataFolder(config, { agentLog, stop, operator, follower, onLocked });
  } finally {
    follower?.stop();
    await operator?.close();
    await agentLog.view.close();
    agentLog.close();
  }
}

interface Parts {
  agentLog: AgentLog;
  stop: StopOrder;
  operator: Operator | undefined;
  /** null when no file is followed. */
  follower: ConfigFollower | null;
  /** The data folder is this agent's from now on. */
  onLocked: () => Promise<void>;
}

async function runOnDataFolder(config: NodeConfig, parts: Parts): Promise<End> {
  const { agentLog, stop, operator, follower } = parts;
  const { log } = agentLog;
  const lock = await holdDataFolder(config, { log, operator, signal: stop.signal });
  if (!lock) return stop.signal.aborted ? STOPPED : { code: EXIT.duplicateRefused, reason: folderTaken(config) };
  try {
    await parts.onLocked();
    log.info(`ISG Pro ${VERSION} starts`, { storageGatewayId: config.storageGatewayId, dataDir: config.dataDir });
    const installation = await loadInstallation(config.dataDir);
    const { workerId, copiedFrom } = installation;
    if (copiedFrom !== null)
      log.warn('The data folder is a copy, or was moved or restored: this node takes a worker id of its own', {
        workerId,
        copiedFrom,
      });
    operator?.identify(workerId);
    const keeper = createStatusKeeper(config, workerId, agentLog);
    const observer = observers(operator ? [operator, keeper] : [keeper]);
    const onConfigChange = (listener: () => void) => follower?.subscribe(listener) ?? (() => undefined);
    const host = { config, installation, onConfigChange, ...agentLog, observer };
    try {
      while (!stop.signal.aborted) {
        const again = new AbortController();
        const stopSignal = AbortSignal.any([stop.signal, again.signal]);
        await runNode({ ...host, stopSignal, restart: () => again.abort() });
      }
    } finally {
      await keeper.close();
    }
    log.info('Stopped');
    return STOPPED;
  } catch (thrown) {
    return endOf(thrown, log);
  } finally {
    lock.release();
  }
}

function createStatusKeeper(config: NodeConfig, workerId: string, { log, logStatus }: AgentLog): StatusKeeper {
  const { storageGatewayId, dataDir, iconikUrl, metricsPort } = config;
  return new StatusKeeper({
    identity: { ...bareIdentity(), workerId, storageGatewayId, dataDir, iconikUrl },
    log,
    metricsPort,
    logStanding: () => {
      const { shipping, keeper } = logStatus();
      const waitingRecords = shipping ? Math.max(0, shipping.lastSeq - shipping.shippedSeq) : null;
      return { waitingRecords, bytes: keeper.bytes };
    },
  });
}

const folderTaken = ({ dataDir }: Pick<NodeConfig, 'dataDir'>): string =>
  `Another agent works with the data folder ${dataDir}. Stop it, or give this one a folder of its own.`;

// Another process works with this data folder; it may be on its way out.
async function holdDataFolder(
  config: Pick<NodeConfig, 'dataDir' | 'noWait'>,
  { log, operator, signal }: { log: Logger; operator: Operator | undefined; signal: AbortSignal },
): Promise<FileLock | null> {
  for (let said = false; !signal.aborted; said = true) {
    const lock = lockDataFolder(config.dataDir);
    if (lock) return lock;
    if (config.noWait) {
      log.error(folderTaken(config));
      return null;
    }
    if (!said) log.warn(`Another agent works with the data folder ${config.dataDir}; waiting for it to end`);
    operator?.heldUp(folderTaken(config));
    await systemClock.sleep(1_000, signal).catch(() => {});
  }
  return null;
}

function endOf(thrown: unknown, log: Logger): End {
  if (thrown instanceof DuplicateRefusedError) {
    log.error(thrown.message);
    return { code: EXIT.duplicateRefused, reason: thrown.message };
  }
  const error = coerceError(thrown);
  log.error(error.message, { code: error.code });
  const code = EXIT_OF_CODE[error.code];
  if (code === undefined && error.cause instanceof Error)
    log.error('Ended by a mistake in the program', { stack: error.cause.stack });
  return { code: code ?? EXIT.crash, reason: error.message };
}
