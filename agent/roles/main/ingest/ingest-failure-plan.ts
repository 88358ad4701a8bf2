import type { BackoffShape } from '../../../runtime/backoff.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import type { ErrorCode, ErrorRecord, IsgError } from '../../../runtime/errors.ts';

/** Attempts after which a file that keeps failing is set aside. */
export const MAX_INGEST_ATTEMPTS = 8;
const BACKOFF: BackoffShape = { baseMs: 1000, capMs: 300_000 };
const DEFAULT_DOUBT_MS = 5000;

/**
 * Trouble that is not the file's: iconik or the database is away, or the token is wrong or lacks a right. It makes every file fail alike, so
 * it delays a file but never condemns it: no file is lost to an outage, however long.
 */
const OUTAGES: ReadonlySet<ErrorCode> = new Set([
  'iconik-unreachable',
  'iconik-throttled',
  'iconik-unauthorized',
  'iconik-forbidden',
  'database-unreachable',
  'database-refused',
  'database-conflict',
  // Asked for sidecars and for the names in a folder.
  'storage-unavailable',
  'storage-hung',
  'cancelled',
  'stopped',
]);

/** What becomes of a row after an error. */
export type IngestFailure =
  | { kind: 'postpone'; afterMs: number; attempts: number; error: ErrorRecord | null }
  | { kind: 'faulty'; attempts: number; error: ErrorRecord };

function waitOf(error: IsgError): number {
  const { retryAfterMs } = error.fields;
  return typeof retryAfterMs === 'number' ? Math.max(100, retryAfterMs) : DEFAULT_DOUBT_MS;
}

/** Decides after an error in an ingest step. `attempts` counts the failures before this one; `random` is uniform in [0, 1). */
export function planIngestFailure(error: IsgError, attempts: number, random: () => number): IngestFailure {
  const record: ErrorRecord = { code: error.code, message: error.message, retry: error.retry };
  if (error.code === 'creation-in-doubt') {
    return { kind: 'postpone', afterMs: waitOf(error), attempts, error: null };
  }
  // The file waits for another one: no failure of its own, however often, but shown. The error says how long: a whole
  // storage can wait so for days, and the sidecar wakes its file when it comes.
  if (error.code === 'sidecar-awaited') {
    const count = Math.min(attempts + 1, MAX_INGEST_ATTEMPTS - 1);
    return { kind: 'postpone', afterMs: waitOf(error), attempts: count, error: record };
  }
  const count = attempts + 1;
  // An answer that is not iconik's own (a proxy, a load balancer) says nothing of the file either.
  const isOutage = OUTAGES.has(error.code) || error.fields.fromIconik === false;
  // What iconik does not find yet, it may find later: its lists lag behind its writes.
  const isFinal = error.retry === 'permanent' && error.code !== 'iconik-not-found';
  if (!isOutage && (isFinal || count > MAX_INGEST_ATTEMPTS)) {
    return { kind: 'faulty', attempts: count, error: record };
  }
  const afterMs = backoffMs(count, BACKOFF, random);
  // An outage lengthens the waits up to the limit, but uses up no attempts.
  return {
    kind: 'postpone',
    afterMs,
    attempts: isOutage ? Math.min(count, MAX_INGEST_ATTEMPTS - 1) : count,
    error: record,
  };
}
