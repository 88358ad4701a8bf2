import type { IconikApi } from './api.ts';
import { readAllParts } from './part-urls.ts';
import { gcsComposeUrlSchema, gcsPartUrlsSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Path of one of the calls for parts of a file record. */
type PathOf = (assetId: string, fileId: string, ...call: string[]) => string;

/**
 * Uploads to GCS in parallel parts (reference C.9: the calls are published; in which order they are made, and that `parts_group` null
 * names the object itself, is inferred from their schemas).
 */
export function createGcsFiles(
  requests: ServiceRequests,
  pathOf: PathOf,
): Pick<IconikApi['files'], 'gcsPartUrls' | 'gcsComposeUrl' | 'gcsCleanUp'> {
  return {
    async gcsPartUrls(assetId, fileId, ask, limits) {
      const path = pathOf(assetId, fileId, 'multipart_url', 'part');
      const parts = await readAllParts(requests, path, { ...ask, schema: gcsPartUrlsSchema, query: {} }, limits);
      return parts.map(({ number, url, key, delete_url, download_url }) => {
        return { number, url, key, deleteUrl: delete_url, downloadUrl: download_url };
      });
    },
    async gcsComposeUrl(assetId, fileId, { group, contentType, temporary }, limits) {
      const path = pathOf(assetId, fileId, 'multipart', 'gcs', 'compose_url');
      const body = { parts_group: group, content_type: contentType };
      const query = { temporary: temporary || null };
      const answer = await requests.ask({ path, body, query }, { schema: gcsComposeUrlSchema, limits });
      return { composeUrl: answer.compose_url, key: answer.key, deleteUrl: answer.delete_url };
    },
    gcsCleanUp: (assetId, fileId, { parts, groups, temporary }, limits) =>
      requests.write(
        {
          method: 'POST',
          path: pathOf(assetId, fileId, 'multipart', 'cleanup'),
          body: { parts_number: parts, parts_group_number: groups, temporary: temporary ?? false },
        },
        limits,
      ),
  };
}
