import {
  type DownloadedFile,
  isReplaceable,
  registerDownload,
  registerExport,
} from '../../db/queries/download-registration.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { FileFacts } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { closeFile, type DestinationDeps, ensureFile } from './destination-record.ts';
import type { DownloadItem } from './download-plan.ts';
import { markReplacing } from './download-remains.ts';
import { adoptExisting, type ReceivedItem, type Receiving } from './receive-item.ts';

// From whole, verified partial files to files in place: room for them, their rows of the index, their records, their names.

/** Whose files these are, and where they go. */
interface PlacedPayload {
  storageId: string;
  assetId: string;
  versionId?: string | null | undefined;
  formatId: string;
  withoutFileSet?: boolean | undefined;
}

/** What putting files in place needs. */
export interface Placing extends Receiving {
  deps: DestinationDeps & { sql: Sql };
  context: JobContext<PlacedPayload>;
}

/** A file in place, with its record. */
export interface PlacedFile {
  file: DownloadedFile;
  iconikFileId: string;
}

/** Whether a file becomes a copy of the asset in iconik; what an export adds never does. */
export const isCopy = (payload: PlacedPayload, item: DownloadItem) => item.from === 'file' && !payload.withoutFileSet;

/** Throws unless what stands under the final name is, by size and time, what the index knows as this asset's. */
export async function assertReplaceable(
  { sql }: { sql: Sql },
  context: Pick<Placing['context'], 'payload'>,
  { item, there }: { item: DownloadItem; there: FileFacts },
): Promise<void> {
  const { storageId, assetId } = context.payload;
  const file = { storageId, assetId, pathKey: pathKey(item.finalPath), asCopy: isCopy(context.payload, item) };
  const { sizeBytes, mtimeNs } = there;
  if (there.kind === 'file' && (await isReplaceable(sql, { ...file, sizeBytes, mtimeNs }))) return;
  const message = `${item.finalPath} was not overwritten: the node cannot prove that it is a file of this asset as the node last saw it. Nothing was downloaded. Move it away or choose another destination.`;
  throw new IsgError('content-differs', message, { retry: 'permanent', fields: { path: item.finalPath } });
}

/**
 * Removes what the order overwrites. Last, when the new content is here and verified, so that a kill loses neither: the next
 * attempt finds the place free and the new file whole under its partial name.
 */
export async function makeRoom(run: Placing, { item, isInPlace }: ReceivedItem): Promise<void> {
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

/** Enters a file into the index before it has its name. Throws `content-differs` when the path is taken. */
export async function register(run: Placing, received: ReceivedItem): Promise<void> {
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

/** Makes records for files, moves them into place, closes them. */
export async function placeAll(
  run: Placing,
  copies: readonly ReceivedItem[],
  fileSetId: string,
): Promise<PlacedFile[]> {
  const placed: PlacedFile[] = [];
  for (const one of copies) {
    placed.push(await place(run, one, fileSetId));
    run.context.progress(1);
  }
  return placed;
}

async function place(run: Placing, received: ReceivedItem, fileSetId: string): Promise<PlacedFile> {
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

/** Moves into place what becomes no copy in iconik. */
export async function placeExport(run: Placing, received: ReceivedItem): Promise<void> {
  await run.context.confirmLease();
  if (!received.isInPlace) await moveIntoPlace(run, received);
}

async function moveIntoPlace(run: Placing, received: ReceivedItem): Promise<FileFacts> {
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

/** Whose copy it is, as records say it. */
export function ownerOf(payload: PlacedPayload) {
  const { assetId, formatId, storageId } = payload;
  return { assetId, formatId, storageId, versionId: payload.versionId ?? null };
}

function downloadedFile(run: Placing, received: ReceivedItem, facts: FileFacts): DownloadedFile {
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
