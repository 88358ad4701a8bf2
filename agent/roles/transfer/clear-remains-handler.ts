import { z } from 'zod';
import { withdrawDownload } from '../../db/queries/download-registration.ts';
import { isUnfinished } from '../../db/queries/download-remains.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { nameOf, pathKey } from '../../storage/storage-path.ts';
import { remainSchema } from './download-remains.ts';
import { postponement, storageAway } from './postponed.ts';

const id = z.string().min(1);

/** Data of a `clear-remains` job: the names under which a download that has ended may have left something. */
const payloadSchema = z.object({
  storageId: id,
  assetId: id,
  /** The download. */
  jobId: id,
  remains: z.array(remainSchema),
});
type Payload = z.infer<typeof payloadSchema>;

/** What tidying needs. */
export interface ClearRemainsDeps {
  sql: Sql;
  /** The storage as this node reaches it; null when it does not (not mounted here, just removed). */
  storageOf(storageId: string): StorageAccess | null;
}

/**
 * Kind `clear-remains`: removes the partial files of a download that ended without its handler (cancelled while it waited, or
 * given up after its last attempt), and its rows of files that never came into place. A partial file for which another was
 * removed already takes its place. Leaves everything alone when the download was ordered again meanwhile.
 */
export function createClearRemainsHandler(deps: ClearRemainsDeps): JobHandler<Payload> {
  return {
    role: 'TRANSFER',
    kind: 'clear-remains',
    payload: payloadSchema,
    async run(context) {
      const storage = deps.storageOf(context.payload.storageId);
      if (!storage) return storageAway('This node does not reach the storage now.');
      try {
        return await clear(deps, context, storage);
      } catch (thrown) {
        context.signal.throwIfAborted();
        const postponed = await postponement(storage, thrown);
        if (postponed) return postponed;
        throw thrown;
      }
    },
  };
}

async function clear(
  deps: ClearRemainsDeps,
  context: JobContext<Payload>,
  storage: StorageAccess,
): Promise<JobOutcome> {
  const { storageId, assetId, jobId, remains } = context.payload;
  const absent: string[] = [];
  let removed = 0;
  for (const { partialPath, finalPath, replaces } of remains) {
    const facts = nameOf(partialPath).startsWith('.isg-pro-part-') ? await storage.stat(partialPath) : null;
    await context.confirmLease();
    if (await isUnfinished(deps.sql, jobId)) return { kind: 'done', result: { removed, resumed: true } };
    if (facts && replaces && !(await storage.stat(finalPath))) await storage.commitFile(partialPath, finalPath);
    // Only what was looked at: a run that began in this instant has made it longer.
    else if (facts && (await storage.removeFile(partialPath, facts)) === 'removed') removed += 1;
    if (!(await storage.stat(finalPath))) absent.push(pathKey(finalPath));
  }
  return {
    kind: 'done',
    result: { removed },
    alongside: (sql) => withdrawDownload(sql, { storageId, assetId, pathKeys: absent }),
  };
}
