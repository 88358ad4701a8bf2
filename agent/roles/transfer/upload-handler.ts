import { basename } from 'node:path/posix';
import { z } from 'zod';
import { enqueueJobs } from '../../db/queries/job.ts';
import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import type { CreateOnce } from '../../iconik/creation/create-once.ts';
import type { UploadObject } from '../../iconik/object-upload/upload-object.ts';
import { plainDirectory } from '../../iconik/record-path.ts';
import { derivedContext } from '../../jobs/derived-context.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { isClosedCopy, outcomeOfConflict } from './closed-copy.ts';
import { nameOfCopy } from './copy-name.ts';
import { deleteCopyJob } from './delete-copy-handler.ts';
import { closeFile, type DestinationFile, ensureFile, ensureFileSet, openForUpload } from './destination-record.ts';
import { postponement, storageAway } from './postponed.ts';
import { filesOfOrder, partCheckpointSchema, partsOfSet } from './upload-parts.ts';

const id = z.string().min(1);

/** Data of an `upload` job: a file of a storage of this cluster, and where in iconik's storages it is to go. */
const uploadPayloadSchema = z.looseObject({
  storageId: id,
  /** Relative to the mount point. */
  path: id,
  assetId: id,
  versionId: z.string().nullish(),
  formatId: id,
  /** Source file set. */
  fileSetId: z.string().nullish(),
  /** Source file. */
  fileId: z.string().nullish(),
  sizeBytes: z.number().int().min(0),
  md5: z.string().regex(/^[0-9a-fA-F]{32}$/),
  /** Decimal text. */
  mtimeNs: z.string().regex(/^-?\d+$/),
  destinationStorageId: id,
  destinationDirectoryPath: z.string(),
  /** Default: the file's name. */
  destinationFileSetName: z.string().nullish(),
  /** Default: the file's name. */
  destinationFilename: z.string().nullish(),
  includeOriginalExtension: z.boolean().optional(),
  /** The other files of the source file set; with them the copies keep their own names, below the destination directory. */
  otherFiles: z
    .array(
      z.object({
        path: id,
        sizeBytes: z.number().int().min(0),
        md5: z.string().regex(/^[0-9a-fA-F]{32}$/),
        mtimeNs: z.string().regex(/^-?\d+$/),
        fileId: z.string().nullish(),
      }),
    )
    .optional(),
  /** Base directory of the file set that is made; default the destination directory. */
  baseDirectory: z.string().optional(),
  /** The source copy is to go, once the new one is proven. */
  deleteLocal: z.boolean().optional(),
  /** Something of the order that cannot be done, for the people who gave it. */
  warning: z.string().optional(),
});
/** Data of an `upload` job. */
export type UploadPayload = z.infer<typeof uploadPayloadSchema>;

/** What uploads need. */
export interface UploadDeps {
  api: IconikApi;
  createOnce: CreateOnce;
  uploadObject: UploadObject;
  /** The storage as this node reaches it; null when it does not (not mounted here, just removed). */
  storageOf(storageId: string): StorageAccess | null;
}

type Context = JobContext<UploadPayload>;

/** Dropping what was sent may take this long, milliseconds. */
const DROP_WITHIN_MS = 10_000;

const CONTENT_TYPE = 'application/octet-stream';

/**
 * Kind `upload`: file set and file record at the destination (made once, whoever dies), the bytes (resumed from the
 * checkpoint), then CLOSED. A copy that is there already, closed and equal, counts as done. A source that is not what
 * was ordered fails the job for good: what would be uploaded has not been ingested.
 */
export function createUploadHandler(deps: UploadDeps): JobHandler<UploadPayload> {
  return {
    role: 'TRANSFER',
    kind: 'upload',
    payload: uploadPayloadSchema,
    run: (context) => runUpload(deps, context),
  };
}

async function runUpload(deps: UploadDeps, context: Context): Promise<JobOutcome> {
  const source = deps.storageOf(context.payload.storageId);
  if (!source) return storageAway('This node does not reach the source storage now.');
  const remembering = rememberCheckpoint(context);
  try {
    if (context.payload.otherFiles?.length) {
      return withOrderedEnd(context.payload, await uploadSet(deps, remembering, source));
    }
    await assertSourceUnchanged(source, context.payload);
    return withOrderedEnd(context.payload, await uploadUnlessThere(deps, remembering, { source, fileSetId: null }));
  } catch (thrown) {
    if (isCancelled(context)) await dropSentBytes(deps, remembering);
    context.signal.throwIfAborted();
    const postponed = await postponement(source, thrown);
    if (postponed) return postponed;
    const { retry, code } = coerceError(thrown);
    // Who has the lease now goes on with the upload.
    if (retry === 'permanent' && code !== 'lease-lost') await dropSentBytes(deps, remembering);
    throw thrown;
  }
}

