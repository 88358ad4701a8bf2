import { basename, dirname } from 'node:path/posix';
import { z } from 'zod';
import { plainDirectory } from '../../iconik/record-path.ts';
import { derivedContext } from '../../jobs/derived-context.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import { segmentsOf, sharedDirectory } from './download-plan.ts';

/** A file as an upload's order names it. */
interface OrderedUpload {
  path: string;
  sizeBytes: number;
  md5: string;
  mtimeNs: string;
  fileId?: string | null | undefined;
}

/** The part of an upload's payload that names files and their place. */
interface SetPayload extends OrderedUpload {
  otherFiles?: readonly OrderedUpload[] | undefined;
  destinationDirectoryPath: string;
  destinationFileSetName?: string | null | undefined;
  baseDirectory?: string | undefined;
}

/** All files of an order. */
export function filesOfOrder(payload: SetPayload): OrderedUpload[] {
  return [payload, ...(payload.otherFiles ?? [])];
}

/** Where the upload of one of several files stands: its path and its own checkpoint; the others begin anew or are found closed. */
export const partCheckpointSchema = z.object({ path: z.string(), value: z.unknown() });

/**
 * One context for each file of an order for several: with the payload of an order for it alone, its share of progress and
 * checkpoint. The directories that all have in common are replaced by the destination directory, as in downloads.
 */
export function partsOfSet<P extends SetPayload>(context: JobContext<P>): JobContext<P>[] {
  const { payload, job } = context;
  const files = filesOfOrder(payload);
  const directories = files.map(({ path }) => segmentsOf(dirname(path)));
  const shared = sharedDirectory(directories);
  const base = plainDirectory(payload.destinationDirectoryPath);
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const saved = partCheckpointSchema.safeParse(job.checkpoint);
  let beforeBytes = 0;
  return files.map((file, at) => {
    const startBytes = beforeBytes;
    beforeBytes += file.sizeBytes;
    const below = directories[at]?.slice(shared) ?? [];
    const alone = {
      ...payload,
      ...file,
      otherFiles: [],
      destinationFilename: null,
      destinationDirectoryPath: [base, ...below].filter((part) => part !== '').join('/'),
      baseDirectory: base,
      destinationFileSetName: payload.destinationFileSetName || directories[0]?.[shared - 1] || basename(payload.path),
    };
    const checkpoint = saved.success && saved.data.path === file.path ? saved.data.value : null;
    return derivedContext(context, {
      payload: alone,
      checkpoint: () => checkpoint,
      saveCheckpoint: (value: unknown) => context.saveCheckpoint({ path: file.path, value }),
      progress: (fraction: number, note?: string) =>
        context.progress(totalBytes > 0 ? (startBytes + fraction * file.sizeBytes) / totalBytes : 1, note),
    });
  });
}
