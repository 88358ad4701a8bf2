import { coerceError, IsgError } from '../../runtime/errors.ts';

// What a job ends with must never be a reason for the database to refuse the end: a refused end is a job that runs for ever.

/** Longest wait that an end may ask for, milliseconds. */
const MAX_AFTER_MS = 7 * 24 * 3_600_000;
/** The wait of an end that names none that is a number. */
const UNKNOWN_AFTER_MS = 2_000;

/**
 * JSON that jsonb takes: NUL is left out and half a surrogate pair becomes U+FFFD, in values and keys at any depth. File
 * names and messages of programs carry both. Throws `unexpected`, for good, for what no JSON can say (a bigint, a circle): an
 * end that fails whenever it is tried must not be taken for one that may be tried again.
 */
export function storableJson(value: unknown): string {
  // JSON.stringify escapes exactly these; a whole pair stands unescaped, and an escaped backslash is stepped over.
  return jsonOf(value).replace(/\\(u0000|ud[89a-f][0-9a-f]{2}|.)/g, (whole, code: string) => {
    if (code === 'u0000') return '';
    return code.startsWith('ud') ? '\ufffd' : whole;
  });
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value ?? null) ?? 'null';
  } catch (thrown) {
    const { message } = coerceError(thrown);
    throw new IsgError('unexpected', `The job queue cannot store this: ${message}`, {
      retry: 'permanent',
      cause: thrown,
    });
  }
}

/** The same for a column that is null when there is nothing to store. */
export const storableOrNull = (value: unknown): string | null =>
  value === undefined || value === null ? null : storableJson(value);

/** A wait that the database can add to its clock: 0 to 7 days, milliseconds. */
export function storableWaitMs(afterMs: number): number {
  return Number.isNaN(afterMs) ? UNKNOWN_AFTER_MS : Math.min(MAX_AFTER_MS, Math.max(0, afterMs));
}
