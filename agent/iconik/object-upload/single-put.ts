import { IsgError } from '../../runtime/errors.ts';
import { base64OfHex, md5OfWhole, type ObjectSource, sendRangeRepeatedly } from './object-source.ts';
import { refusal, type StoreDeps } from './object-store-http.ts';
import { S3_MAX_SINGLE_PUT_BYTES } from './part-plan.ts';

/** Where a whole file goes. */
export interface SinglePut {
  url: string;
  /** Whether the storage wants an MD5 with each request (`presign_md5_checksum`). */
  wantsMd5: boolean;
}

/**
 * Sends the whole file in one PUT. Repeating it is harmless: it writes the same bytes to the same key, and the object
 * appears only when the store has all of them.
 */
export async function uploadByPut(deps: StoreDeps, source: ObjectSource, put: SinglePut): Promise<void> {
  const { args } = source;
  const { url } = put;
  if (args.sizeBytes > S3_MAX_SINGLE_PUT_BYTES) {
    const message = `${args.path} has ${args.sizeBytes} bytes, more than one request may carry, and this record allows no multipart upload.`;
    throw new IsgError('upload-refused', message, { retry: 'permanent' });
  }
  const md5 = put.wantsMd5 ? { 'content-md5': base64OfHex(await md5OfWhole(source)) } : {};
  await args.confirmLease();
  const what = 'upload the file';
  const answer = await sendRangeRepeatedly(deps, source, {
    what,
    range: { offsetBytes: 0, lengthBytes: args.sizeBytes },
    request: { url, method: 'PUT', headers: { 'content-type': args.contentType, ...md5 } },
    signal: args.signal,
    onBytes: (sentBytes) => args.onProgress?.(sentBytes),
  });
  if (answer.status < 200 || answer.status > 299) throw refusal(what, url, answer);
  args.onProgress?.(args.sizeBytes);
}
