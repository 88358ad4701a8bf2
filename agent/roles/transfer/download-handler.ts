import { z } from 'zod';
import { finishDownload, withdrawDownload } from '../../db/queries/download-registration.ts';
import { enqueueJobs } from '../../db/queries/job.ts';
import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import type { CreateOnce } from '../../iconik/creation/create-once.ts';
import { plainDirectory } from '../../iconik/record-path.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { nameOfCopy } from './copy-name.ts';
import { deleteCopyJob } from './delete-copy-handler.ts';
import { ensureFileSet } from './destination-record.ts';
import { assertUsable, type DownloadItem, filesToFetch, planDownload } from './download-plan.ts';
import { clearRemains, rememberRemains } from './download-remains.ts';
import { planExtras, textOfMetadata, urlOfExtra } from './export-extras.ts';
import { markFreshRoot } from './fresh-root.ts';
import {
  assertReplaceable,
  isCopy,
  makeRoom,
  ownerOf,
  type PlacedFile,
  type Placing,
  placeAll,
  placeExport,
  register,
} from './place-download.ts';
import { postponement, storageAway } from './postponed.ts';
import { type ReceivedItem, receiveItem } from './receive-item.ts';

const id = z.string().min(1);

/** Data of a `download` job: a file set that iconik has elsewhere, and where on a storage of this cluster it is to go. */
const downloadPayloadSchema = z.looseObject({
  /** Storage of this cluster that receives the files. */
  storageId: id,
  assetId: id,
  versionId: z.string().nullish(),
  formatId: id,
  sourceFileSetId: id,
  destinationDirectoryPath: z.string(),
  destinationFileSetName: id,
  /** Only for a file set of one file. */
  destinationFilename: z.string().nullish(),
  includeOriginalExtension: z.boolean().optional(),
  /** Base directory of the file set that is made; default the destination directory. */
  baseDirectory: z.string().optional(),
  /** A file of this asset that stands under the final name may be replaced. */
  overwrite: z.boolean().optional(),
  /** An export that wants only what goes with the original. */
  withoutOriginal: z.boolean().optional(),
  /** iconik is not to know the files as a copy of the asset. */
  withoutFileSet: z.boolean().optional(),
  exportProxy: z.boolean().optional(),
  exportPosters: z.boolean().optional(),
  exportMetadata: z.object({ format: z.string(), viewId: id }).optional(),
  /** The source copy is to go, once the new one is proven. */
  deleteSource: z.boolean().optional(),
  /** Something of the order that cannot be done, for the people who gave it. */
  warning: z.string().optional(),
});
/** Data of a `download` job. */
export type DownloadPayload = z.infer<typeof downloadPayloadSchema>;

/** What downloads need. */
export interface DownloadDeps {
  api: IconikApi;
  createOnce: CreateOnce;
  /** The cluster's database, for entering files before they appear on the disk. */
  sql: Sql;
  /** The storage as this node reaches it; null when it does not (not mounted here, just removed). */
  storageOf(storageId: string): StorageAccess | null;
}

type Context = JobContext<DownloadPayload>;

/** One run of a download. */
interface Run extends Placing {
  deps: DownloadDeps;
  context: Context;
  items: DownloadItem[];
  /** Extras of an export that iconik does not have, in words. */
  absent: string[];
}

/**
 * Kind `download` (README.md of this folder: the order of steps and why): receive under a partial name, verify, enter into
 * the index, make file set and file record, move into place, close. Every step can be repeated after a kill.
 */
export function createDownloadHandler(deps: DownloadDeps): JobHandler<DownloadPayload> {
  return {
    role: 'TRANSFER',
    kind: 'download',
    payload: downloadPayloadSchema,
    run: (context) => runDownload(deps, context),
  };
}

async function runDownload(deps: DownloadDeps, context: Context): Promise<JobOutcome> {
  const storage = deps.storageOf(context.payload.storageId);
  if (!storage) return storageAway('This node does not reach the destination storage now.');
  let run: Run | null = null;
  try {
    run = await prepare(deps, context, storage);
    return await download(run);
  } catch (thrown) {
    if (run && isCancelled(context)) return await dropCancelled(run);
    context.signal.throwIfAborted();
    const postponed = await postponement(storage, thrown);
    if (postponed?.kind === 'snooze' && (await markFreshRoot(deps.sql, context, storage))) {
      return { ...postponed, afterMs: 0 };
    }
    if (postponed) return postponed;
    const error = coerceError(thrown);
    if (error.retry === 'transient' || !run) throw error;
    return await giveUp(run, error);
  }
}

async function prepare(deps: DownloadDeps, context: Context, storage: StorageAccess): Promise<Run> {
  const { payload, job } = context;
  let records = await sourceFiles(deps, context);
  const order = {
    ...payload,
    jobId: job.jobId,
    destinationFilename: payload.destinationFilename ?? null,
    includeOriginalExtension: payload.includeOriginalExtension ?? false,
  };
  const originals = payload.withoutOriginal ? [] : planDownload(order, records);
  const extras = await planExtras(deps.api, context, nameOfOriginal(payload, records, originals));
  const items = [...originals, ...extras.items];
  if (items.length === 0) throw nothingToExport(extras.absent);
  assertUsable(items);
  const urlOf = async (item: DownloadItem, fresh: boolean) => {
    if (item.from !== 'file') return await urlOfExtra(deps.api, context, item);
    if (fresh) records = await sourceFiles(deps, context);
    const url = records.find((record) => record.id === item.recordId)?.url;
    if (url) return url;
    const message = `iconik gave no download URL for ${item.finalPath}; it will be asked again.`;
    throw new IsgError('iconik-answer-unreadable', message, { retry: 'transient' });
  };
  return {
    deps,
    context,
    storage,
    items,
    absent: extras.absent,
    checkpoint: await rememberRemains(context, items),
    urlOf,
    textOf: (item) => textOfMetadata(deps.api, context, item),
    assertReplaceable: payload.overwrite ? (item, there) => assertReplaceable(deps, context, { item, there }) : null,
    onProgress: () => undefined,
  };
}

