import { createContext, Script } from 'node:vm';
import { AppError } from '../support/app-error.ts';
import { LEVEL_RANK, type LogLevel, type ParsedLogLine } from './log-line.ts';

/** How lines of the files are narrowed. */
export interface LineFilter {
  minLevel: LogLevel;
  /** Found anywhere in message or fields, whatever the case; empty = all. */
  text: string;
  /** Whether `text` is a regular expression. */
  isPattern: boolean;
  /** In message or fields, exactly; null = any. */
  storageId: string | null;
  fromMs: number | null;
  toMs: number | null;
}

/** Main draws the tray meanwhile, so this is what it may be held up. */
const PATTERN_MS = 250;

/**
 * Judges lines: which of them pass, in their order. Throws `pattern-invalid`, and `pattern-too-slow` when a pattern tries
 * longer than 250 ms on one call's lines: it runs under a watchdog that can interrupt it.
 */
export function createLineFilter(filter: LineFilter): (lines: readonly ParsedLogLine[]) => boolean[] {
  const { minLevel, storageId, fromMs, toMs } = filter;
  const least = LEVEL_RANK[minLevel];
  const isWithin = ({ level, atMs, message, fields }: ParsedLogLine) =>
    LEVEL_RANK[level] >= least &&
    (fromMs === null || atMs >= fromMs) &&
    (toMs === null || atMs <= toMs) &&
    (storageId === null || message.includes(storageId) || fields.includes(storageId));
  const matches = filter.isPattern ? createPattern(filter.text) : createSearch(filter.text);
  return (lines) => {
    const within = lines.map(isWithin);
    // message and fields each for itself, so that ^ and $ mean in the files what they mean in the store
    const found = matches(lines.flatMap(({ message, fields }, at) => (within[at] ? [message, fields] : ['', ''])));
    return within.map((isIn, at) => isIn && (found[2 * at] === true || found[2 * at + 1] === true));
  };
}

type Matcher = (texts: readonly string[]) => boolean[];

function createSearch(text: string): Matcher {
  const wanted = text.toLowerCase();
  return (texts) => texts.map((each) => wanted === '' || each.toLowerCase().includes(wanted));
}

function createPattern(source: string): Matcher {
  const place = { pattern: compiled(source), texts: [] as readonly string[], found: [] as boolean[] };
  const context = createContext(place);
  // no text of the user is part of the program
  const script = new Script('found = texts.map((text) => pattern.test(text))');
  return (texts) => {
    place.texts = texts;
    try {
      script.runInContext(context, { timeout: PATTERN_MS });
      return [...place.found];
    } catch (thrown) {
      const words =
        'The search was ended: the pattern tried too long. Write it without repeats inside of repeats, such as (a+)+.';
      throw new AppError('pattern-too-slow', words, 'permanent', thrown);
    }
  };
}

function compiled(source: string): RegExp {
  try {
    return new RegExp(source, 'i');
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message.replace(/^Invalid regular expression: /, '') : '';
    throw new AppError('pattern-invalid', `This is no regular expression yet: ${why}.`, 'permanent', thrown);
  }
}
