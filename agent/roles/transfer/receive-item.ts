import type { JobContext } from '../../jobs/job-handler.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { DigestResult, FileFacts, StorageAccess } from '../../storage/storage-access.ts';
import type { DownloadItem } from './download-plan.ts';
import { type DownloadCheckpoint, markReplacing, removePartial } from './download-remains.ts';

/** A second transfer of a file that does not fit its record shows that the record, not the line, is wrong. */
const MAX_MISMATCHES = 2;
/** Keeps tries within an attempt from being endless for a file of any size, without a pause between them. */
const WORTH_A_TRY_BYTES = 16 * 1024 * 1024;

/** What receiving one file needs. */
export interface Receiving {
  storage: StorageAccess;
  context: Pick<JobContext<unknown>, 'signal' | 'saveCheckpoint' | 'confirmLease'>;
  checkpoint: DownloadCheckpoint;
  /** Signed URL of the file; `fresh` asks iconik anew. Not of metadata. */
  urlOf(item: DownloadItem, fresh: boolean): Promise<string>;
  /** The text of a metadata item. */
  textOf(item: DownloadItem): Promise<string>;
  /**
   * Given when the order says to overwrite: passes when what stands under the final name is proven to be what may go, else
   * throws (permanent) with the reason.
   */
  assertReplaceable: ((item: DownloadItem, there: FileFacts) => Promise<void>) | null;
  onProgress(doneBytes: number): void;
}

/** A file whose bytes are here and verified. `isInPlace`: already under its final name. */
export interface ReceivedItem {
  item: DownloadItem;
  isInPlace: boolean;
  md5: string;
  xxh128: string;
  facts: FileFacts;
}

/**
 * Brings one file to the storage, verified against its record, under its partial name, or finds it in place from an
 * earlier attempt. Throws `content-differs`: permanent when the final name is taken by other content or the bytes did not
 * fit the record twice, transient after the first misfit.
 */
export async function receiveItem(receiving: Receiving, item: DownloadItem): Promise<ReceivedItem> {
  const there = await receiving.storage.stat(item.finalPath);
  const adopted = there && (await adoptOrRefuse(receiving, item, there));
  if (adopted) return adopted;
  const digest = (await digestOfWholePartial(receiving, item)) ?? (await bring(receiving, item));
  if (!fits(digest, item, expectedMd5(receiving, item))) return await rejectPartial(receiving, item, digest);
  await rememberReceived(receiving, item, digest.md5);
  return { item, isInPlace: false, md5: digest.md5, xxh128: digest.xxh128, facts: digest.facts };
}

/** Saves what a later attempt cannot know otherwise: of thousands of files whose MD5 iconik names, nothing. */
async function rememberReceived({ checkpoint, context }: Receiving, item: DownloadItem, md5: string): Promise<void> {
  const isNews = checkpoint.mismatches > 0 || (item.md5 === null && checkpoint.received[item.recordId] !== md5);
  if (!isNews) return;
  // The misfits of one file say nothing about the next.
  checkpoint.mismatches = 0;
  if (item.md5 === null) checkpoint.received[item.recordId] = md5;
  await context.saveCheckpoint(checkpoint);
}

/** null: something else stands there, and it may be replaced. Looked at before a byte is fetched. */
async function adoptOrRefuse(receiving: Receiving, item: DownloadItem, there: FileFacts): Promise<ReceivedItem | null> {
  try {
    return await adoptExisting(receiving, item, there);
  } catch (thrown) {
    if (!receiving.assertReplaceable || coerceError(thrown).code !== 'content-differs') throw thrown;
    await receiving.assertReplaceable(item, there);
    return null;
  }
}

/** Brings the bytes under the partial name, from wherever they are. */
async function bring(receiving: Receiving, item: DownloadItem): Promise<DigestResult> {
  // An earlier attempt had it whole and made room for it. From here on it is not: nobody may take it for that.
  await markReplacing(receiving, item, false);
  if (item.from !== 'metadata') return await receive(receiving, item);
  // Values may have changed since an earlier attempt wrote them.
  delete receiving.checkpoint.received[item.recordId];
  return await receiving.storage.writeText(item.partialPath, await receiving.textOf(item));
}

/**
 * A file under the final name is either ours from before a kill, or the same content by other means, or a stranger's
 * that must not be touched. Only content decides.
 */
export async function adoptExisting(receiving: Receiving, item: DownloadItem, there: FileFacts): Promise<ReceivedItem> {
  const expected = expectedMd5(receiving, item);
  const isSameLength = item.from === 'metadata' || there.sizeBytes === item.sizeBytes;
  const isCandidate = there.kind === 'file' && isSameLength && expected !== null;
  const digest = isCandidate ? await receiving.storage.digest(item.finalPath, optionsOf(receiving)) : null;
  if (digest && fits(digest, item, expected)) {
    await discardPartial(receiving, item);
    return { item, isInPlace: true, md5: digest.md5, xxh128: digest.xxh128, facts: digest.facts };
  }
  const message = `${item.finalPath} already exists on the storage with other content; it was left as it is and nothing was downloaded. Move it away or choose another destination.`;
  throw new IsgError('content-differs', message, { retry: 'permanent', fields: { path: item.finalPath } });
}

