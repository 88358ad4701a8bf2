import { deleteEndedJobs, unclaimedWork } from '../db/queries/job-upkeep.ts';
import type { Sql } from '../runtime/sql.ts';
import type { UpkeepStore } from './upkeep.ts';

/** Failed jobs are looked into by people, hence longer. */
const RETENTION = { doneDays: 7, failedDays: 30, batch: 500 };
const ENDED = ['done', 'cancelled', 'failed'] as const;

/** Upkeep of the queue in PostgreSQL. */
export function createPgUpkeepStore(sql: Sql): UpkeepStore {
  return {
    async deleteEnded(holder) {
      let [deleted, hasMore] = [0, false];
      for (const state of ENDED) {
        const count = await deleteEndedJobs(sql, holder, state, RETENTION);
        deleted += count;
        hasMore ||= count === RETENTION.batch;
      }
      return { deleted, hasMore };
    },
    unclaimed: (minutes) => unclaimedWork(sql, minutes),
  };
}
