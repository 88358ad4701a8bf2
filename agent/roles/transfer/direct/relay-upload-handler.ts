import { basename } from 'node:path/posix';
import { z } from 'zod';
import type { FileRecord, IconikApi } from '../../../iconik/api.ts';
import { createLiving } from '../../../iconik/creation/create-living.ts';
import type { CreateOnce } from '../../../iconik/creation/create-once.ts';
import type { UploadObject } from '../../../iconik/object-upload/upload-object.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../../runtime/errors.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { nameOfCopy } from '../copy-name.ts';
import { leaseRight } from '../lease-right.ts';
import { postponement, storageAway } from '../postponed.ts';
import { exportBody, relayDirectory, temporaryFileBody, temporaryFileSetBody } from './relay-plan.ts';

const id = z.string().min(1);

/** Data of a `relay-upload` job: a file of a storage of this cluster that is to reach the storage of another gateway. */
const relayUploadSchema = z.looseObject({
  relayId: id,
  iconikJobId: id,
  storageId: id,
  /** Relative to the mount point. */
  path: id,
  assetId: id,
  versionId: z.string().nullish(),
  formatId: id,
  sizeBytes: z.number().int().min(0),
  md5: z.string().regex(/^[0-9a-fA-F]{32}$/),
  /** Decimal text. */
  mtimeNs: z.string().regex(/^-?\d+$/),
  /** The other gateway's. */
  destinationStorageId: id,
  destinationDirectoryPath: z.string(),
  destinationFileSetName: z.string().nullish(),
  destinationFilename: z.string().nullish(),
  includeOriginalExtension: z.boolean().optional(),
  /** Something of the order that cannot be done, for the people who gave it. */
  warning: z.string().optional(),
});
type RelayPayload = z.infer<typeof relayUploadSchema>;
type Context = JobContext<RelayPayload>;

/** What is kept between attempts. */
const checkpointSchema = z.object({
  /** Chosen once: iconik may name another one later. */
  cloudStorageId: z.string().nullable(),
  fileSetId: z.string().nullable(),
  /** The second leg may have been ordered. */
  isOrdering: z.boolean(),
  /** That of the upload itself. Holds session URLs, which are secrets. */
  upload: z.unknown(),
});
type Checkpoint = z.infer<typeof checkpointSchema>;

/** What relays need. */
export interface RelayUploadDeps {
  api: IconikApi;
  createOnce: CreateOnce;
  /** Sends to temporary files: its client asks for their part URLs (`withTemporaryParts`). */
  uploadTemporary: UploadObject;
  /** The storage as this node reaches it; null when it does not. */
  storageOf(storageId: string): StorageAccess | null;
}

/** Cleaning up goes on after the job was told to stop, but not for ever. */
const CLEAN_UP_MS = 10_000;

/** The client for uploads to temporary files: their part URLs are asked for as such (reference C.9). */
export function withTemporaryParts(api: IconikApi): IconikApi {
  const { files } = api;
  return {
    ...api,
    files: {
      ...files,
      multipartUrls: (assetId, fileId, upload, limits) =>
        files.multipartUrls(assetId, fileId, { ...upload, temporary: true }, limits),
      multipartPartUrls: (assetId, fileId, upload, limits) =>
        files.multipartPartUrls(assetId, fileId, { ...upload, temporary: true }, limits),
      multipartBoundPartUrl: (assetId, fileId, part, limits) =>
        files.multipartBoundPartUrl(assetId, fileId, { ...part, temporary: true }, limits),
      startB2: (assetId, fileId, upload, limits) =>
        files.startB2(assetId, fileId, { ...upload, temporary: true }, limits),
      finishB2: (assetId, fileId, upload, limits) =>
        files.finishB2(assetId, fileId, { ...upload, temporary: true }, limits),
      gcsPartUrls: (assetId, fileId, upload, limits) =>
        files.gcsPartUrls(assetId, fileId, { ...upload, temporary: true }, limits),
      gcsComposeUrl: (assetId, fileId, composition, limits) =>
        files.gcsComposeUrl(assetId, fileId, { ...composition, temporary: true }, limits),
      gcsCleanUp: (assetId, fileId, upload, limits) =>
        files.gcsCleanUp(assetId, fileId, { ...upload, temporary: true }, limits),
      // A large file that is not finished goes with its file set.
      cancelB2: async () => undefined,
    },
  };
}

/**
 * Kind `relay-upload`: the first leg of a transfer between gateways that do not reach each other (README.md). Temporary file
 * set and file (made once), the bytes (resumed), CLOSED, then the order for the second leg (given once).
 */
