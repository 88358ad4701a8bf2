/** Levels in order of severity. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured facts beside a message; never secrets. Known keys: role, jobId, storageId, term, error. */
export type LogFields = Record<string, unknown>;

/** One record as the sinks get it. */
export interface LogRecord {
  level: LogLevel;
  message: string;
  fields: LogFields;
  /** Wall clock, milliseconds since the epoch; a label only. */
  atMs: number;
}

/** Where records go (text file, console, ring for telemetry). A sink must not throw. */
export type LogSink = (record: LogRecord) => void;

/** Writes log records. `child` adds fields to every record. */
export interface Logger {
  debug: (message: string, fields?: LogFields) => void;
  info: (message: string, fields?: LogFields) => void;
  warn: (message: string, fields?: LogFields) => void;
  error: (message: string, fields?: LogFields) => void;
  child: (fields: LogFields) => Logger;
}

/** A logger that hands each record to all sinks. */
export function createLogger(sinks: readonly LogSink[], wallMs: () => number, base: LogFields = {}): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = {}) => {
    const record: LogRecord = { level, message, fields: { ...base, ...fields }, atMs: wallMs() };
    for (const sink of sinks) sink(record);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => createLogger(sinks, wallMs, { ...base, ...fields }),
  };
}

/** A logger that says nothing; for tests of things that log. */
export const silentLogger: Logger = createLogger([], () => 0);
