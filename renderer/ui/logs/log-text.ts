import type { LogLine } from '../../../agent/contract/index.ts';
import type { LogLevel } from './log-filter.ts';

// Log lines as text: for the rows, for copying and for files. Pure.

const LEVEL_WORDS: Record<LogLevel, string> = { debug: 'Debug', info: 'Info', warn: 'Warning', error: 'Error' };

/** A level in a word. */
export function levelWord(level: LogLevel): string {
  return LEVEL_WORDS[level];
}

/**
 * What a reader could not see, or what would change how the text around it is shown: control characters but tab and line
 * feed, marks of direction, and characters without width.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Of ASCII, by their codes. */
const CONTROL_NAMES =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  );

/** A text with nothing hidden in it: control characters by name (‹ESC›), others by number (‹202E›). */
export function visibleText(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) => {
    if (unseen === '\t' || unseen === '\n') return unseen;
    const code = unseen.codePointAt(0) ?? 0;
    return `‹${CONTROL_NAMES[code] ?? code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

const two = (value: number) => String(value).padStart(2, '0');

/** Time of day of this machine with milliseconds, as rows show it. */
export function timeOfDay(atMs: number): string {
  const at = new Date(atMs);
  const millis = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${millis}`;
}

/** The day of this machine, as lists and file names show it: 2026-07-01. */
export function dayOf(atMs: number): string {
  const at = new Date(atMs);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** One field of a record. */
export interface LogField {
  name: string;
  value: string;
}

/** The fields of a record, nested ones as compact JSON; text that is no JSON object is shown as it is. */
export function fieldsOf(line: Pick<LogLine, 'fields'>): LogField[] {
  if (line.fields === '' || line.fields === '{}') return [];
  try {
    const parsed: unknown = JSON.parse(line.fields);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return Object.entries(parsed).map(([name, value]) => ({ name, value: valueText(value) }));
    }
  } catch {
    // Ignored because a record cut by a full disk is still worth reading as it is.
  }
  return [{ name: '', value: line.fields }];
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Fields on one line: `term=42 path="a b.mov"`. */
export function fieldsText(line: Pick<LogLine, 'fields'>): string {
  return fieldsOf(line)
    .map(({ name, value }) => {
      const shown = /[\s"=]/.test(value) && !/^[[{]/.test(value) ? JSON.stringify(value) : value;
      return name === '' ? shown : `${name}=${shown}`;
    })
    .join(' ');
}

/** A line of a text file: UTC time, level, message, fields. Line breaks inside become visible, so one record is one line. */
export function plainLine(line: LogLine): string {
  const fields = fieldsText(line);
  const text = `${new Date(line.atMs).toISOString()} ${line.level.toUpperCase().padEnd(5)} ${line.message}`;
  return visibleText(`${text}${fields === '' ? '' : ` ${fields}`}`.replaceAll('\r', '').replaceAll('\n', ' ⏎ '));
}

/**
 * The newest lines that fit `mostChars`, one record a line, oldest first. `left` says how many older ones did not fit, so
 * that the user is told and nothing is missing silently.
 */
export function plainText(lines: readonly LogLine[], mostChars: number): { text: string; left: number } {
  const chosen: string[] = [];
  let length = 0;
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at];
    if (!line) break;
    const text = `${plainLine(line)}\n`;
    length += text.length;
    if (length > mostChars) break;
    chosen.push(text);
  }
  return { text: chosen.reverse().join(''), left: lines.length - chosen.length };
}

/** A name for an exported file: `isg-node-a-2026-07-01-142233.log`. */
export function exportName(nodeName: string, atMs: number): string {
  const node =
    nodeName
      .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 60) || 'node';
  return `isg-${node}-${dayOf(atMs)}-${timeOfDay(atMs).slice(0, 8).replaceAll(':', '')}.log`;
}

/** What rows are guessed to be tall from, before they are measured. */
export interface RowMetrics {
  /** Characters that fit one row of the message column. */
  columns: number;
  lineHeightPx: number;
  paddingPx: number;
}

/** Guessed height of a row: near the truth for a monospaced font, so that measuring moves little. */
export function guessedHeight(line: LogLine, metrics: RowMetrics): number {
  const fields = line.fields.length <= 2 ? 0 : line.fields.length;
  const text = line.message.length + fields;
  const wrapped = Math.max(1, Math.ceil(text / Math.max(20, metrics.columns)));
  const breaks = line.message.split('\n').length - 1;
  return (wrapped + breaks) * metrics.lineHeightPx + metrics.paddingPx;
}

/** An instant as a `datetime-local` field holds it, this machine's zone. */
export function localTimeText(atMs: number): string {
  return `${dayOf(atMs)}T${timeOfDay(atMs).slice(0, 8)}`;
}

/** What a `datetime-local` field holds as an instant; null when it is empty or half typed. */
export function parseLocalTime(text: string): number | null {
  const atMs = text === '' ? Number.NaN : new Date(text).getTime();
  return Number.isNaN(atMs) ? null : atMs;
}
