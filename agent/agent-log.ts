import { join } from 'node:path';
import { createLogCache, type LogCache, type LogCacheStatus, type ShippingTarget } from './cache/log/log-cache.ts';
import type { StoredLogRecord } from './cache/log/log-encoding.ts';
import { createLogView, type LogView } from './cache/log-view/log-view.ts';
import { startLogThread } from './cluster/log-shipping/start-log-thread.ts';
import type { NodeConfig } from './config/load-config.ts';
import { LOG_LEVELS } from './contract/index.ts';
import { systemClock } from './runtime/clock.ts';
import {
  createConsoleSink,
  createFileSink,
  createLevelFilter,
  createLineRing,
  createRedactor,
  createStormGuard,
  createTextRedactor,
  type LineRing,
  TEXT_PACE,
} from './runtime/log-sinks.ts';
import { createLogger, type Logger, type LogLevel, type LogRecord, type LogSink } from './runtime/logger.ts';
import { createRepeatCounter } from './runtime/repeat-counter.ts';
import { createSubjectLineRing } from './runtime/subject-line-ring.ts';

/** The agent's log: text file and SQLite cache in the data folder, standard error, and the newest lines for telemetry. */
export interface AgentLog {
  log: Logger;
  lines: () => string[];
  errorLines: () => string[];
  /** The newest lines about a storage or about none, for its report. */
  linesAbout: (storageId: string) => { log: string[]; error: string[] };
  /** Names a value that must never get out, beside those of the configuration. */
  hide: (secret: string) => void;
  /** A text without the values that must never get out. */
  redact: (text: string) => string;
  /** Pages of the stored records; to be closed before the log. */
  view: LogView;
  /** Ships the log to the cluster's database from now on; null = no more. */
  shipLog: (target: ShippingTarget | null) => void;
  /** Whether jobs run: shipping then steps back. */
  setLogBusy: (isBusy: boolean) => void;
  /** How the log's cache and its shipping stand. */
  logStatus: () => LogCacheStatus;
  /** Waits until what is buffered is on disk, 2 s at most; call last. */
  close: () => void;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // ignored because a password with a stray % is meant as it stands
    return text;
  }
}

/** For the pace of lines: asked for each record, and whether the machine slept in between does not matter. */
const paceMs = () => performance.now();

/** Limits of what travels with telemetry and report (reference C.5, C.6). */
const RING = { lines: 50, errorLines: 10, maxChars: 2_000 };

/**
 * Opens the log of an agent; every sink is behind one redactor. `onWritten` is told of each record once it is stored; it must
 * not log.
 */
export function createAgentLog(
  config: NodeConfig,
  onWritten: (records: readonly StoredLogRecord[]) => void = () => undefined,
): AgentLog {
  const secrets = new Set([config.authToken.reveal()]);
  if (config.dbConnectionUri) {
    const uri = config.dbConnectionUri.reveal();
    secrets.add(uri);
    const password = URL.canParse(uri) ? decoded(new URL(uri).password) : '';
    if (password !== '') secrets.add(password);
  }
  if (config.httpsProxy) secrets.add(config.httpsProxy);
  const redacted = createRedactor(() => [...secrets]);
  const ring = createLineRing(RING);
  const byStorage = createSubjectLineRing(
    ({ fields: { storageId } }) => (typeof storageId === 'string' ? storageId : null),
    RING,
  );
  const storePath = join(config.dataDir, 'cache', 'log.db');
  const store = createLogCache({
    path: storePath,
    capBytes: config.logCacheMegabytes * 1_000_000,
    retentionMs: config.logRetentionDays * 86_400_000,
    startThread: startLogThread,
    onTold: (level, message, fields) => log[level](message, fields),
    onWritten,
  });
  const paced = (sink: LogSink) => createStormGuard(sink, TEXT_PACE, paceMs);
  const configured = (sink: LogSink) => createLevelFilter(() => config.logLevel, sink);
  const sinks = [
    configured(paced(createFileSink({ folder: join(config.dataDir, 'logs') }))),
    configured((record) => store.sink(record)),
    configured(paced(createConsoleSink(process.stderr))),
    createLevelFilter(() => 'info', ring.sink),
    createLevelFilter(() => 'info', byStorage.sink),
  ];
  const { sink, close: closeRepeats } = countRepeats((record) => {
    for (const each of sinks) each(record);
  });
  // redacted once for all sinks, and only what one of them wants
  const log = createLogger([createLevelFilter(() => lower(config.logLevel, 'info'), redacted(sink))], () =>
    systemClock.wallMs(),
  );
  void recallLines(store, ring, systemClock.wallMs());
  return {
    log,
    lines: () => ring.lines(),
    errorLines: () => ring.errorLines(),
    linesAbout: (storageId) => byStorage.about(storageId),
    hide: (secret) => secrets.add(secret),
    redact: createTextRedactor(() => [...secrets]),
    view: createLogView(storePath),
    shipLog: (target) => store.shipTo(target),
    setLogBusy: (isBusy) => store.setBusy(isBusy),
    logStatus: () => store.status(),
    close: () => {
      closeRepeats();
      store.close();
    },
  };
}

/** So that iconik gets the last lines before a restart, too: what was wrong while it could not be told. */
async function recallLines(store: LogCache, ring: LineRing, beganMs: number): Promise<void> {
  const before = { text: '', mention: null, fromMs: null, toMs: beganMs - 1 };
  const errors = await store.lookBack(null, RING.errorLines, { ...before, minLevel: 'error' });
  const others = await store.lookBack(null, RING.lines, { ...before, minLevel: 'info' });
  const known = new Set(others.records.map(({ seq }) => seq));
  ring.precede([...errors.records.filter(({ seq }) => !known.has(seq)), ...others.records]);
}

const lower = (a: LogLevel, b: LogLevel): LogLevel => (LOG_LEVELS.indexOf(a) < LOG_LEVELS.indexOf(b) ? a : b);

/** How often it is looked whether a repeated failure is to be told of. */
const TELL_EVERY_MS = 10_000;

/** A sink that counts repeated failures instead of passing them on (runtime/repeat-counter.ts). */
function countRepeats(onward: LogSink): { sink: LogSink; close: () => void } {
  const repeats = createRepeatCounter();
  const pass = (records: readonly LogRecord[]) => {
    for (const record of records) onward(record);
  };
  const timer = setInterval(() => pass(repeats.tell(paceMs())), TELL_EVERY_MS).unref();
  return {
    sink: (record) => pass(repeats.take(record, paceMs())),
    close: () => {
      clearInterval(timer);
      pass(repeats.end());
    },
  };
}
