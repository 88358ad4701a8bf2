import { IsgError } from '../runtime/errors.ts';
import type { CallLimits, IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { fileSchema, fileSetSchema, formatSchema, multipartUrlsSchema, partUrlsSchema } from './schemas.ts';
import { isNotFound, type ServiceRequests } from './service-requests.ts';

/** Part URLs per request. */
const PARTS_PER_PAGE = 100;

const pathOf = (assetId: string, ...more: string[]) => servicePath('files', ['assets', assetId, ...more]);

/** Signed URLs of all parts, page by page (reference C.9); anything less than all of them is an unreadable answer. */
async function partUrls(
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

/** Formats, file sets and file records of an asset (reference C.8, C.9). */
export function createFiles(requests: ServiceRequests): IconikApi['files'] {
  return {
    createFormat: (assetId, body, limits) =>
      requests.create(pathOf(assetId, 'formats'), { schema: formatSchema, body, limits }),
    async formatByName(assetId, name, limits) {
      try {
        const format = await requests.read(pathOf(assetId, 'formats', name), formatSchema, { limits });
        return format.status === 'DELETED' ? null : format;
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    },
    formats: (assetId, limits) => {
      const path = pathOf(assetId, 'formats');
      return keysetList({ requests, path, schema: formatSchema, limits, unreadable: 'throw', missing: 'throw' });
    },
    patchFormat: (assetId, formatId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(assetId, 'formats', formatId), body }, limits),
    createFileSet: (assetId, body, limits) =>
      requests.create(pathOf(assetId, 'file_sets'), { schema: fileSetSchema, body, limits }),
    patchFileSet: (assetId, fileSetId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(assetId, 'file_sets', fileSetId), body }, limits),
    fileSets: (assetId, formatId, limits) => {
      const path = pathOf(assetId, 'formats', formatId, 'file_sets');
      return keysetList({ requests, path, schema: fileSetSchema, limits, unreadable: 'throw', missing: 'throw' });
    },
    createFile: (assetId, body, limits) =>
      requests.create(pathOf(assetId, 'files'), { schema: fileSchema, body, limits }),
    getFile: (assetId, fileId, limits) => requests.read(pathOf(assetId, 'files', fileId), fileSchema, { limits }),
    patchFile: (assetId, fileId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(assetId, 'files', fileId), body }, limits),
    assetFiles: (assetId, limits) => {
      const path = pathOf(assetId, 'files');
      const query = { generate_signed_url: false };
      return keysetList({ requests, path, schema: fileSchema, query, limits, unreadable: 'throw', missing: 'throw' });
    },
    byChecksum: (md5, limits) => {
      const path = servicePath('files', ['files', 'checksum', md5]);
      return keysetList({ requests, path, schema: fileSchema, limits, unreadable: 'throw', missing: 'empty' });
    },
    fileSetFiles: (assetId, fileSetId, limits) => {
      const path = pathOf(assetId, 'file_sets', fileSetId, 'files');
      const query = { generate_signed_url: true };
      return keysetList({ requests, path, schema: fileSchema, query, limits, unreadable: 'throw', missing: 'throw' });
    },
    multipartUrls: (assetId, fileId, { uploadId, type, temporary }, limits) =>
      requests.read(pathOf(assetId, 'files', fileId, 'multipart_url'), multipartUrlsSchema, {
        query: { upload_id: uploadId, type, temporary: temporary || null },
        limits,
      }),
    multipartPartUrls: (assetId, fileId, upload, limits) =>
      partUrls(requests, pathOf(assetId, 'files', fileId, 'multipart_url', 'part'), upload, limits),
  };
}
