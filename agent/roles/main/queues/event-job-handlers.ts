import { z } from 'zod';
import {
  countNamedFiles,
  directoriesWithFiles,
  filesOfAssets,
  followMerge,
  followMergeInJobs,
  forgetCollections,
  ingestedFiles,
  markDirectoriesMissing,
  readFilesAgain,
  resetRefusedFiles,
} from '../../../db/queries/event-order.ts';
import { nextDirectories } from '../../../db/queries/storage-file.ts';
import type { IconikApi, Storage } from '../../../iconik/api.ts';
import type { CreationRight } from '../../../iconik/creation/create-living.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../../jobs/job-handler.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { EventJobKind } from './gateway-event-table.ts';
import { isOutside, scanRoots } from './scan-roots.ts';

const ids = z.array(z.string());
const payloadSchema = z.object({
  storageId: z.string().min(1),
  fileIds: ids,
  assetIds: ids,
  paths: ids,
  collectionIds: ids,
  merge: z.object({ oldAssetIds: ids, newAssetId: z.string().min(1) }).nullable(),
});
/** Payload of every job that an event orders. */
export type EventJobPayload = z.infer<typeof payloadSchema>;

/** Puts ingested files into the collections of their folders; ingest owns how. */
export interface CollectionMapper {
  /**
   * Makes the collections of the file's folder, as far as they lack, and puts its asset into the innermost. Repeating it
   * changes nothing. Creations are fenced by `right`.
   */
  place(
    file: { storage: Storage; path: string; assetId: string },
    right: CreationRight,
    signal: AbortSignal,
  ): Promise<void>;
  /** Makes the collections of a folder, as far as they lack. */
  mirror(folder: { storage: Storage; folder: string }, right: CreationRight, signal: AbortSignal): Promise<void>;
}

/** What the jobs of events need. */
export interface EventJobDeps {
  database: Sql;
  iconik: { storages: Pick<IconikApi['storages'], 'get'>; files: Pick<IconikApi['files'], 'getFile'> };
  collections: CollectionMapper;
  /** Makes the scan look at the storage, or at these files, now; does nothing on a node that does not lead. */
  scanOnDemand(storageId: string, request?: { files: readonly string[] }): void;
}

type Context = JobContext<EventJobPayload>;

/** Directories looked at, and files changed, in one statement. */
const DIRECTORIES_AT_ONCE = 500;
const FILES_AT_ONCE = 1000;
/** Files mapped between two checkpoints. */
const MAP_BATCH = 50;

/** Handlers of the MAIN jobs that gateway events order. Each may be killed and run again at any point. */
export function createEventJobHandlers(deps: EventJobDeps): JobHandler<EventJobPayload>[] {
  const run: Record<EventJobKind, (context: Context) => Promise<JobOutcome>> = {
    'read-again': (context) => readAgain(deps, context),
    'reset-validation': (context) => resetValidation(deps, context),
    'mark-outside-missing': (context) => markOutsideMissing(deps, context),
    'follow-merge': (context) => followMerged(deps, context),
    'forget-collections': (context) => forgetDeleted(deps, context),
    'collection-map': (context) => mapCollections(deps, context),
  };
  return Object.entries(run).map(([kind, work]) => ({ role: 'MAIN', kind, payload: payloadSchema, run: work }));
}

const failed = (message: string): JobOutcome => ({
  kind: 'failed',
  error: { code: 'job-payload-invalid', message, retry: 'permanent' },
});

/** Files that are named by their paths alone need no whole pass. */
function scanNamed(deps: EventJobDeps, { storageId, fileIds, assetIds, paths }: EventJobPayload): void {
  const isByPath = paths.length > 0 && fileIds.length + assetIds.length === 0;
  deps.scanOnDemand(storageId, isByPath ? { files: paths } : undefined);
}

async function readAgain(deps: EventJobDeps, { job, payload }: Context): Promise<JobOutcome> {
  const { storageId } = payload;
  const known = await countNamedFiles(deps.database, storageId, payload);
  if (known === 0) return failed('None of the files in the order is known on this storage; no checksum was ordered.');
  const files = await readFilesAgain(deps.database, job, storageId, payload);
  scanNamed(deps, payload);
  return { kind: 'done', result: { known, files } };
}

async function resetValidation(deps: EventJobDeps, { job, payload }: Context): Promise<JobOutcome> {
  const { storageId, fileIds, assetIds, paths } = payload;
  const isNamed = fileIds.length + assetIds.length + paths.length > 0;
  const files = await resetRefusedFiles(deps.database, job, storageId, isNamed ? payload : null);
  scanNamed(deps, payload);
  return { kind: 'done', result: { files } };
}

