import type { NewJob } from '../../../contract/index.ts';
import { settleStuckHashing, takeReady } from '../../../db/queries/checksum-order.ts';
import { LEADER_LIMITS, withLeaderFence } from '../../../db/queries/fence.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Database, Sql } from '../../../runtime/sql.ts';

/** Files ordered in one transaction. */
const ORDER_BATCH = 200;

/** Enqueues jobs in a transaction of the caller (db/queries/job.ts). */
export type EnqueueJobs = (sql: Sql, jobs: readonly NewJob[]) => Promise<unknown>;

/** What the orders work with. */
export interface ChecksumOrderContext {
  database: Database;
  leadership: Leadership;
  storageId: string;
  enqueueJobs: EnqueueJobs;
  /** Priority of the work on a file, 1–10; undefined = the default. */
  priorityOf?: (path: string) => number | undefined;
}

/** What identifies the content to be read. */
export interface ChecksumOrder {
  path: string;
  pathKey: string;
  sizeBytes: number;
  mtimeNs: string;
}

/** Job that reads a file once for both digests. Its key names the content, so a changed file gets a job of its own. */
export function checksumJob(storageId: string, order: ChecksumOrder, priority?: number): NewJob {
  return {
    ...(priority === undefined ? {} : { priority }),
    role: 'CHECKSUM',
    kind: 'checksum',
    storageId,
    payload: { storageId, path: order.path, sizeBytes: order.sizeBytes, mtimeNs: order.mtimeNs },
    dedupeKey: `checksum:${storageId}:${order.pathKey}:${order.sizeBytes}:${order.mtimeNs}`,
  };
}

/** Orders a CHECKSUM job for every quiet file; row and job change in one transaction. Answers how many. */
export async function orderChecksums(context: ChecksumOrderContext): Promise<number> {
  const { database, leadership, storageId, enqueueJobs, priorityOf } = context;
  let ordered = 0;
  for (;;) {
    const taken = await withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) => {
      const rows = await takeReady(sql, storageId, ORDER_BATCH);
      if (rows.length > 0) {
        await enqueueJobs(
          sql,
          rows.map((row) => checksumJob(storageId, row, priorityOf?.(row.path))),
        );
      }
      return rows.length;
    });
    ordered += taken;
    if (taken < ORDER_BATCH) return ordered;
  }
}

/**
 * Frees rows that wait for a checksum nobody computes any more: a failed job makes the row `faulty` with the job's error,
 * anything else makes it `ready` again. Answers how many.
 */
export function settleStuckChecksums(context: ChecksumOrderContext): Promise<number> {
  return settleStuckHashing(context.database, context.leadership, context.storageId);
}
