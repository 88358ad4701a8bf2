import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import log from 'electron-log/node';
import type { LogLevel, LogRecord, LogSink } from './logger.ts';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Nested fields are shown and redacted to this depth; deeper ones are replaced, so that a cycle ends. */
const MAX_DEPTH = 6;

/** A copy of a field that is plain data, with every string passed through `onText`. Errors keep name, code and message. */
function plain(value: unknown, onText: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return onText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof URL) return onText(value.href);
  if (value instanceof Error) {
    const { name, message, cause } = value;
    const shown = { name, ...Object.fromEntries(Object.entries(value)), message, cause };
    return plain(shown, onText, depth);
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON(), onText, depth + 1);
  if (Array.isArray(value)) return value.map((item) => plain(item, onText, depth + 1));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  if (value instanceof Set) return [...value].map((item) => plain(item, onText, depth + 1));
  return Object.fromEntries(
    entries
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [onText(String(key)), plain(item, onText, depth + 1)]),
  );
}

/** One line: time (UTC), level, message, fields as JSON. Never contains a line break. */
export function formatLogLine(record: LogRecord): string {
  const fields = plain(record.fields, (text) => text);
  const isEmpty = Object.keys(record.fields).length === 0;
  const message = record.message.replaceAll(/[\r\n]+/g, ' ⏎ ');
  const level = record.level.toUpperCase().padEnd(5);
  return `${new Date(record.atMs).toISOString()} ${level} ${message}${isEmpty ? '' : ` ${JSON.stringify(fields)}`}`;
}

/** Passes on records of at least the level that `least` names at that moment. */
export function createLevelFilter(least: () => LogLevel, sink: LogSink): LogSink {
  return (record) => {
    if (RANK[record.level] >= RANK[least()]) sink(record);
  };
}

/** Writes lines to a stream (headless: process.stderr or stdout). A stream that is gone is not an error. */
export function createConsoleSink(stream: { write(text: string): unknown }): LogSink {
  return (record) => {
    try {
      stream.write(`${formatLogLine(record)}\n`);
    } catch {
      // ignored because nobody reads this stream any more, and a sink must not throw
    }
  };
}

/** How the text file is kept. */
export interface LogFileOptions {
  /** Folder of the file; made if missing. */
  folder: string;
  /** Name without `.log`; default `agent`. Rotated files are `name.1.log` (newest) and up. */
  name?: string;
  /** Size at which a new file is begun; default 5 MB. */
  maxBytes?: number;
  /** Rotated files that are kept; default 4. */
  keep?: number;
}

/** Writes lines to a rotating text file by electron-log. A full or vanished disk loses lines but never throws. */
export function createFileSink(options: LogFileOptions): LogSink {
  const { folder, name = 'agent', maxBytes = 5_000_000, keep = 4 } = options;
  const logger = log.create({ logId: `file:${join(folder, name)}` });
  for (const transport of Object.values(logger.transports)) if (transport) transport.level = false;
  const file = logger.transports.file;
  file.resolvePathFn = () => join(folder, `${name}.log`);
  file.maxSize = maxBytes;
  file.writeOptions = { flag: 'a', mode: 0o640, encoding: 'utf8' };
  file.archiveLogFn = () => {
    const rotated = (n: number) => join(folder, n === 0 ? `${name}.log` : `${name}.${n}.log`);
    for (let n = keep - 1; n >= 0; n -= 1) if (existsSync(rotated(n))) renameSync(rotated(n), rotated(n + 1));
  };
  // our lines are finished; electron-log's own formatting would read "%" in them
  file.transforms = [({ data }) => data];
  return (record) => {
    try {
      file.getFile();
      file({ data: formatLogLine(record), date: new Date(record.atMs), level: 'info' } as never);
    } catch {
      // ignored because a log must never be the reason for the agent to stop; the other sinks still have the record
    }
  };
}

/** The last lines of the log, as telemetry sends them. */
export interface LineRing {
  sink: LogSink;
  /** Newest last. */
  lines(): string[];
  /** Lines of level error, newest last. */
  errorLines(): string[];
}

/** Keeps the last `lines` lines and `errorLines` error lines, each cut to `maxChars` (reference C.6: 50, 10, 2000). */
export function createLineRing(limits: { lines: number; errorLines: number; maxChars: number }): LineRing {
  const lines: string[] = [];
  const errorLines: string[] = [];
  const keep = (list: string[], line: string, limit: number) => {
    list.push(line);
    if (list.length > limit) list.shift();
  };
  return {
    sink: (record) => {
      const line = formatLogLine(record).slice(0, limits.maxChars);
      keep(lines, line, limits.lines);
      if (record.level === 'error') keep(errorLines, line, limits.errorLines);
    },
    lines: () => [...lines],
    errorLines: () => [...errorLines],
  };
}

/** Shorter values are words that occur by chance; replacing them would hide the log, not the secret. */
const SHORTEST_SECRET = 4;

/**
 * Wraps sinks so that no known secret gets out: every occurrence of a value that `secrets()` lists at that moment, plain or
 * percent-encoded, becomes `***`, in messages and in fields at any depth. List a database password by itself as well as in
 * its URI. Values shorter than 4 characters are not looked for.
 */
export function createRedactor(secrets: () => readonly string[]): (sink: LogSink) => LogSink {
  const redact = (text: string, values: readonly string[]): string => {
    let result = text;
    for (const value of values) result = result.replaceAll(value, '***');
    return result;
  };
  const forms = (): string[] =>
    secrets()
      .filter((value) => value.length >= SHORTEST_SECRET)
      .flatMap((value) => [value, encodeURIComponent(value)])
      .sort((a, b) => b.length - a.length);
  return (sink) => (record) => {
    const values = forms();
    const onText = (text: string) => redact(text, values);
    const fields = plain(record.fields, onText) as LogRecord['fields'];
    sink({ ...record, message: onText(record.message), fields });
  };
}
