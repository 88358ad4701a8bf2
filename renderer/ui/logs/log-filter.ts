import type { LogLine } from '../../../agent/contract/index.ts';

// What the log view is narrowed to, and the same test for lines that arrive live as the agent applies to stored ones. Pure.

/** Level of a line. */
export type LogLevel = LogLine['level'];

/** Levels from the quietest to the gravest. */
const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** A span of time: the last so many minutes, a fixed span, or all. Instants are milliseconds since the epoch. */
export type TimeRange =
  | { kind: 'all' }
  | { kind: 'last'; minutes: number }
  | { kind: 'between'; fromMs: number | null; toMs: number | null };

/** What the view is narrowed to. */
export interface LogFilter {
  minLevel: LogLevel;
  text: string;
  /** Whether the text is a regular expression; it is tried by the agent or by main, never in the window. */
  isPattern: boolean;
  range: TimeRange;
  /** Only lines about this storage. */
  storageId: string | null;
  /** Worker id of another node whose log is read; null = this node. */
  workerId: string | null;
}

/** A filter with its range resolved to instants, as the agent takes it. */
export interface LogQuery {
  minLevel: LogLevel;
  text: string;
  isPattern: boolean;
  workerId: string | null;
  fromMs: number | null;
  toMs: number | null;
  storageId: string | null;
}

/** Longest search text the contract takes. */
const MOST_TEXT = 200;
const MINUTE_MS = 60_000;

/** The filter at this moment. */
export function queryOf(filter: LogFilter, nowMs: number): LogQuery {
  const { range } = filter;
  const fromMs =
    range.kind === 'last' ? nowMs - range.minutes * MINUTE_MS : range.kind === 'between' ? range.fromMs : null;
  return {
    minLevel: filter.minLevel,
    text: filter.text.trim().slice(0, MOST_TEXT),
    isPattern: filter.isPattern,
    workerId: filter.workerId,
    fromMs,
    toMs: range.kind === 'between' ? range.toMs : null,
    storageId: filter.storageId,
  };
}

/**
 * Whether lines that arrive live can be judged here. Others are asked for: those of another node do not arrive, and a
 * pattern may try for ever.
 */
export const isLive = (query: LogQuery): boolean => query.workerId === null && !query.isPattern;

/** Only A–Z, as the store compares: SQLite's `lower` knows no other letters. */
const lower = (text: string): string => text.replaceAll(/[A-Z]+/g, (capitals) => capitals.toLowerCase());

/**
 * Whether a line passes; for a query that `isLive`. The same lines pass as in the store: text is looked for in message and
 * fields without regard to the case of A–Z, a storage is named in either of them.
 */
export function passes(line: LogLine, query: LogQuery): boolean {
  if (LOG_LEVELS.indexOf(line.level) < LOG_LEVELS.indexOf(query.minLevel)) return false;
  if (query.fromMs !== null && line.atMs < query.fromMs) return false;
  if (query.toMs !== null && line.atMs > query.toMs) return false;
  const { storageId } = query;
  if (storageId !== null && !line.fields.includes(storageId) && !line.message.includes(storageId)) return false;
  if (query.text === '') return true;
  const text = lower(query.text);
  return lower(line.message).includes(text) || lower(line.fields).includes(text);
}

/** Remembers a search at the head of the list, without twins and without its own beginnings typed on the way. */
export function remembered(history: readonly string[], text: string): string[] {
  const search = text.trim();
  if (search.length < 2) return [...history];
  return [search, ...history.filter((each) => each !== search && !search.startsWith(each))].slice(0, 10);
}