/** A context that shows the last checkpoint also once this attempt has saved another. */
function rememberCheckpoint(context: Context): Context {
  let { checkpoint } = context.job;
  return derivedContext(context, {
    payload: context.payload,
    checkpoint: () => checkpoint,
    saveCheckpoint: async (value) => {
      await context.saveCheckpoint(value);
      checkpoint = value;
    },
  });
}

/** A copy that is there, with what the order wants besides: a warning, and the deletion of the source as a later job. */
function withOrderedEnd(payload: UploadPayload, outcome: JobOutcome): JobOutcome {
  if (outcome.kind !== 'done') return outcome;
  const result = { ...outcome.result, ...(payload.warning ? { warning: payload.warning } : {}) };
  const keptFileSetId = outcome.result.fileSetId;
  if (!payload.deleteLocal) return { ...outcome, result };
  if (!payload.fileSetId || typeof keptFileSetId !== 'string') {
    const kept = 'The copy was made, but the source was kept: iconik named no file set of it. Delete it in iconik.';
    const warning = [payload.warning, kept].filter(Boolean).join(' ');
    return { ...outcome, result: { ...result, warning } };
  }
  const { storageId, assetId, fileSetId } = payload;
  const files = filesOfOrder(payload).map(({ path, sizeBytes, mtimeNs, md5, fileId }) => {
    return { path, sizeBytes, mtimeNs, md5: md5.toLowerCase(), iconikFileId: fileId ?? null };
  });
  const job = deleteCopyJob({ storageId, assetId, fileSetId, keptFileSetId, where: 'here', files });
  return {
    ...outcome,
    result,
    alongside: async (sql) => {
      await enqueueJobs(sql, [job]);
    },
  };
}

function isCancelled({ signal }: Context): boolean {
  return signal.aborted && coerceError(signal.reason).code === 'cancelled';
}

/** No later attempt goes on: what the store holds would cost storage for ever. Best effort, and bounded: a store that does not answer must not hold up the end of the job. */
async function dropSentBytes(deps: UploadDeps, { job, payload }: Context): Promise<void> {
  const ofPart = payload.otherFiles?.length ? partCheckpointSchema.safeParse(job.checkpoint).data : undefined;
  const checkpoint = ofPart?.value ?? job.checkpoint;
  if (checkpoint === null || checkpoint === undefined) return;
  const signal = AbortSignal.timeout(DROP_WITHIN_MS);
  await deps.uploadObject.abandon({ assetId: payload.assetId, checkpoint, signal });
}

async function assertSourceUnchanged(source: StorageAccess, payload: UploadPayload): Promise<void> {
  const facts = await source.stat(payload.path);
  if (!facts) {
    const message = `${payload.path} is gone from its storage; nothing was uploaded.`;
    throw new IsgError('file-not-found', message, { retry: 'permanent' });
  }
  const isSame = facts.kind === 'file' && facts.sizeBytes === payload.sizeBytes && facts.mtimeNs === payload.mtimeNs;
  if (isSame) return;
  const message = `${payload.path} has changed since the upload was ordered (size ${payload.sizeBytes} → ${facts.sizeBytes} bytes, modified ${payload.mtimeNs} → ${facts.mtimeNs} ns); nothing was uploaded. The next scan takes up the new content; order the transfer again then.`;
  throw new IsgError('file-changed', message, { retry: 'permanent' });
}

/**
 * Several files, one after the other, each as if it were alone, into one file set. All must be what was ordered before the
 * first byte goes. An attempt that follows a kill finds those that are closed, and goes on in the middle of the next.
 */
async function uploadSet(deps: UploadDeps, context: Context, source: StorageAccess): Promise<JobOutcome> {
  const parts = partsOfSet(context);
  for (const part of parts) await assertSourceUnchanged(source, part.payload);
  const fileIds: unknown[] = [];
  let fileSetId: string | null = null;
  for (const part of parts) {
    const outcome = await uploadUnlessThere(deps, part, { source, fileSetId });
    if (outcome.kind !== 'done') return outcome;
    fileIds.push(outcome.result.fileId);
    if (typeof outcome.result.fileSetId === 'string') fileSetId = outcome.result.fileSetId;
    // Thousands that are there already take longer than a job may be silent.
    part.progress(1);
  }
  return { kind: 'done', result: { fileSetId, fileIds } };
}

