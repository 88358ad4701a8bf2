import type { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { CallLimits } from './api.ts';
import { boundPartUrlsSchema, partUrlsSchema } from './schemas.ts';
import type { Query, ServiceRequests } from './service-requests.ts';

/** Part URLs per request. */
const PARTS_PER_PAGE = 100;

/** Signed URLs of all parts of an upload on S3 (reference C.9). */
export function readPartUrls(
  requests: ServiceRequests,
  path: string,
  upload: { uploadId: string; partsNum: number; temporary?: boolean },
  limits: CallLimits | undefined,
): Promise<{ number: number; url: string }[]> {
  return readAllParts(
    requests,
    path,
    { ...upload, schema: partUrlsSchema, query: { upload_id: upload.uploadId } },
    limits,
  );
}

/** All parts, page by page, ascending; anything less than all of them is an unreadable answer. */
export async function readAllParts<T extends { number: number }>(
  requests: ServiceRequests,
  path: string,
  ask: { partsNum: number; temporary?: boolean; schema: z.ZodType<{ objects: T[] }>; query: Query },
  limits: CallLimits | undefined,
): Promise<T[]> {
  const parts = new Map<number, T>();
  for (let page = 1; parts.size < ask.partsNum; page++) {
    const query = {
      ...ask.query,
      parts_num: ask.partsNum,
      per_page: PARTS_PER_PAGE,
      page,
      temporary: ask.temporary || null,
    };
    const before = parts.size;
    for (const part of (await requests.read(path, ask.schema, { query, limits })).objects) {
      if (part.number >= 1 && part.number <= ask.partsNum) parts.set(part.number, part);
    }
    if (parts.size === before) {
      throw new IsgError(
        'iconik-answer-unreadable',
        `iconik gave ${before} of ${ask.partsNum} part URLs for ${path}.`,
        {
          retry: 'transient',
          fields: { path, sent: true, fromIconik: true },
        },
      );
    }
  }
  return [...parts.values()].sort((a, b) => a.number - b.number);
}

/** Signed URL of one part that is bound to its MD5 (reference C.9); an answer without it is an unreadable one. */
export async function readBoundPartUrl(
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
