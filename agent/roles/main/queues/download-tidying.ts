import { orderTidying } from '../../../db/queries/download-remains.ts';
import { orderRelayTidying } from '../../../db/queries/relay-remains.ts';
import type { LeaderWork } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';

/** What the leader's care for ended downloads needs. */
export interface DownloadTidyingDeps {
  database: Sql;
  clock: Clock;
  log: Logger;
}

const EVERY_MS = 30_000;

/** Leader work: orders the removal of what downloads and relays left that ended without their handler. */
export function createDownloadTidying({ database, clock, log }: DownloadTidyingDeps): LeaderWork {
  return {
    name: 'download-tidying',
    async run(leadership) {
      while (!leadership.signal.aborted) {
        try {
          await orderTidying(database, leadership);
          await orderRelayTidying(database, leadership);
        } catch (thrown) {
          if (!leadership.signal.aborted)
            log.warn('Could not look for what ended downloads left', { error: coerceError(thrown).message });
        }
        await clock.sleep(EVERY_MS, leadership.signal).catch(() => {});
      }
    },
  };
}
