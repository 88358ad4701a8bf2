import type { IconikApi } from './api.ts';
import { createB2Files } from './b2-files.ts';
import { createGcsFiles } from './gcs-files.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { readBoundPartUrl, readPartUrls } from './part-urls.ts';
import { fileSchema, fileSetSchema, formatSchema, multipartUrlsSchema } from './schemas.ts';
import { exceptGone, isNotFound, type ServiceRequests } from './service-requests.ts';

const pathOf = (assetId: string, ...more: string[]) => servicePath('files', ['assets', assetId, ...more]);

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
    deleteFileSet: (assetId, fileSetId, { keepSource }, limits) =>
      requests
        .write(
          {
            method: 'DELETE',
            path: pathOf(assetId, 'file_sets', fileSetId),
            query: keepSource ? { keep_source: true } : {},
          },
          limits,
        )
        .catch(exceptGone),
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
    multipartBoundPartUrl: (assetId, fileId, part, limits) =>
      readBoundPartUrl(requests, pathOf(assetId, 'files', fileId, 'multipart_url', 's3', 'part'), part, limits),
    ...createB2Files(requests, (assetId, fileId, call) => pathOf(assetId, 'files', fileId, 'multipart', 'b2', call)),
    ...createGcsFiles(requests, (assetId, fileId, ...call) => pathOf(assetId, 'files', fileId, ...call)),
    multipartPartUrls: (assetId, fileId, upload, limits) =>
      readPartUrls(requests, pathOf(assetId, 'files', fileId, 'multipart_url', 'part'), upload, limits),
  };
}
