import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';

/**
 * Logs a trouble once, however often it repeats: the first failure and each one of another kind is a warning, repeats
 * are counted, and the end of it is told with the count.
 */
export interface FailureLog {
  /** `what` is a sentence on what did not work and what happens now. */
  failed(key: string, what: string, thrown: unknown): void;
  /** The thing worked: tells so when it had failed before. */
  worked(key: string): void;
  /** Drops a key without a word (the thing is gone). */
  forget(key: string): void;
  /** How often the thing has failed in a row. */
  failures(key: string): number;
}

/** Makes a failure log that writes to `log`. */
export function createFailureLog(log: Logger): FailureLog {
  const open = new Map<string, { said: string; what: string; count: number }>();
  return {
    failed(key, what, thrown) {
      const error = coerceError(thrown);
      // The code and not the message: messages may carry times and request ids that differ each time.
      const said = `${error.code} ${what}`;
      const before = open.get(key);
      open.set(key, { said, what, count: (before?.count ?? 0) + 1 });
      const fields = { ...error.fields, error: error.code };
      if (before?.said === said) log.debug(`${what}: ${error.message}`, fields);
      else log.warn(`${what}: ${error.message}`, fields);
    },
    worked(key) {
      const before = open.get(key);
      if (!before) return;
      open.delete(key);
      log.info(`Works again after ${before.count} failures: ${before.what}`);
    },
    forget: (key) => void open.delete(key),
    failures: (key) => open.get(key)?.count ?? 0,
  };
}
