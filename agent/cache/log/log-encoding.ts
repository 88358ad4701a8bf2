import { LOG_LEVELS, type LogSeverity } from '../../contract/index.ts';

/**
 * What a record becomes before it is stored: text that both SQLite and PostgreSQL take, of bounded length. No NUL, no half
 * of a surrogate pair, no cycle, no instant outside of the calendar. Pure, and cheap for the usual record.
 */

/** A record as the logger hands it over. */
export interface WrittenRecord {
  level: LogSeverity;
  message: string;
  fields: Record<string, unknown>;
  atMs: number;
}

/** A record as stored. */
export interface StoredLogRecord extends WrittenRecord {
  /** Grows with each record of an outbox; the identity of the record together with the outbox. */
  seq: number;
}

/** A record ready to be stored. */
export interface EncodedRecord {
  /** Place in `LOG_LEVELS`. */
  level: number;
  atMs: number;
  /** No NUL. */
  message: string;
  /** An object as JSON; no NUL, also not escaped. */
  fields: string;
}

/** Most characters of message and of fields each; a log is no place for more. */
export const MOST_CHARACTERS = 65_536;
/** Nested fields are kept to this depth, so that a cycle ends. */
const MAX_DEPTH = 6;
/** 31 December 9999. */
const LAST_MS = 253_402_300_799_999;
/** In JSON text: an escape that PostgreSQL refuses. Also matches the harmless `\\u0000`, which then goes the slow way. */
const REFUSED_ESCAPE = /\\u(?:0000|d[89a-f])/i;
/** What names the work in which the record was written; kept when the fields are cut. */
const FACTS = ['role', 'jobId', 'storageId', 'term'];

/** Text without NUL (shown as its picture) and without half surrogates. */
function cleanText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', '␀') : whole;
}

/** The text's beginning, never ending inside a character, with a word on how long it was. */
function cut(text: string): string {
  if (text.length <= MOST_CHARACTERS) return text;
  const kept = text.slice(0, MOST_CHARACTERS - 64).replace(/[\uD800-\uDBFF]$/, '');
  return `${kept} … [cut; it had ${text.length} characters]`;
}

function plainObject(value: object, depth: number): unknown {
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) {
    const { name, message, cause, stack } = value;
    return plain({ name, message, ...Object.fromEntries(Object.entries(value)), stack, cause }, depth);
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON(), depth + 1);
  if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => plain(item, depth + 1));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [cleanText(String(key)), plain(item, depth + 1)]));
}

/** A copy that is plain data with clean, bounded text. */
function plain(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cut(cleanText(value));
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'symbol' || typeof value === 'function') return undefined;
  return typeof value === 'object' && value !== null ? plainObject(value, depth) : value;
}

/** Fields of a getter or a `toJSON` that throws. */
const UNREADABLE = '{"unreadable":"the fields of this record could not be read"}';

function slowJson(fields: Record<string, unknown>): string {
  try {
    return JSON.stringify(plain(fields)) ?? UNREADABLE;
  } catch {
    // ignored because a record without its fields is better than none
    return UNREADABLE;
  }
}

function isFlat(fields: Record<string, unknown>): boolean {
  for (const key in fields) {
    const value = fields[key];
    if (typeof value === 'bigint' || (typeof value === 'object' && value !== null)) return false;
  }
  return true;
}

function fieldsJson(fields: Record<string, unknown>): string {
  const quick = isFlat(fields) ? JSON.stringify(fields) : slowJson(fields);
  const json = REFUSED_ESCAPE.test(quick) ? slowJson(fields) : quick;
  if (json.length <= MOST_CHARACTERS) return json;
  const facts = Object.fromEntries(FACTS.filter((key) => key in fields).map((key) => [key, plain(fields[key])]));
  const short = JSON.stringify({
    ...facts,
    cut: cut(cleanText(json))
      .slice(0, MOST_CHARACTERS / 4)
      .toWellFormed(),
  });
  return short.length <= MOST_CHARACTERS ? short : UNREADABLE;
}

/** The instant, or the nearest one that every store takes: 1970–9999. */
export function calendarMs(atMs: number): number {
  return Number.isFinite(atMs) ? Math.min(LAST_MS, Math.max(0, Math.trunc(atMs))) : 0;
}

/** Makes a record storable. Never throws. */
export function encodeRecord(record: WrittenRecord): EncodedRecord {
  return {
    level: Math.max(0, LOG_LEVELS.indexOf(record.level)),
    atMs: calendarMs(record.atMs),
    message: cut(cleanText(String(record.message))),
    fields: fieldsJson(record.fields),
  };
}

/** What a record costs in a file or in memory, bytes; an estimate from above for text of the Latin alphabet. */
export const costOf = ({ message, fields }: EncodedRecord): number => message.length + fields.length + 32;

/** Many records in the few values that are quickly handed to another thread. */
export interface LogBatch {
  /** Grows by one per batch of a run. */
  no: number;
  /** Message and fields in turn, separated by NUL. */
  texts: string;
  atMs: Float64Array;
  levels: Uint8Array;
  /** Records of each level that memory had no room for since the last batch. */
  dropped: readonly number[];
}

/** Packs records. */
export function packBatch(no: number, records: readonly EncodedRecord[], dropped: readonly number[]): LogBatch {
  const texts: string[] = [];
  const atMs = new Float64Array(records.length);
  const levels = new Uint8Array(records.length);
  for (const [n, record] of records.entries()) {
    texts.push(record.message, record.fields);
    atMs[n] = record.atMs;
    levels[n] = record.level;
  }
  return { no, texts: texts.join('\0'), atMs, levels, dropped };
}

/** The records of a batch, in order. */
export function unpackBatch(batch: LogBatch): EncodedRecord[] {
  if (batch.levels.length === 0) return [];
  const texts = batch.texts.split('\0');
  return Array.from(batch.levels, (level, n) => ({
    level,
    atMs: batch.atMs[n] ?? 0,
    message: texts[n * 2] ?? '',
    fields: texts[n * 2 + 1] ?? '{}',
  }));
}
