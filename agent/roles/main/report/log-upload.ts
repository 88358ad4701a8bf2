import type { LogOwner, SendLogFile } from '../../../iconik/send-log-file.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { type CollectLogsOptions, collectLogs } from './collect-logs.ts';

/** Sends this node's logs to iconik when somebody asks for them. */
export interface LogUpload {
  /**
   * Sends them as those of a storage or of this gateway; a second wish for the same while one is under way shares its end.
   * Answers the name of the file in iconik; throws what sending throws.
   */
  upload(owner: LogOwner, signal: AbortSignal): Promise<string>;
}

/** What the upload needs. */
export interface LogUploadDeps extends CollectLogsOptions {
  send: SendLogFile;
  /** Names the node in the file's name. */
  workerId: string;
  clock: Clock;
  log: Logger;
}

/** Makes the upload of this node's logs. */
export function createLogUpload(deps: LogUploadDeps): LogUpload {
  const underWay = new Map<string, Promise<string>>();

  async function send(owner: LogOwner, signal: AbortSignal): Promise<string> {
    const log = deps.log.child(owner);
    const gzip = await collectLogs(deps);
    const filename = logFileName(deps.workerId, deps.clock.wallMs());
    try {
      await deps.send(owner, { filename, gzip }, signal);
      log.info(`The log of this node was sent to iconik as ${filename}`, { bytes: gzip.length });
      return filename;
    } catch (thrown) {
      log.warn('The log of this node could not be sent to iconik', { error: coerceError(thrown).message });
      throw thrown;
    }
  }

  return {
    upload(owner, signal) {
      const key = JSON.stringify(owner);
      const running = underWay.get(key) ?? send(owner, signal).finally(() => underWay.delete(key));
      underWay.set(key, running);
      return running;
    },
  };
}

/** `isg-pro-<worker>-2026-07-01T10-00-00Z.log.gz`: 72 characters of 100. */
function logFileName(workerId: string, wallMs: number): string {
  const at = new Date(wallMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
  return `isg-pro-${workerId.slice(0, 36)}-${at}.log.gz`;
}
