import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import log from 'electron-log/node';
import { safeFields, safeText } from '../contract/index.ts';
import type { LogLevel, LogRecord, LogSink } from './logger.ts';
import { calm, type StormLimits, takeLine } from './storm-state.ts';
import { withoutUrlSecrets } from './url-secrets.ts';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One line: time (UTC), level, message, fields as JSON. Never contains a line break. */
export function formatLogLine(record: LogRecord): string {
  const fields = safeFields(record.fields);
  const isEmpty = Object.keys(record.fields).length === 0;
  const message = safeText(record.message).replaceAll(/[\r\n]+/g, ' ⏎ ');
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
  /** Rotated files older than this go when the next line is rotated out, and at the start; default 30 days. */
  maxAgeMs?: number;
}

const DAY_MS = 86_400_000;

/** Removes rotated files that were last written too long ago. What cannot be removed now is tried again at the next rotation. */
function removeOld(folder: string, name: string, maxAgeMs: number): void {
  try {
    for (const file of readdirSync(folder)) {
      const isRotated = file.startsWith(`${name}.`) && /^\d+\.log$/.test(file.slice(name.length + 1));
      if (!isRotated) continue;
      const path = join(folder, file);
      if (Date.now() - statSync(path).mtimeMs > maxAgeMs) rmSync(path, { force: true });
    }
  } catch {
    // ignored because the folder may not be there yet, and a log must never be the reason for the agent to stop
  }
}

/** Writes lines to a rotating text file by electron-log. A full or vanished disk loses lines but never throws. */
export function createFileSink(options: LogFileOptions): LogSink {
  const { folder, name = 'agent', maxBytes = 5_000_000, keep = 4, maxAgeMs = 30 * DAY_MS } = options;
  removeOld(folder, name, maxAgeMs);
  const logger = log.create({ logId: `file:${join(folder, name)}` });
  for (const transport of Object.values(logger.transports)) if (transport) transport.level = false;
  const file = logger.transports.file;
  // a service starts in "/", where electron-log finds no package.json to name its own folder by, and writes nothing
  file.setAppName('isg-pro');
  const path = join(folder, `${name}.log`);
  file.resolvePathFn = () => path;
  file.maxSize = maxBytes;
  file.writeOptions = { flag: 'a', mode: 0o640, encoding: 'utf8' };
  file.archiveLogFn = () => {
    const rotated = (n: number) => join(folder, n === 0 ? `${name}.log` : `${name}.${n}.log`);
    for (let n = keep - 1; n >= 0; n -= 1) if (existsSync(rotated(n))) renameSync(rotated(n), rotated(n + 1));
    removeOld(folder, name, maxAgeMs);
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
  /** Puts records of an earlier run before all others, as far as there is room; oldest first. */
  precede(records: readonly LogRecord[]): void;
}

/** Keeps the last `lines` lines and `errorLines` error lines, each cut to `maxChars` (reference C.6: 50, 10, 2000). */
export function createLineRing(limits: { lines: number; errorLines: number; maxChars: number }): LineRing {
  // Made into lines only when somebody asks: in a storm nearly all are replaced before that.
  const all: LogRecord[] = [];
  const errors: LogRecord[] = [];
  const keep = (list: LogRecord[], record: LogRecord, limit: number) => {
    list.push(record);
    if (list.length > limit) list.shift();
  };
  const asLines = (records: readonly LogRecord[]) =>
    records.map((record) => formatLogLine(record).slice(0, limits.maxChars));
  return {
    sink: (record) => {
      keep(all, record, limits.lines);
      if (record.level === 'error') keep(errors, record, limits.errorLines);
    },
    lines: () => asLines(all),
    errorLines: () => asLines(errors),
    precede: (records) => {
      const fill = (list: LogRecord[], some: readonly LogRecord[], limit: number) => {
        const room = limit - list.length;
        if (room > 0) list.unshift(...some.slice(-room));
      };
      fill(all, records, limits.lines);
      fill(
        errors,
        records.filter(({ level }) => level === 'error'),
        limits.errorLines,
      );
    },
  };
}

/** Shorter values are words that occur by chance; replacing them would hide the log, not the secret. */
const SHORTEST_SECRET = 4;

/**
 * Strikes secrets out of texts: every occurrence of a value that `secrets()` lists at that moment, plain or percent-encoded,
 * becomes `***`, and so do passwords and signatures of URLs that nobody listed. List a database password by itself as well
 * as in its URI. Values shorter than 4 characters are not looked for.
 */
export function createTextRedactor(secrets: () => readonly string[]): (text: string) => string {
  let known: readonly string[] = [];
  let knownForms: string[] = [];
  const forms = (): string[] => {
    const values = secrets();
    // They hardly ever change, and this runs for every text of the log.
    if (values.length === known.length && values.every((value, at) => value === known[at])) return knownForms;
    known = [...values];
    const long = values.filter((value) => value.length >= SHORTEST_SECRET);
    // Most look the same in both forms, and each costs a search in every text.
    const different = new Set(long.flatMap((value) => [value, encodeURIComponent(value)]));
    knownForms = [...different].sort((a, b) => b.length - a.length);
    return knownForms;
  };
  return (text) => {
    let result = text;
    for (const value of forms()) result = result.replaceAll(value, '***');
    return withoutUrlSecrets(result);
  };
}

/**
 * Wraps sinks so that no secret gets out (`createTextRedactor`), in messages and in fields at any depth. What comes out is
 * harmless besides (contract: safe-text): plain data of bounded size without control characters.
 */
export function createRedactor(secrets: () => readonly string[]): (sink: LogSink) => LogSink {
  const onText = createTextRedactor(secrets);
  return (sink) => (record) => {
    const fields = safeFields(record.fields, onText) as LogRecord['fields'];
    sink({ ...record, message: safeText(onText(record.message)), fields });
  };
}

/**
 * What a text file or stream takes: a thousand lines a second is more than anyone reads, and 25 MB a minute at most. Each line
 * is written at once, about 60 µs in which nothing else runs: hence no larger burst.
 */
export const TEXT_PACE: StormLimits = { burst: 2_000, perSecond: 1_000 };

/**
 * Keeps a storm of lines from a sink: what is beyond the pace is left out, counted, and said in a line of its own as soon as
 * the sink takes lines again. Errors get through longer than others.
 */
export function createStormGuard(sink: LogSink, limits: StormLimits, monotonicMs: () => number): LogSink {
  let state = calm(limits, monotonicMs());
  return (record) => {
    const step = takeLine(state, limits, monotonicMs(), record.level === 'error');
    state = step.state;
    if (!step.isTaken) return;
    if (step.tell !== null) {
      const { count, seconds } = step.tell;
      const message = `${count} lines of the last ${seconds} s were left out here: more were written than a text log takes. The log of the node has them.`;
      sink({ level: 'warn', message, fields: { leftOut: count }, atMs: record.atMs });
    }
    sink(record);
  };
}
