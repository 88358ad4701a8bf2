// Text and facts of log records, made harmless where they are written: whoever stores or shows them later meets no control
// character, no half of a surrogate pair, no cycle and no bounds of its own. Pure.

/** Longest text of a message: more than any stack trace, and 1,000 of them still fit a page of the log. */
export const MOST_MESSAGE_CHARS = 32_768;
/** Longest text of one field. */
const MOST_FIELD_CHARS = 8_192;
/** Values of one record, nested ones counted; beyond it a word stands for the rest. */
const MOST_VALUES = 400;
/** Nested fields are shown to this depth; deeper ones are replaced. */
const MOST_DEPTH = 6;

/** Controls except tab and line breaks, and what turns the direction of writing round to make text look like another. */
const UNSAFE = /[^\P{Cc}\t\n\r]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
/** Room for the word at the end of a text that was cut, so that such a text is not cut again. */
const CUT_WORD_CHARS = 64;
/** Unicode has a picture for each of the first 32 controls, and one for DEL. */
const PICTURES = 0x2400;

function shownAs(char: string): string {
  const code = char.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(PICTURES + code);
  if (code === 0x7f) return '␡';
  return '\ufffd';
}

/**
 * A text as it may be stored and shown: controls as their pictures (tabs and line breaks stay), halves of surrogate pairs
 * and what turns the direction of writing as U+FFFD, and cut to `mostChars` with a word that says how long it was.
 */
export function safeText(text: string, mostChars = MOST_MESSAGE_CHARS): string {
  const isCut = text.length > mostChars + CUT_WORD_CHARS;
  const kept = (isCut ? text.slice(0, mostChars) : text).toWellFormed().replace(UNSAFE, shownAs);
  return isCut ? `${kept} … (cut; ${text.length} characters in all)` : kept;
}

/** What is left of the bounds of one record, and the objects around the value at hand. */
interface Walk {
  onText: (text: string) => string;
  left: number;
  around: object[];
}

/**
 * A copy of a record's fields that is plain, bounded, harmless data: texts passed through `onText` (redaction) before they
 * are cut, errors with name, code, message and cause, cycles and what cannot be read replaced by a word. Never throws.
 */
export function safeFields(fields: unknown, onText: (text: string) => string = (text) => text): unknown {
  return plain(fields, { onText, left: MOST_VALUES, around: [] });
}

function plain(value: unknown, walk: Walk): unknown {
  walk.left -= 1;
  if (typeof value === 'string') return safeText(walk.onText(value), MOST_FIELD_CHARS);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'symbol') return String(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (walk.around.includes(value)) return '[cycle]';
  if (walk.around.length >= MOST_DEPTH) return '[deeper]';
  walk.around.push(value);
  try {
    return plainObject(value, walk);
  } catch {
    // ignored because a getter or proxy that throws must not take the record with it
    return '[unreadable]';
  } finally {
    walk.around.pop();
  }
}

function plainObject(value: object, walk: Walk): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof URL) return plain(value.href, walk);
  if (value instanceof Error) {
    const { name, message, cause } = value;
    return plainEntries(Object.entries({ name, ...Object.fromEntries(Object.entries(value)), message, cause }), walk);
  }
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON(), walk);
  if (Array.isArray(value) || value instanceof Set) return plainList([...value], walk);
  return plainEntries(value instanceof Map ? [...value] : Object.entries(value), walk);
}

function plainList(items: readonly unknown[], walk: Walk): unknown[] {
  const shown: unknown[] = [];
  for (const item of items) {
    if (walk.left <= 0) {
      shown.push(`[${items.length - shown.length} more]`);
      break;
    }
    shown.push(plain(item, walk));
  }
  return shown;
}

function plainEntries(entries: readonly (readonly [unknown, unknown])[], walk: Walk): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    if (item === undefined) continue;
    if (walk.left <= 0) {
      shown['[more]'] = entries.length;
      break;
    }
    const name = safeText(walk.onText(String(key)).slice(0, 200));
    // an own `__proto__` (from parsed JSON) would set the prototype instead
    Object.defineProperty(shown, name, { value: plain(item, walk), enumerable: true, configurable: true });
  }
  return shown;
}