/**
 * A partial file of full length needs no server: an earlier attempt died between receiving and moving it. One that is no
 * good makes room for a transfer from the start; so does any part of a file whose MD5 nobody knows, because nothing would
 * tell if an outage had torn it, or if the source was replaced since.
 */
async function digestOfWholePartial(receiving: Receiving, item: DownloadItem): Promise<DigestResult | null> {
  if (item.from === 'metadata') return null;
  const partial = await receiving.storage.stat(item.partialPath);
  const expected = expectedMd5(receiving, item);
  if (!partial || (partial.sizeBytes < item.sizeBytes && expected !== null)) return null;
  if (partial.sizeBytes === item.sizeBytes && expected !== null) {
    const digest = await receiving.storage.digest(item.partialPath, optionsOf(receiving));
    if (fits(digest, item, expected)) return digest;
  }
  await discardPartial(receiving, item);
  return null;
}

/**
 * Signed URLs run out, and lines break, during long downloads. A refusal is answered with one fresh URL; after that each try that
 * got a good deal further than all before is worth another, so that a large file over a bad line does not use up the job's
 * attempts.
 */
async function receive(receiving: Receiving, item: DownloadItem): Promise<DigestResult> {
  let bestBytes = 0;
  for (let isFirst = true; ; isFirst = false) {
    const url = await receiving.urlOf(item, !isFirst);
    let triedBytes = 0;
    const onProgress = (doneBytes: number) => {
      triedBytes = Math.max(triedBytes, doneBytes);
      receiving.onProgress(doneBytes);
    };
    try {
      return await receiveFrom({ ...receiving, onProgress }, item, url);
    } catch (thrown) {
      receiving.context.signal.throwIfAborted();
      if (coerceError(thrown).code !== 'download-refused') throw thrown;
      const isFurther = triedBytes - bestBytes >= WORTH_A_TRY_BYTES && expectedMd5(receiving, item) !== null;
      if (!isFirst && !isFurther) throw thrown;
      bestBytes = Math.max(bestBytes, triedBytes);
    }
  }
}

async function receiveFrom(receiving: Receiving, item: DownloadItem, url: string): Promise<DigestResult> {
  const file = { url, path: item.partialPath, sizeBytes: item.sizeBytes };
  try {
    return await receiving.storage.receiveFile(file, optionsOf(receiving));
  } catch (thrown) {
    receiving.context.signal.throwIfAborted();
    if (coerceError(thrown).code !== 'file-not-found') throw thrown;
    // It was made a moment ago: another run of this job, or somebody by hand, took it away.
    const message = `${item.partialPath} vanished while it was received; it is received anew.`;
    throw new IsgError('file-changed', message, { retry: 'transient', cause: thrown });
  }
}

async function rejectPartial(receiving: Receiving, item: DownloadItem, digest: DigestResult): Promise<never> {
  await discardPartial(receiving, item);
  const { checkpoint } = receiving;
  checkpoint.mismatches += 1;
  delete checkpoint.received[item.recordId];
  await receiving.context.saveCheckpoint(checkpoint);
  const isLast = checkpoint.mismatches >= MAX_MISMATCHES;
  const message = `What arrived for ${item.finalPath} is not what iconik describes (${digest.facts.sizeBytes} of ${item.sizeBytes} bytes, MD5 ${digest.md5}, expected ${item.md5 ?? 'unknown'}); it was discarded. ${isLast ? 'It happened twice, so the source copy or its record is wrong: check it in iconik.' : 'It will be fetched once more.'}`;
  throw new IsgError('content-differs', message, { retry: isLast ? 'permanent' : 'transient' });
}

/** Removes what gathered under the partial name. It has the same name for whoever holds the job now: only under the lease. */
async function discardPartial({ storage, context }: Receiving, item: DownloadItem): Promise<void> {
  await removePartial(storage, item.partialPath, () => context.confirmLease());
}

function expectedMd5(receiving: Receiving, item: DownloadItem): string | null {
  return item.md5 ?? receiving.checkpoint.received[item.recordId] ?? null;
}

function fits(digest: DigestResult, item: DownloadItem, md5: string | null): boolean {
  // What a text comes to is known once it is written.
  const isWhole = !digest.changed && (item.from === 'metadata' || digest.facts.sizeBytes === item.sizeBytes);
  return isWhole && (md5 === null || digest.md5.toLowerCase() === md5);
}

function optionsOf(receiving: Receiving) {
  return { signal: receiving.context.signal, onProgress: (doneBytes: number) => receiving.onProgress(doneBytes) };
}
