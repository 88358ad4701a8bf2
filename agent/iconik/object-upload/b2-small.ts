import { IsgError } from '../../runtime/errors.ts';
import type { UploadTarget } from '../api.ts';
import { b2StoredOf } from './b2-answers.ts';
import { type B2Place, type B2Sender, mangled, sendToPlaces } from './b2-places.ts';
import type { FreshTarget } from './fresh-target.ts';
import { digestOfRange, type ObjectSource, sendRangeOnce } from './object-source.ts';
import { refusal, type StoreDeps } from './object-store-http.ts';
import { B2_MAX_SINGLE_BYTES } from './part-plan.ts';

const NANOSECONDS_PER_MILLISECOND = 1_000_000n;

/**
 * Sends the whole file in one POST with the token that came with the upload URL (reference C.9). B2 compares it with its SHA-1
 * before the file appears. A lost answer leads to a second version with the same bytes under the same name.
 */
export async function uploadToB2(deps: StoreDeps, source: ObjectSource, target: FreshTarget): Promise<void> {
  const { args } = source;
  if (args.sizeBytes > B2_MAX_SINGLE_BYTES) {
    const message = `${args.path} has ${args.sizeBytes} bytes, more than one request may carry, and this record allows no large file.`;
    throw new IsgError('upload-refused', message, { retry: 'permanent' });
  }
  const what = 'upload the file';
  const range = { offsetBytes: 0, lengthBytes: args.sizeBytes };
  const sha1 = await digestOfRange(source, range, 'sha1', args.signal);
  const common = headersOf(source, target.current, sha1);
  await args.confirmLease();
  const answer = await sendToPlaces(deps, senderOf(target), {
    what,
    signal: args.signal,
    once: ({ url, token }) =>
      sendRangeOnce(deps, source, {
        what,
        range,
        request: { url, method: 'POST', headers: { ...common, authorization: token } },
        signal: args.signal,
        onBytes: (sentBytes) => args.onProgress?.(sentBytes),
      }),
  });
  if (answer.status !== 200) throw refusal(what, target.current.upload_url ?? '', answer);
  if (b2StoredOf(answer.body)?.contentSha1 !== sha1) throw mangled(what);
  args.onProgress?.(args.sizeBytes);
}

function senderOf(target: FreshTarget): B2Sender {
  return {
    place: placeOf(target.current),
    next: async () => {
      const fresh = await target.renew(target.current);
      const place = fresh && placeOf(fresh);
      if (place) return place;
      const message = 'B2 wants another upload URL; the record will be asked for one.';
      throw new IsgError('upload-refused', message, { retry: 'transient' });
    },
  };
}

/** iconik's documents do not say how the token is spelled: as B2 does, or as iconik's own calls do. */
function placeOf({ upload_url: url, upload_credentials: credentials }: UploadTarget): B2Place | null {
  const token = credentials?.authorizationToken ?? credentials?.authorization_token;
  return url && typeof token === 'string' ? { url, token } : null;
}

function headersOf({ args, expected }: ObjectSource, target: UploadTarget, sha1: string): Record<string, string> {
  const { upload_filename: name } = target;
  if (!name) {
    const message = 'iconik gave no file name for B2; the record will be asked for it again.';
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  }
  return {
    'content-type': args.contentType,
    'x-bz-file-name': name.split('/').map(encodeURIComponent).join('/'),
    'x-bz-content-sha1': sha1,
    'x-bz-info-src_last_modified_millis': String(BigInt(expected.mtimeNs) / NANOSECONDS_PER_MILLISECOND),
  };
}
