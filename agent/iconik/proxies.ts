import { z } from 'zod';
import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { readPartUrls } from './part-urls.ts';
import { multipartUrlsSchema, proxySchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

const urlSchema = z.looseObject({ url: z.string().min(1) });
const pathOf = (assetId: string, ...more: string[]) => servicePath('files', ['assets', assetId, 'proxies', ...more]);

/** Proxies of an asset, of all its versions (reference C.10). */
export function createProxies(requests: ServiceRequests): IconikApi['proxies'] {
  return {
    multipartUrls: (assetId, proxyId, { uploadId, type }, limits) =>
      requests.read(pathOf(assetId, proxyId, 'multipart_url'), multipartUrlsSchema, {
        query: { upload_id: uploadId, type },
        limits,
      }),
    multipartPartUrls: (assetId, proxyId, upload, limits) =>
      readPartUrls(requests, pathOf(assetId, proxyId, 'multipart_url', 'part'), upload, limits),
    create: (assetId, body, limits) => requests.create(pathOf(assetId), { schema: proxySchema, body, limits }),
    get: (assetId, proxyId, limits) => requests.read(pathOf(assetId, proxyId), proxySchema, { limits }),
    patch: (assetId, proxyId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(assetId, proxyId), body }, limits),
    async downloadUrl(assetId, proxyId, limits) {
      const { url } = await requests.read(pathOf(assetId, proxyId, 'download_url'), urlSchema, { limits });
      return url;
    },
    list: (assetId, limits) => {
      const query = { generate_signed_url: false, include_all_versions: true };
      const path = pathOf(assetId);
      return keysetList({ requests, path, schema: proxySchema, query, limits, unreadable: 'throw', missing: 'throw' });
    },
  };
}
