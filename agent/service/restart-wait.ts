import { statSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../contract/index.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { createFileSink } from '../runtime/log-sinks.ts';
import { createLogger } from '../runtime/logger.ts';

/** Ends that no restart mends: somebody has to change config.ini, the program or the database. */
const PERMANENT: ReadonlySet<number> = new Set([
  EXIT.configInvalid,
  EXIT.schemaTooNew,
  EXIT.schemaFailed,
  EXIT.otherCluster,
]);

/** Longest wait before the service manager may start the agent again; the desktop application's longest, too. */
const LONG_WAIT_MS = 60_000;
/** Between two looks at config.ini. */
const LOOK_MS = 1_000;

const LOG_FOLDER = 'logs';
const LOG_NAME = 'service';

/** The file in the data folder that says why a service did not start, or ended itself. */
export const serviceLogFile = (dataDir: string): string => join(dataDir, LOG_FOLDER, `${LOG_NAME}.log`);

/** What decides how long a service waits before it ends. */
export interface RestartWait {
  /** The exit code that is coming, and why. */
  code: number;
  reason: string;
  configPath: string;
  /** Its folder `logs` gets service.log: not every service manager keeps what a service prints. */
  dataDir: string;
  signal: AbortSignal;
  say: (line: string) => void;
  clock?: Clock;
}

/**
 * Service managers start an agent again after every end, within seconds. Where that cannot help, the agent waits here before
 * it ends: 60 s, or until config.ini changes (appears, too), or until it is stopped. So a mended config.ini counts within
 * seconds, and one that stays wrong costs a start a minute, whatever the service manager. Never throws.
 */
export async function waitBeforeRestart(wait: RestartWait): Promise<void> {
  const { code, configPath, signal, say, clock = systemClock } = wait;
  if (!PERMANENT.has(code) || signal.aborted) return;
  noteReason(wait);
  say(`The service looks again in ${LONG_WAIT_MS / 1_000} s, or as soon as ${configPath} changes.\n`);
  const before = markOf(configPath);
  const deadlineMs = clock.monotonicMs() + LONG_WAIT_MS;
  while (!signal.aborted && clock.monotonicMs() < deadlineMs && markOf(configPath) === before) {
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}

// The other ends stand in agent.log already; without a configuration there is no such log.
function noteReason({ code, reason, dataDir, clock = systemClock }: RestartWait): void {
  if (code !== EXIT.configInvalid) return;
  const sink = createFileSink({ folder: join(dataDir, LOG_FOLDER), name: LOG_NAME });
  createLogger([sink], () => clock.wallMs()).error(`The configuration is wrong; nothing was started. ${reason}`);
}

/** Changes whenever the file is written, replaced, removed or becomes readable. */
function markOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable';
  }
}