export function createRelayUploadHandler(deps: RelayUploadDeps): JobHandler<RelayPayload> {
  return {
    role: 'TRANSFER',
    kind: 'relay-upload',
    payload: relayUploadSchema,
    run: (context) => runRelay(deps, context),
  };
}

interface Run {
  deps: RelayUploadDeps;
  context: Context;
  source: StorageAccess;
  kept: Checkpoint;
  name: string;
}

async function runRelay(deps: RelayUploadDeps, context: Context): Promise<JobOutcome> {
  const { payload, job, signal } = context;
  const source = deps.storageOf(payload.storageId);
  if (!source) return storageAway('This node does not reach the source storage now.');
  const saved = checkpointSchema.safeParse(job.checkpoint);
  const kept = saved.success ? saved.data : { cloudStorageId: null, fileSetId: null, isOrdering: false, upload: null };
  const { destinationFilename, includeOriginalExtension = false } = payload;
  const name = nameOfCopy(basename(payload.path), destinationFilename || null, includeOriginalExtension);
  const run: Run = { deps, context, source, kept, name };
  try {
    return await relay(run);
  } catch (thrown) {
    if (signal.aborted && coerceError(signal.reason).code === 'cancelled') {
      await removeTemporary(run);
      return { kind: 'cancelled' };
    }
    signal.throwIfAborted();
    const postponed = await postponement(source, thrown);
    if (postponed) return postponed;
    const error = coerceError(thrown);
    if (error.retry === 'transient') throw error;
    await context.confirmLease();
    await removeTemporary(run);
    return { kind: 'failed', error: errorRecord(error) };
  }
}

async function relay(run: Run): Promise<JobOutcome> {
  const { deps, context, kept } = run;
  const { payload, signal } = context;
  // Only the target removes the set, after it has what was in it: then there is nothing to be sent again.
  if (kept.isOrdering && kept.fileSetId && (await filesOf(run, kept.fileSetId)) === null) {
    await orderSecondLeg(run, kept.fileSetId);
    return finished(run, kept.fileSetId);
  }
  const cloudStorageId =
    kept.cloudStorageId ?? (await deps.api.storages.matching('FILES', payload.storageId, { signal })).id;
  await keep(run, { cloudStorageId });
  const fileSetId = await ensureFileSet(run, cloudStorageId);
  await keep(run, { fileSetId });
  const record = await ensureFile(run, { cloudStorageId, fileSetId });
  if (record.status !== 'CLOSED') {
    await sendBytes(run, record);
    await context.confirmLease();
    const body = { status: 'CLOSED', size: payload.sizeBytes, checksum: payload.md5.toLowerCase() };
    await deps.api.transfers.patchTemporaryFile(payload.assetId, record.id, body, { signal });
  }
  await keep(run, { isOrdering: true });
  await context.confirmLease();
  await orderSecondLeg(run, fileSetId);
  return finished(run, fileSetId);
}

function finished({ context }: Run, temporaryFileSetId: string): JobOutcome {
  const { sizeBytes, warning } = context.payload;
  return { kind: 'done', result: { temporaryFileSetId, sizeBytes, ...(warning ? { warning } : {}) } };
}

async function keep(run: Run, changes: Partial<Checkpoint>): Promise<void> {
  const isNew = Object.entries(changes).some(([name, value]) => run.kept[name as keyof Checkpoint] !== value);
  Object.assign(run.kept, changes);
  if (isNew) await run.context.saveCheckpoint(run.kept);
}

function ensureFileSet(run: Run, cloudStorageId: string): Promise<string> {
  const { deps, context, name } = run;
  const { payload, signal } = context;
  const { transfers } = deps.api;
  return createLiving(deps.createOnce, leaseRight(context), {
    kind: 'temporary-file-set',
    key: payload.relayId,
    create: (limit) =>
      transfers.createTemporaryFileSet(payload.assetId, temporaryFileSetBody(payload, cloudStorageId, name), {
        signal: limit,
      }),
    // Sets are in no list of iconik's; one is known by its file. An empty one without holds nothing and costs nothing.
    find: async () => {
      const files = await transfers.temporaryFilesOn(cloudStorageId, { signal });
      const own = files.find((file) => file.directory_path === relayDirectory(payload.relayId));
      return own?.file_set_id ? { id: own.file_set_id } : null;
    },
    isUsable: async (id) => (await filesOf(run, id)) !== null,
  });
}