// The scan directories are asked of iconik anew: the copy that this node holds may be the one from before the change.
async function markOutsideMissing(deps: EventJobDeps, context: Context): Promise<JobOutcome> {
  const { job, payload, signal } = context;
  const { storageId } = payload;
  const storage = await deps.iconik.storages.get(storageId, { signal });
  const roots = scanRoots(storage.settings.scan_directories);
  if (roots.length === 0) return { kind: 'done', result: { files: 0 } };
  let files = 0;
  let directories = isOutside('', roots) ? [''] : [];
  let after = '';
  for (;;) {
    for (let changed = FILES_AT_ONCE; changed === FILES_AT_ONCE && directories.length > 0; ) {
      signal.throwIfAborted();
      changed = await markDirectoriesMissing(deps.database, job, { storageId, directories, limit: FILES_AT_ONCE });
      files += changed;
      context.progress(0, `${files} files outside the scan directories`);
    }
    const next = await nextDirectories(deps.database, storageId, after, DIRECTORIES_AT_ONCE);
    const last = next.at(-1);
    if (last === undefined) break;
    after = last;
    directories = next.filter((directory) => isOutside(directory, roots));
  }
  // What iconik shows follows from the rows; the scan tells it.
  deps.scanOnDemand(storageId);
  return { kind: 'done', result: { files } };
}

/** How often a merge is looked for whose files iconik does not show at the new asset yet. */
const MERGE_ATTEMPTS = 5;

async function followMerged(deps: EventJobDeps, { job, payload, signal }: Context): Promise<JobOutcome> {
  const { storageId, merge } = payload;
  if (merge === null) return failed('The order does not tell which asset became which.');
  const rows = await filesOfAssets(deps.database, storageId, merge.oldAssetIds);
  const target = { storageId, ...merge };
  let moved = 0;
  let left = 0;
  for (const { pathKey, fileId } of rows) {
    signal.throwIfAborted();
    if (fileId === null) continue;
    const record = await deps.iconik.files.getFile(merge.newAssetId, fileId, { signal }).catch((thrown: unknown) => {
      if (coerceError(thrown).code === 'iconik-not-found') return null;
      throw thrown;
    });
    if (record === null) left += 1;
    else {
      const { version_id: versionId, format_id: formatId, file_set_id: fileSetId } = record;
      moved += await followMerge(deps.database, job, target, { pathKey, fileId, versionId, formatId, fileSetId });
    }
  }
  const jobs = await followMergeInJobs(deps.database, job, target);
  if (left === 0) return { kind: 'done', result: { files: moved, jobs } };
  const message = `${left} files of the merged asset are not to be found at asset ${merge.newAssetId} in iconik; they keep the old asset.`;
  return {
    kind: job.attempts < MERGE_ATTEMPTS ? 'retry' : 'failed',
    error: { code: 'iconik-not-found', message, retry: job.attempts < MERGE_ATTEMPTS ? 'transient' : 'permanent' },
  };
}

async function forgetDeleted(deps: EventJobDeps, { job, payload }: Context): Promise<JobOutcome> {
  return { kind: 'done', result: { collections: await forgetCollections(deps.database, job, payload.collectionIds) } };
}

/** Where a mapping stands: the last file that was placed, and then the last folder that was mirrored. */
const checkpointSchema = z
  .object({ after: z.string(), files: z.number(), afterFolder: z.string().default('') })
  .catch({ after: '', files: 0, afterFolder: '' });

const isWithin = (folder: string, path: string): boolean =>
  folder === '' || path === folder || path.startsWith(`${folder}/`);

async function mapCollections(deps: EventJobDeps, context: Context): Promise<JobOutcome> {
  const { job, payload, signal } = context;
  const { storageId } = payload;
  const { collections } = deps;
  const storage = await deps.iconik.storages.get(storageId, { signal });
  const { settings } = storage;
  if (!('enable_collection_directory_mapping' in settings) || settings.enable_collection_directory_mapping !== true)
    return failed('Mapping folders to collections is switched off in the settings of the storage.');
  const right: CreationRight = {
    fence: () => ({ kind: 'lease', jobId: job.jobId, leaseToken: job.leaseToken }),
    assertAllowed: () => signal.throwIfAborted(),
  };
  const folder = (payload.paths.length === 1 ? (payload.paths[0] ?? '') : '').normalize('NFC');
  let { after, files, afterFolder } = checkpointSchema.parse(job.checkpoint);
  for (;;) {
    const page = await ingestedFiles(deps.database, storageId, { folder, afterPathKey: after, limit: MAP_BATCH });
    for (const { path, assetId } of page) {
      signal.throwIfAborted();
      await collections.place({ storage, path, assetId }, right, signal);
      files += 1;
    }
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.pathKey;
    context.progress(0, `${files} files mapped`);
    await context.saveCheckpoint({ after, files, afterFolder });
  }
  // Folders whose files have not been ingested (yet): a collection each, with nothing in it.
  for (;;) {
    const next = await nextDirectories(deps.database, storageId, afterFolder, MAP_BATCH);
    const wanted = next.filter((directory) => isWithin(folder, directory));
    for (const directory of await directoriesWithFiles(deps.database, storageId, wanted)) {
      signal.throwIfAborted();
      await collections.mirror({ storage, folder: directory }, right, signal);
    }
    const last = next.at(-1);
    if (last === undefined) return { kind: 'done', result: { files } };
    afterFolder = last;
    await context.saveCheckpoint({ after, files, afterFolder });
  }
}
