import { createAgentLog } from './agent-log.ts';
import { runNode } from './app.ts';
import { type FileLock, lockDataFolder } from './cache/data-folder-lock.ts';
import { loadInstallation } from './cache/installation.ts';
import { DuplicateRefusedError } from './cluster-node.ts';
import { loadConfig, type NodeConfig } from './config/load-config.ts';
import { EXIT } from './contract/index.ts';
import { runDoctor } from './doctor/run-doctor.ts';
import { systemClock } from './runtime/clock.ts';
import { coerceError } from './runtime/errors.ts';
import type { Logger } from './runtime/logger.ts';
import { VERSION } from './version.ts';

/** Entry of the agent: flags, configuration, data folder, then the node until a signal stops it. */

const EXIT_OF_CODE: Partial<Record<string, number>> = {
  'schema-too-new': EXIT.schemaTooNew,
  'other-cluster': EXIT.otherCluster,
  'config-invalid': EXIT.configInvalid,
};
/** How long an orderly stop may take; then the process ends anyway, and leases lapse. */
const STOP_LIMIT_MS = 20_000;

function stopSignal(log: Logger): AbortSignal {
  const stop = new AbortController();
  const onSignal = (name: string) => {
    if (stop.signal.aborted) process.exit(EXIT.stopped);
    log.info(`Stopping (${name})`);
    stop.abort();
    setTimeout(() => process.exit(EXIT.stopped), STOP_LIMIT_MS).unref();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return stop.signal;
}

// Another process works with this data folder; it may be on its way out.
async function holdDataFolder(config: NodeConfig, log: Logger, signal: AbortSignal): Promise<FileLock | null> {
  for (let said = false; !signal.aborted; said = true) {
    const lock = lockDataFolder(config.dataDir);
    if (lock) return lock;
    if (config.noWait) {
      log.error(
        `Another agent works with the data folder ${config.dataDir}. Stop it, or give this one a folder of its own.`,
      );
      return null;
    }
    if (!said) log.warn(`Another agent works with the data folder ${config.dataDir}; waiting for it to end`);
    await systemClock.sleep(1_000, signal).catch(() => {});
  }
  return null;
}

async function run(config: NodeConfig, warnings: readonly string[]): Promise<number> {
  const agentLog = createAgentLog(config);
  const { log } = agentLog;
  process.on('uncaughtException', (thrown) => {
    log.error('Ended by a mistake in the program', { stack: thrown.stack ?? thrown.message });
    process.exit(EXIT.crash);
  });
  const signal = stopSignal(log);
  for (const warning of warnings) log.warn(warning);
  const lock = await holdDataFolder(config, log, signal);
  if (!lock) {
    agentLog.close();
    return signal.aborted ? EXIT.stopped : EXIT.duplicateRefused;
  }
  try {
    log.info(`ISG Pro ${VERSION} starts`, { storageGatewayId: config.storageGatewayId, dataDir: config.dataDir });
    const installation = await loadInstallation(config.dataDir);
    await runNode({ config, installation, ...agentLog, stopSignal: signal });
    log.info('Stopped');
    return EXIT.stopped;
  } catch (thrown) {
    return exitCodeOf(thrown, log);
  } finally {
    agentLog.close();
    lock.release();
  }
}

function exitCodeOf(thrown: unknown, log: Logger): number {
  if (thrown instanceof DuplicateRefusedError) {
    log.error(thrown.message);
    return EXIT.duplicateRefused;
  }
  const error = coerceError(thrown);
  log.error(error.message, { code: error.code });
  const code = EXIT_OF_CODE[error.code];
  if (code === undefined && error.cause instanceof Error)
    log.error('Ended by a mistake in the program', { stack: error.cause.stack });
  return code ?? EXIT.crash;
}

const loaded = loadConfig(process.argv.slice(2), process.env);
if (loaded.kind === 'invalid') {
  process.stderr.write(
    `The configuration is wrong; nothing was started.\n${loaded.problems.map((problem) => `- ${problem}\n`).join('')}`,
  );
  process.exit(EXIT.configInvalid);
}
process.exit(loaded.config.doctor ? await runDoctor(loaded.config) : await run(loaded.config, loaded.warnings));
