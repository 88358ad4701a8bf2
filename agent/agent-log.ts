import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogStore, type LogFilter, type LogLook, type StoredLogRecord } from './cache/log-store.ts';
import type { NodeConfig } from './config/load-config.ts';
import { systemClock } from './runtime/clock.ts';
import {
  createConsoleSink,
  createFileSink,
  createLevelFilter,
  createLineRing,
  createRedactor,
} from './runtime/log-sinks.ts';
import { createLogger, type Logger } from './runtime/logger.ts';
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
  /** One bounded look back into the stored records (cache/log-store.ts). */
  lookBack: (beforeSeq: number | null, limit: number, filter: LogFilter) => LogLook;
  /** Writes what is still buffered; call last. */
  close: () => void;
}

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
  if (config.dbConnectionUri) secrets.add(config.dbConnectionUri.reveal());
  if (config.httpsProxy) secrets.add(config.httpsProxy);
  const redacted = createRedactor(() => [...secrets]);
  const ring = createLineRing(RING);
  const byStorage = createSubjectLineRing(
    ({ fields: { storageId } }) => (typeof storageId === 'string' ? storageId : null),
    RING,
  );
  mkdirSync(join(config.dataDir, 'cache'), { recursive: true });
  const store = createLogStore({
    path: join(config.dataDir, 'cache', 'log.db'),
    onTrouble: (words) => process.stderr.write(`${words}\n`),
    onWritten,
  });
  const filtered = (sink: Parameters<typeof redacted>[0]) => createLevelFilter(() => config.logLevel, redacted(sink));
  const sinks = [
    filtered(createFileSink({ folder: join(config.dataDir, 'logs') })),
    filtered((record) => store.sink(record)),
    filtered(createConsoleSink(process.stderr)),
    createLevelFilter(() => 'info', redacted(ring.sink)),
    createLevelFilter(() => 'info', redacted(byStorage.sink)),
  ];
  return {
    log: createLogger(sinks, () => systemClock.wallMs()),
    lines: () => ring.lines(),
    errorLines: () => ring.errorLines(),
    linesAbout: (storageId) => byStorage.about(storageId),
    hide: (secret) => secrets.add(secret),
    redact: (text) => {
      let clean = text;
      redacted((record) => {
        clean = record.message;
      })({ level: 'info', message: text, fields: {}, atMs: 0 });
      return clean;
    },
    lookBack: (beforeSeq, limit, filter) => store.lookBack(beforeSeq, limit, filter),
    close: () => store.close(),
  };
}
