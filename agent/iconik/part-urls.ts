import { IsgError } from '../runtime/errors.ts';
import type { CallLimits } from './api.ts';
import { boundPartUrlsSchema, partUrlsSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Part URLs per request. */
const PARTS_PER_PAGE = 100;

/** Signed URLs of all parts, page by page (reference C.9); anything less than all of them is an unreadable answer. */
export async function readPartUrls(
  requests: ServiceRequests,
  path: string,
  upload: { uploadId: string; partsNum: number; temporary?: boolean },
  limits: CallLimits | undefined,
): Promise<{ number: number; url: string }[]> {
  const urls = new Map<number, string>();
  for (let page = 1; urls.size < upload.partsNum; page++) {
    const query = {
      upload_id: upload.uploadId,
      parts_num: upload.partsNum,
      per_page: PARTS_PER_PAGE,
      page,
      temporary: upload.temporary || null,
    };
    const before = urls.size;
    for (const part of (await requests.read(path, partUrlsSchema, { query, limits })).objects) {
      if (part.number >= 1 && part.number <= upload.partsNum) urls.set(part.number, part.url);
    }
    if (urls.size === before) {
      throw new IsgError(
        'iconik-answer-unreadable',
        `iconik gave ${before} of ${upload.partsNum} part URLs for ${path}.`,
        {
          retry: 'transient',
          fields: { path, sent: true, fromIconik: true },
        },
      );
    }
  }
  return [...urls].map(([number, url]) => ({ number, url })).sort((a, b) => a.number - b.number);
}

/** A signed URL for one part that is bound to its MD5 (base64); an answer without it is an unreadable one. */
export async function askBoundPartUrl(
  requests: ServiceRequests,
  path: string,
  part: { uploadId: string; number: number; md5Base64: string; temporary?: boolean },
  limits: CallLimits | undefined,
): Promise<string> {
  const body = { upload_id: part.uploadId, parts: [{ part_number: part.number, checksum: part.md5Base64 }] };
  const query = { temporary: part.temporary || null };
  const { parts } = await requests.ask({ path, body, query }, { schema: boundPartUrlsSchema, limits });
  const url = parts.find((one) => one.part_number === part.number)?.url;
  if (url) return url;
  throw new IsgError('iconik-answer-unreadable', `iconik gave no URL for part ${part.number}.`, {
    retry: 'transient',
    fields: { path, sent: true, fromIconik: true },
  });
}
