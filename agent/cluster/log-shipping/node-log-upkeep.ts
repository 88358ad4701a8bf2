import { deleteOldLog, forgetOutboxes } from '../../db/queries/node-log.ts';
import type { Leadership, LeaderWork } from '../../leader/leadership.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coerceError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Sql } from '../../runtime/sql.ts';

/** What the care for `node_log` needs. */
export interface NodeLogUpkeepOptions {
  database: Sql;
  clock: Clock;
  log: Logger;
  /** How long records are kept, days. */
  days: number;
  /** Pause between two rounds, milliseconds; default ten minutes. */
  everyMs?: number;
  /** Most records deleted at once; default 2,000: well within what a fenced write may take. */
  batch?: number;
}

const EVERY_MS = 600_000;
const BATCH = 2_000;
/** Between two deletions: others want the database, too. */
const PAUSE_MS = 100;

/** Makes the leader's work that deletes old records of `node_log` and outboxes long gone, in small fenced steps. */
export function createNodeLogUpkeep(options: NodeLogUpkeepOptions): LeaderWork {
  const { clock, log, everyMs = EVERY_MS } = options;
  return {
    name: 'node-log-upkeep',
    async run(leadership) {
      while (!leadership.signal.aborted) {
        try {
          const removed = await inSteps(options, leadership, deleteOldLog);
          const forgotten = await inSteps(options, leadership, forgetOutboxes);
          if (removed + forgotten > 0) log.info(wordsOf(removed, forgotten), { removed, forgotten });
        } catch (thrown) {
          if (!leadership.signal.aborted)
            log.warn('Old records of the cluster’s log could not be removed; it is tried again', {
              error: coerceError(thrown).message,
            });
        }
        await clock.sleep(everyMs, leadership.signal).catch(() => {});
      }
    },
  };
}

function wordsOf(removed: number, forgotten: number): string {
  const outboxes = forgotten === 0 ? '' : `, and forgot ${forgotten} outboxes of which none is left`;
  return `Removed ${removed} old records from the cluster’s log${outboxes}.`;
}

async function inSteps(
  { database, clock, days, batch = BATCH }: NodeLogUpkeepOptions,
  leadership: Leadership,
  remove: typeof deleteOldLog,
): Promise<number> {
  for (let removed = 0; ; ) {
    const count = await remove(database, leadership, days, batch);
    removed += count;
    if (count < batch || leadership.signal.aborted) return removed;
    await clock.sleep(PAUSE_MS, leadership.signal).catch(() => {});
  }
}
