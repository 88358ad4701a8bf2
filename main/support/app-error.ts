import { type ErrorDetail, errorDetailSchema } from '../../agent/contract/index.ts';

/** An error whose words are meant for people; its code and class travel to the window. */
export class AppError extends Error {
  readonly code: string;
  readonly retry: ErrorDetail['retry'];

  constructor(code: string, message: string, retry: ErrorDetail['retry'], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.retry = retry;
  }
}

/** What the window is told of something nobody classified. */
const UNEXPECTED: ErrorDetail = {
  code: 'unexpected',
  message: 'This did not work because of a mistake in ISG Pro. Try again; the log file main.log has the details.',
  retry: 'transient',
};
/** Codes of Node and other libraries (`ENOENT`, `ERR_…`): errors that carry one were not written for people. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]*$/;

/** What the window is told of anything thrown: our own errors keep code, words and class; of others only that they happened. */
export function errorDetailOf(thrown: unknown): ErrorDetail {
  if (!(thrown instanceof Error)) return UNEXPECTED;
  const { message } = thrown;
  const { code, retry } = thrown as { code?: unknown; retry?: unknown };
  const parsed = errorDetailSchema.safeParse({ code, message, retry });
  return parsed.success && !SYSTEM_CODE.test(parsed.data.code) ? parsed.data : UNEXPECTED;
}

/** Whether an error is the file system's answer that there is no such file. */
export function isMissingFile(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
}
