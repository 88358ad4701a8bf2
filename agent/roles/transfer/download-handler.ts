import { z } from 'zod';
import {
  type DownloadedFile,
  finishDownload,
  isReplaceable,
  registerDownload,
  registerExport,
  withdrawDownload,
} from '../../db/queries/download-registration.ts';
import { enqueueJobs } from '../../db/queries/job.ts';
import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import type { CreateOnce } from '../../iconik/creation/create-once.ts';
import { plainDirectory } from '../../iconik/record-path.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { FileFacts, StorageAccess } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { nameOfCopy } from './copy-name.ts';
import { deleteCopyJob } from './delete-copy-handler.ts';
import { closeFile, ensureFile, ensureFileSet } from './destination-record.ts';
import { assertUsable, type DownloadItem, filesToFetch, planDownload } from './download-plan.ts';
import { clearRemains, markReplacing, rememberRemains } from './download-remains.ts';
import { planExtras, textOfMetadata, urlOfExtra } from './export-extras.ts';
import { markFreshRoot } from './fresh-root.ts';
import { postponement, storageAway } from './postponed.ts';
import { adoptExisting, type ReceivedItem, type Receiving, receiveItem } from './receive-item.ts';

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
interface Run extends Receiving {
  deps: DownloadDeps;
  context: Context;
  items: DownloadItem[];
  /** Extras of an export that iconik does not have, in words. */
  absent: string[];
}

/** A file in place, with its record. */
interface PlacedFile {
  file: DownloadedFile;
  iconikFileId: string;
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

/** Throws unless what stands under the final name is, by size and time, what the index knows as this asset's. */
async function assertReplaceable(
  deps: DownloadDeps,
  context: Context,
  { item, there }: { item: DownloadItem; there: FileFacts },
): Promise<void> {
  const { storageId, assetId } = context.payload;
  const file = { storageId, assetId, pathKey: pathKey(item.finalPath), asCopy: isCopy(context.payload, item) };
  const { sizeBytes, mtimeNs } = there;
  if (there.kind === 'file' && (await isReplaceable(deps.sql, { ...file, sizeBytes, mtimeNs }))) return;
  const message = `${item.finalPath} was not overwritten: the node cannot prove that it is a file of this asset as the node last saw it. Nothing was downloaded. Move it away or choose another destination.`;
  throw new IsgError('content-differs', message, { retry: 'permanent', fields: { path: item.finalPath } });
}

/** Whether a file becomes a copy of the asset in iconik; what an export adds never does. */
const isCopy = (payload: DownloadPayload, item: DownloadItem) => item.from === 'file' && !payload.withoutFileSet;

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

/**
 * Removes what the order overwrites. Last, when the new content is here and verified, so that a kill loses neither: the next
 * attempt finds the place free and the new file whole under its partial name.
 */
async function makeRoom(run: Run, { item, isInPlace }: ReceivedItem): Promise<void> {
  if (isInPlace || !run.assertReplaceable) return;
  const there = await run.storage.stat(item.finalPath);
  if (!there) return;
  await run.assertReplaceable(item, there);
  // Before the removal: from then on the partial file is all that there is.
  await markReplacing(run, item, true);
  await run.context.confirmLease();
  const removal = await run.storage.removeFile(item.finalPath, there);
  if (removal !== 'differs') return;
  const message = `${item.finalPath} changed while it was to be overwritten; it was left as it is.`;
  throw new IsgError('content-differs', message, { retry: 'transient', fields: { path: item.finalPath } });
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

async function register(run: Run, received: ReceivedItem): Promise<void> {
  run.context.signal.throwIfAborted();
  const { jobId, leaseToken } = run.context.job;
  const file = downloadedFile(run, received, received.facts);
  const enter = isCopy(run.context.payload, received.item) ? registerDownload : registerExport;
  const answer = await enter(run.deps.sql, { jobId, leaseToken }, file);
  if (answer === 'registered') return;
  const path = received.item.finalPath;
  if (answer === 'busy') {
    const message = `${path} is just being ingested as an asset of its own; the download waits for the end of that.`;
    throw new IsgError('content-differs', message, { retry: 'transient' });
  }
  const message = `${path} belongs to another asset on this storage; nothing was put in place. Choose another destination.`;
  throw new IsgError('content-differs', message, { retry: 'permanent', fields: { path } });
}

async function placeAll(run: Run, copies: readonly ReceivedItem[], fileSetId: string): Promise<PlacedFile[]> {
  const placed: PlacedFile[] = [];
  for (const one of copies) {
    placed.push(await place(run, one, fileSetId));
    run.context.progress(1);
  }
  return placed;
}

async function place(run: Run, received: ReceivedItem, fileSetId: string): Promise<PlacedFile> {
  const { deps, context } = run;
  const { item, md5 } = received;
  const { assetId } = context.payload;
  const record = await ensureFile(deps, context, {
    ...ownerOf(context.payload),
    fileSetId,
    directoryPath: item.directoryPath,
    name: item.name,
    originalName: item.name,
    sizeBytes: item.sizeBytes,
    md5,
    onForeign: 'replace',
  });
  await context.confirmLease();
  const facts = received.isInPlace ? received.facts : await moveIntoPlace(run, received);
  await context.confirmLease();
  await closeFile(deps, context, { assetId, fileId: record.id, sizeBytes: item.sizeBytes, md5 });
  return { file: downloadedFile(run, received, facts), iconikFileId: record.id };
}

async function placeExport(run: Run, received: ReceivedItem): Promise<void> {
  await run.context.confirmLease();
  if (!received.isInPlace) await moveIntoPlace(run, received);
}

async function moveIntoPlace(run: Run, received: ReceivedItem): Promise<FileFacts> {
  const { item } = received;
  try {
    return await run.storage.commitFile(item.partialPath, item.finalPath);
  } catch (thrown) {
    run.context.signal.throwIfAborted();
    const { code } = coerceError(thrown);
    if (code !== 'content-differs' && code !== 'file-not-found') throw thrown;
    // Somebody was faster, perhaps a run of this job that had lost its lease: same content is as good as ours, other content is
    // refused by the adoption.
    const there = await run.storage.stat(item.finalPath);
    if (there) return (await adoptExisting(run, item, there)).facts;
    if (code === 'content-differs') throw thrown;
    const message = `${item.partialPath} vanished before it got its name; the file is received anew.`;
    throw new IsgError('file-changed', message, { retry: 'transient', cause: thrown });
  }
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

function ownerOf(payload: DownloadPayload) {
  const { assetId, formatId, storageId } = payload;
  return { assetId, formatId, storageId, versionId: payload.versionId ?? null };
}

function downloadedFile(run: Run, received: ReceivedItem, facts: FileFacts): DownloadedFile {
  const { item, md5, xxh128 } = received;
  return {
    ...ownerOf(run.context.payload),
    pathKey: pathKey(item.finalPath),
    path: item.finalPath,
    directory: pathKey(item.directoryPath),
    sizeBytes: facts.sizeBytes,
    mtimeNs: facts.mtimeNs,
    fileId: facts.fileId,
    md5,
    xxh128,
  };
}
