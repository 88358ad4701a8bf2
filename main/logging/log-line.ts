import { type LogLine, safeFields, safeText } from '../../agent/contract/index.ts';

/** Severity of a log record. */
export type LogLevel = LogLine['level'];
/** Facts beside a message; never secrets. */
export type LogFields = Record<string, unknown>;
/** What one line of a log file says. */
export type ParsedLogLine = Omit<LogLine, 'seq'>;

/** Order of severity. */
export const LEVEL_RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (DEBUG|INFO|WARN|ERROR) +(.*)$/s;

/** Of an error, main's log keeps the place too. */
const withPlace = (value: unknown): unknown =>
  value instanceof Error
    ? { name: value.name, ...Object.fromEntries(Object.entries(value)), message: value.message, stack: value.stack }
    : value;

/** One line as the agent writes it too: time (UTC), level, message, fields as JSON. Contains no line break. */
export function formatLogLine(level: LogLevel, message: string, fields: LogFields, atMs: number): string {
  const text = safeText(message).replaceAll(/[\r\n]+/g, ' ⏎ ');
  const shown = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, withPlace(value)]));
  const facts = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(safeFields(shown))}`;
  return `${new Date(atMs).toISOString()} ${level.toUpperCase().padEnd(5)} ${text}${facts}`;
}

/** Reads a line of main.log or agent.log; null when it does not begin a record (for example a line of a stack trace). */
export function parseLogLine(line: string): ParsedLogLine | null {
  const [, time, level, rest] = LINE.exec(line) ?? [];
  if (time === undefined || level === undefined || rest === undefined) return null;
  const { message, fields } = splitFields(rest);
  return { atMs: Date.parse(time), level: level.toLowerCase() as LogLevel, message, fields };
}

/** The fields are the JSON object at the end; the message may hold braces itself, so the longest object that parses wins. */
function splitFields(rest: string): { message: string; fields: string } {
  if (!rest.endsWith('}')) return { message: rest, fields: '' };
  const MOST_TRIES = 16;
  let from = 0;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const at = rest.indexOf('{"', from);
    if (at < 0) break;
    const fields = rest.slice(at);
    if ((at === 0 || rest[at - 1] === ' ') && isJson(fields)) return { message: rest.slice(0, at).trimEnd(), fields };
    from = at + 1;
  }
  return { message: rest, fields: '' };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
