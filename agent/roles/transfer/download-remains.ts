import { z } from 'zod';
import type { JobContext } from '../../jobs/job-handler.ts';
import { errorRecord } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import type { DownloadItem } from './download-plan.ts';

// What a download keeps in mind of what it leaves on the disk, and how that is cleared when it ends without success.

/**
 * A name under which a job may have left something. `replaces`: the partial file is whole and verified, and what stood under
 * the final name is removed for it. It may be all that there is: whoever tidies up moves it into place.
 */
export const remainSchema = z.object({
  partialPath: z.string().min(1),
  finalPath: z.string().min(1),
  replaces: z.boolean().optional(),
});

/** What is kept between attempts of a download. */
export const downloadCheckpointSchema = z.object({
  /** Digests of what was received, by source record, where iconik knows none: they tell our own file from a stranger's. */
  received: z.record(z.string(), z.string()),
  /** Transfers of the file in work whose bytes did not fit its record. */
  mismatches: z.number().int().min(0),
  /** Every name under which this job may have left something, for whoever tidies up after it. */
  remains: z.array(remainSchema).optional(),
});
/** What is kept between attempts of a download. */
export type DownloadCheckpoint = z.infer<typeof downloadCheckpointSchema>;

/** A file set that was changed in iconik gives the partial names of one attempt to other files in the next. */
const pairOf = ({ partialPath, finalPath }: { partialPath: string; finalPath: string }): string =>
  JSON.stringify([partialPath, finalPath]);

interface Kept {
  context: Pick<JobContext<unknown>, 'saveCheckpoint'>;
  checkpoint: DownloadCheckpoint;
}

/** The checkpoint, with the names of all that this run may leave behind: whoever ends the job elsewhere removes that. */
export async function rememberRemains(
  context: Pick<JobContext<unknown>, 'job' | 'saveCheckpoint'>,
  items: readonly DownloadItem[],
): Promise<DownloadCheckpoint> {
  const saved = downloadCheckpointSchema.safeParse(context.job.checkpoint);
  const checkpoint = saved.success ? saved.data : { received: {}, mismatches: 0 };
  const known = new Set(checkpoint.remains?.map(pairOf));
  const fresh = items.filter((item) => !known.has(pairOf(item)));
  if (fresh.length === 0) return checkpoint;
  const remains = fresh.map(({ partialPath, finalPath }) => ({ partialPath, finalPath }));
  checkpoint.remains = [...(checkpoint.remains ?? []), ...remains];
  await context.saveCheckpoint(checkpoint);
  return checkpoint;
}

/** Keeps whether the partial file of an item stands for what was removed for it; of whatever else had its name, it does not. */
export async function markReplacing(
  { checkpoint, context }: Kept,
  item: DownloadItem,
  replaces: boolean,
): Promise<void> {
  const wanted = (one: { partialPath: string; finalPath: string }) => replaces && pairOf(one) === pairOf(item);
  const wrong = (checkpoint.remains ?? []).filter(
    (one) => one.partialPath === item.partialPath && (one.replaces ?? false) !== wanted(one),
  );
  if (wrong.length === 0) return;
  for (const one of wrong) one.replaces = wanted(one);
  await context.saveCheckpoint(checkpoint);
}

/**
 * Removes the partial files of a download that ends without success; answers the keys of files that never came into place.
 * One that stands for what was removed already is moved into place instead. What cannot be cleared is logged and left.
 */
export async function clearRemains(run: {
  context: Pick<JobContext<unknown>, 'log'>;
  storage: StorageAccess;
  items: readonly DownloadItem[];
  checkpoint: DownloadCheckpoint;
}): Promise<string[]> {
  const { context, storage, items, checkpoint } = run;
  const replacing = new Set(checkpoint.remains?.filter((one) => one.replaces).map(pairOf));
  const pathKeys: string[] = [];
  for (const item of items) {
    const { partialPath, finalPath } = item;
    try {
      const isFree = !(await storage.stat(finalPath));
      const isAll = isFree && replacing.has(pairOf(item)) && (await storage.stat(partialPath)) !== null;
      if (isAll) await storage.commitFile(partialPath, finalPath);
      else {
        if (isFree) pathKeys.push(pathKey(finalPath));
        await removePartial(storage, partialPath);
      }
    } catch (thrown) {
      const fields = { path: partialPath, error: errorRecord(thrown) };
      context.log.warn('Could not remove the partial file of an ended download; it may be deleted by hand.', fields);
    }
  }
  return pathKeys;
}

/**
 * Removes what gathered under a partial name, if anything did; `confirm` is asked between the look at it and the removal,
 * which takes only what was looked at.
 */
export async function removePartial(
  storage: StorageAccess,
  partialPath: string,
  confirm?: () => Promise<void>,
): Promise<void> {
  const facts = await storage.stat(partialPath);
  if (!facts) return;
  await confirm?.();
  await storage.removeFile(partialPath, { sizeBytes: facts.sizeBytes, mtimeNs: facts.mtimeNs });
}