/** From where to where. */
interface UploadWay {
  source: StorageAccess;
  /** File set at the destination; null = not known yet. */
  fileSetId: string | null;
}

/** iconik answers 409 when the destination has this very file already. Believed once the copy can be seen. */
async function uploadUnlessThere(deps: UploadDeps, context: Context, way: UploadWay): Promise<JobOutcome> {
  try {
    return await upload(deps, context, way);
  } catch (thrown) {
    context.signal.throwIfAborted();
    if (coerceError(thrown).code !== 'iconik-conflict') throw thrown;
    return await outcomeOfConflict(deps.api, context, thrown);
  }
}

async function upload(deps: UploadDeps, context: Context, { source, ...way }: UploadWay): Promise<JobOutcome> {
  const { payload } = context;
  const place = destinationOf(payload);
  const baseDir = plainDirectory(payload.baseDirectory ?? payload.destinationDirectoryPath);
  const set = { ...place, baseDir, name: payload.destinationFileSetName || place.name };
  const fileSetId = way.fileSetId ?? (await ensureFileSet(deps, context, set));
  const file: DestinationFile = {
    ...place,
    fileSetId,
    originalName: basename(payload.path),
    sizeBytes: payload.sizeBytes,
    md5: payload.md5.toLowerCase(),
    onForeign: 'refuse',
  };
  const record = await ensureFile(deps, context, file);
  const result = { fileId: record.id, fileSetId, sizeBytes: payload.sizeBytes };
  if (isClosedCopy(record, payload)) return { kind: 'done', result: { ...result, alreadyThere: true } };
  try {
    await sendBytes(deps, context, { source, record: await readyForBytes(deps, context, record) });
  } catch (thrown) {
    context.signal.throwIfAborted();
    await markFailed(deps, context, { thrown, fileId: record.id });
    throw thrown;
  }
  await context.confirmLease();
  const closed = { assetId: payload.assetId, fileId: record.id, sizeBytes: payload.sizeBytes };
  await closeFile(deps, context, { ...closed, md5: payload.md5.toLowerCase() });
  return { kind: 'done', result };
}

async function readyForBytes(deps: UploadDeps, context: Context, record: FileRecord): Promise<FileRecord> {
  await context.confirmLease();
  const { assetId, sizeBytes, md5 } = context.payload;
  return await openForUpload(deps, context, { record, assetId, sizeBytes, md5: md5.toLowerCase() });
}

function sendBytes(
  deps: UploadDeps,
  context: Context,
  send: { source: StorageAccess; record: FileRecord },
): Promise<void> {
  const { payload } = context;
  return deps.uploadObject({
    source: send.source,
    path: payload.path,
    sizeBytes: payload.sizeBytes,
    mtimeNs: payload.mtimeNs,
    md5: payload.md5.toLowerCase(),
    contentType: CONTENT_TYPE,
    target: send.record,
    multipart: { assetId: payload.assetId, fileId: send.record.id },
    checkpoint: context.job.checkpoint,
    saveCheckpoint: (value) => context.saveCheckpoint(value),
    confirmLease: () => context.confirmLease(),
    signal: context.signal,
    onProgress: (doneBytes) =>
      context.progress(payload.sizeBytes > 0 ? Math.min(1, doneBytes / payload.sizeBytes) : 1, 'uploading'),
  });
}

/** Shows users of iconik that the copy will not come. Never hides the error that led here. */
async function markFailed(
  deps: UploadDeps,
  context: Context,
  failure: { thrown: unknown; fileId: string },
): Promise<void> {
  if (coerceError(failure.thrown).retry === 'transient') return;
  try {
    await context.confirmLease();
    const body = { status: 'FAILED' };
    await deps.api.files.patchFile(context.payload.assetId, failure.fileId, body, { signal: context.signal });
  } catch (thrown) {
    context.signal.throwIfAborted();
    const fields = { error: errorRecord(thrown), fileId: failure.fileId };
    context.log.warn('Could not mark the file record of a failed upload as failed in iconik.', fields);
  }
}

function destinationOf(payload: UploadPayload) {
  return {
    assetId: payload.assetId,
    versionId: payload.versionId ?? null,
    formatId: payload.formatId,
    storageId: payload.destinationStorageId,
    directoryPath: plainDirectory(payload.destinationDirectoryPath),
    name: nameOfCopy(
      basename(payload.path),
      payload.destinationFilename || null,
      payload.includeOriginalExtension ?? false,
    ),
  };
}