/** What the extras of an export are named after. */
function nameOfOriginal(payload: DownloadPayload, records: readonly FileRecord[], originals: readonly DownloadItem[]) {
  const [only] = originals;
  if (only && originals.length === 1) return only.name;
  const [record, ...more] = filesToFetch(records);
  const own = more.length === 0 ? (record?.original_name ?? record?.name) : null;
  return own ? nameOfCopy(own, payload.destinationFilename ?? null, true) : payload.destinationFileSetName;
}

function nothingToExport(absent: readonly string[]): IsgError {
  const message = `There is nothing to export: iconik has ${absent.join(' and ') || 'nothing of it'} for this asset.`;
  return new IsgError('download-refused', message, { retry: 'permanent' });
}

function sourceFiles(deps: DownloadDeps, context: Context): Promise<FileRecord[]> {
  const { assetId, sourceFileSetId } = context.payload;
  return deps.api.files.fileSetFiles(assetId, sourceFileSetId, { signal: context.signal });
}

async function download(run: Run): Promise<JobOutcome> {
  const { deps, context } = run;
  const { payload } = context;
  const received = await receiveAll(run);
  for (const one of received) {
    await makeRoom(run, one);
    await register(run, one);
    // Here and below: of thousands of files this takes longer than a job may be silent.
    context.progress(1);
  }
  const copies = received.filter(({ item }) => isCopy(payload, item));
  const fileSetId = copies.length === 0 ? null : await ensureFileSet(deps, context, fileSetOf(payload));
  const placed = fileSetId === null ? [] : await placeAll(run, copies, fileSetId);
  for (const one of received) if (!isCopy(payload, one.item)) await placeExport(run, one);
  const warning = [payload.warning, ...run.absent.map((words) => `iconik has ${words} of this asset.`)].filter(Boolean);
  return {
    kind: 'done',
    result: {
      ...(fileSetId ? { fileSetId, fileIds: placed.map((one) => one.iconikFileId) } : {}),
      ...(warning.length > 0 ? { warning: warning.join(' ') } : {}),
    },
    alongside: async (sql) => {
      if (!fileSetId) return;
      for (const one of placed) await finishDownload(sql, one.file, { fileSetId, iconikFileId: one.iconikFileId });
      if (payload.deleteSource) await enqueueJobs(sql, [deletionOfSource(payload, fileSetId, placed)]);
    },
  };
}

function fileSetOf(payload: DownloadPayload) {
  const baseDir = plainDirectory(payload.baseDirectory ?? payload.destinationDirectoryPath);
  return { ...ownerOf(payload), baseDir, name: payload.destinationFileSetName };
}

/** A later job: it begins only once this one's end, with all records, is committed. */
function deletionOfSource(payload: DownloadPayload, fileSetId: string, placed: readonly PlacedFile[]) {
  return deleteCopyJob({
    storageId: payload.storageId,
    assetId: payload.assetId,
    fileSetId: payload.sourceFileSetId,
    keptFileSetId: fileSetId,
    where: 'elsewhere',
    files: placed.map(({ file: { path, sizeBytes, mtimeNs, md5 }, iconikFileId }) => {
      return { path, sizeBytes, mtimeNs, md5, iconikFileId };
    }),
  });
}

async function receiveAll(run: Run): Promise<ReceivedItem[]> {
  const totalBytes = run.items.reduce((sum, item) => sum + item.sizeBytes, 0);
  const received: ReceivedItem[] = [];
  let doneBytes = 0;
  for (const item of run.items) {
    const onProgress = (bytes: number) =>
      run.context.progress(totalBytes > 0 ? Math.min(1, (doneBytes + bytes) / totalBytes) : 1, 'downloading');
    received.push(await receiveItem({ ...run, onProgress }, item));
    doneBytes += item.sizeBytes;
  }
  return received;
}

/**
 * Ends a download for good: what never came into place leaves index and disk. What did come into place stays known; with
 * its asset and format in the row, ingest finishes it under the same natural keys.
 */
async function giveUp(run: Run, error: IsgError): Promise<JobOutcome> {
  // The partial files have the same names for whoever holds the job now.
  await run.context.confirmLease();
  const withdrawn = await withdrawnFiles(run);
  return { kind: 'failed', error: errorRecord(error), alongside: (sql) => withdrawDownload(sql, withdrawn) };
}

function isCancelled({ signal }: Context): boolean {
  return signal.aborted && coerceError(signal.reason).code === 'cancelled';
}

/** A cancelled order is nobody's any more, whoever holds the job: without this its partial files would stay for ever. */
async function dropCancelled(run: Run): Promise<JobOutcome> {
  await withdrawDownload(run.deps.sql, await withdrawnFiles(run));
  return { kind: 'cancelled' };
}

/** Clears what is left; answers the files that never came into place, as the index is to forget them. */
async function withdrawnFiles(run: Run) {
  const { storageId, assetId } = run.context.payload;
  return { storageId, assetId, pathKeys: await clearRemains(run) };
}
