/**
 * The product's errors. An error is classified once, where it is first seen; the class says what to do:
 * `transient` may be tried again, `permanent` may not.
 */

/** Closed list of error codes; each is a word that logs, database and UI share. */
export type ErrorCode =
  | 'config-invalid'
  | 'database-unreachable'
  | 'database-refused'
  | 'database-conflict'
  | 'schema-too-new'
  | 'schema-failed'
  | 'other-cluster'
  | 'iconik-unreachable'
  | 'iconik-unauthorized'
  | 'iconik-forbidden'
  | 'iconik-not-found'
  | 'iconik-conflict'
  | 'iconik-rejected'
  | 'iconik-throttled'
  | 'iconik-answer-unreadable'
  | 'creation-in-doubt'
  | 'storage-unavailable'
  | 'storage-hung'
  | 'file-not-found'
  | 'file-changed'
  | 'file-unreadable'
  | 'disk-full'
  | 'outside-storage'
  | 'sidecar-awaited'
  | 'sidecar-invalid'
  | 'media-unreadable'
  | 'ffmpeg-missing'
  | 'ffmpeg-failed'
  | 'upload-refused'
  | 'download-refused'
  | 'content-differs'
  | 'lease-lost'
  | 'leadership-lost'
  | 'job-payload-invalid'
  | 'log-unreadable'
  | 'pattern-invalid'
  | 'pattern-too-slow'
  | 'cancelled'
  | 'stopped'
  | 'unexpected';

/** What `IsgError` carries besides code and message. */
export interface IsgErrorOptions {
  /** Whether trying the same thing again can help. */
  retry: 'transient' | 'permanent';
  /** The error underneath, for the log of this process only. */
  cause?: unknown;
  /** Facts beside the message (paths, ids, statuses); never secrets. */
  fields?: Record<string, unknown>;
}

/** An error with a code, a class, and a message that says what happened, what it means now and what to do. */
export class IsgError extends Error {
  readonly code: ErrorCode;
  readonly retry: 'transient' | 'permanent';
  readonly fields: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: IsgErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'IsgError';
    this.code = code;
    this.retry = options.retry;
    this.fields = options.fields ?? {};
  }
}

/** Makes an `IsgError` of anything thrown; what nobody classified is `unexpected` and transient (a retry is the safer guess). */
export function coerceError(thrown: unknown): IsgError {
  if (thrown instanceof IsgError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new IsgError('unexpected', message, { retry: 'transient', cause: thrown });
}

/** The form in which an error is stored and sent: no stack, no cause. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  retry: 'transient' | 'permanent';
}

/** The storable form of anything thrown. */
export function errorRecord(thrown: unknown): ErrorRecord {
  const error = coerceError(thrown);
  return { code: error.code, message: error.message, retry: error.retry };
}