async function ensureFile(run: Run, at: { cloudStorageId: string; fileSetId: string }): Promise<FileRecord> {
  const { deps, context, name } = run;
  const { payload } = context;
  const known = new Map<string, FileRecord>();
  const find = async (isOurs: (file: FileRecord) => boolean) => {
    const own = (await filesOf(run, at.fileSetId))?.find(isOurs);
    if (own) known.set(own.id, own);
    return own ?? null;
  };
  const fileId = await createLiving(deps.createOnce, leaseRight(context), {
    kind: 'temporary-file',
    key: `${payload.relayId}/${at.fileSetId}`,
    create: async (signal) => {
      const body = temporaryFileBody(payload, { ...at, name });
      const made = await deps.api.transfers.createTemporaryFile(payload.assetId, body, { signal });
      known.set(made.id, made);
      return made;
    },
    find: () => find(() => true),
    isUsable: async (id) => (await find((file) => file.id === id)) !== null,
  });
  const record = known.get(fileId) ?? (await find((file) => file.id === fileId));
  if (record) return record;
  const message = 'iconik does not show the temporary file that was made for the relay; it is looked at again.';
  throw new IsgError('iconik-not-found', message, { retry: 'transient' });
}

/** Files of the temporary set; null when iconik has no such set any more. */
async function filesOf({ deps, context }: Run, fileSetId: string): Promise<FileRecord[] | null> {
  try {
    return await deps.api.transfers.temporaryFiles(context.payload.assetId, fileSetId, { signal: context.signal });
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.code === 'iconik-not-found') return null;
    throw error;
  }
}

function sendBytes(run: Run, target: FileRecord): Promise<void> {
  const { context, source } = run;
  const { payload } = context;
  return run.deps.uploadTemporary({
    source,
    path: payload.path,
    sizeBytes: payload.sizeBytes,
    mtimeNs: payload.mtimeNs,
    // Else a store that wants it has the whole file read once more, without a sign of life.
    md5: payload.md5.toLowerCase(),
    contentType: 'application/octet-stream',
    target,
    multipart: { assetId: payload.assetId, fileId: target.id },
    checkpoint: run.kept.upload,
    saveCheckpoint: (upload) => keep(run, { upload }),
    confirmLease: () => context.confirmLease(),
    signal: context.signal,
    onProgress: (doneBytes) =>
      context.progress(payload.sizeBytes > 0 ? Math.min(1, doneBytes / payload.sizeBytes) : 1, 'relaying'),
  });
}

/**
 * Queues the second leg, once. An attempt in doubt is settled by what the target's queue shows; a file set that is gone was
 * fetched and removed by the target, so its order had arrived.
 */
async function orderSecondLeg(run: Run, fileSetId: string): Promise<void> {
  const { deps, context, name } = run;
  const { payload, job, signal } = context;
  await deps.createOnce({
    kind: 'relay-export',
    key: `${payload.relayId}/${fileSetId}`,
    fence: { kind: 'lease', jobId: job.jobId, leaseToken: job.leaseToken },
    assertAllowed: () => signal.throwIfAborted(),
    create: async (limit) => {
      const at = { fileSetId, storageId: payload.destinationStorageId };
      await deps.api.transfers.createExport(at, exportBody(payload, name), { signal: limit });
      return { id: fileSetId };
    },
    find: async () => {
      const queued = await deps.api.storages.transfersTo(payload.destinationStorageId, { signal });
      const isThere = queued.some((record) => record.file_set_id === fileSetId);
      return isThere || (await filesOf(run, fileSetId)) === null ? { id: fileSetId } : null;
    },
  });
}

/** Removes what lies in the cloud for nobody. What cannot be removed now is said. */
async function removeTemporary({ deps, context, kept }: Run): Promise<void> {
  if (!kept.fileSetId) return;
  const { assetId } = context.payload;
  // Parts that are no object yet do not go with the set.
  await deps.uploadTemporary.abandon({ assetId, checkpoint: kept.upload, signal: AbortSignal.timeout(CLEAN_UP_MS) });
  const limits = { signal: AbortSignal.timeout(CLEAN_UP_MS) };
  await deps.api.transfers.deleteTemporaryFileSet(assetId, kept.fileSetId, limits).catch((thrown: unknown) => {
    const fields = { fileSetId: kept.fileSetId, error: errorRecord(thrown) };
    context.log.warn(
      'The temporary file set of an ended relay could not be removed; it still lies in the cloud.',
      fields,
    );
  });
}
