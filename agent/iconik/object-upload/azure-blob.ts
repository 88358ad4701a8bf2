import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { blockListBody } from './azure-answers.ts';
import { AZURE_VERSION, type AzureDeps, type AzureUpload, blockUrl } from './azure-session.ts';
import { base64OfHex, md5OfWhole, sendRangeRepeatedly } from './object-source.ts';
import { isExpiredAnswer, refusal, SHORT_DEADLINE_MS, sendRepeatedly } from './object-store-http.ts';

/** Sends by the current URL, and once more by a fresh one when that has run out. */
export async function withFreshUrl(
  { target }: AzureUpload,
  send: (url: string) => Promise<HttpAnswer>,
): Promise<{ answer: HttpAnswer; url: string }> {
  const used = target.current;
  const url = used.upload_url ?? '';
  const answer = await send(url);
  if (!isExpiredAnswer(answer)) return { answer, url };
  const fresh = (await target.renew(used))?.upload_url;
  return fresh ? { answer: await send(fresh), url: fresh } : { answer, url };
}

/** Sends the whole file in one request; Azure compares it with its MD5 before the blob appears. Repeating it is harmless. */
export async function putWhole(deps: AzureDeps, upload: AzureUpload): Promise<void> {
  const { source } = upload;
  const { args } = source;
  const what = 'upload the file';
  const md5 = base64OfHex(await md5OfWhole(source));
  const headers = { ...AZURE_VERSION, 'x-ms-blob-type': 'BlockBlob', 'content-type': args.contentType };
  await args.confirmLease();
  const { answer, url } = await withFreshUrl(upload, (fresh) =>
    sendRangeRepeatedly(deps, source, {
      what,
      range: { offsetBytes: 0, lengthBytes: args.sizeBytes },
      request: { url: fresh, method: 'PUT', headers: { ...headers, 'content-md5': md5 } },
      signal: args.signal,
      onBytes: (sentBytes) => args.onProgress?.(sentBytes),
    }),
  );
  if (answer.status !== 201) throw refusal(what, url, answer);
  args.onProgress?.(args.sizeBytes);
}

/**
 * Throws unless the blob has our length and MD5. Where the signature does not allow to look, the store's word stands: it
 * has compared every block with its MD5, and put together exactly the list that it was given.
 */
export async function assertStored(deps: AzureDeps, upload: AzureUpload, md5: string): Promise<void> {
  const { args } = upload.source;
  const url = upload.target.current.upload_url ?? '';
  const what = 'look at the finished file';
  const answer = await sendRepeatedly(deps, {
    what,
    url,
    method: 'HEAD',
    headers: AZURE_VERSION,
    deadlineMs: SHORT_DEADLINE_MS,
    signal: args.signal,
  });
  if (isExpiredAnswer(answer)) return;
  if (answer.status !== 200) throw refusal(what, url, answer);
  const { 'content-length': length, 'content-md5': seenMd5 } = answer.headers;
  const isRight = Number(length) === args.sizeBytes && (seenMd5 === undefined || seenMd5 === base64OfHex(md5));
  if (isRight) return;
  const message = `The object store put ${args.path} together to ${length} bytes with another MD5; it will be sent again.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

/**
 * Blocks of somebody else, with ids of another length, keep ours from being taken. An empty list of blocks drops them; the
 * record waits for its content, so nothing that counts is lost.
 */
export async function clearForeignBlocks(deps: AzureDeps, upload: AzureUpload): Promise<void> {
  const { args } = upload.source;
  const what = 'drop blocks that others have left';
  await args.confirmLease();
  const { answer, url } = await withFreshUrl(upload, (fresh) =>
    sendRepeatedly(deps, {
      what,
      url: blockUrl(fresh, { comp: 'blocklist' }),
      method: 'PUT',
      headers: { ...AZURE_VERSION, 'content-type': 'application/xml' },
      body: blockListBody([]),
      deadlineMs: SHORT_DEADLINE_MS,
      signal: args.signal,
    }),
  );
  if (answer.status !== 201) throw refusal(what, url, answer);
}
