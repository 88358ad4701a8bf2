import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { keyframeSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

const pathOf = (assetId: string, ...more: string[]) => servicePath('files', ['assets', assetId, 'keyframes', ...more]);

/** Keyframes and posters of an asset, of all its versions (reference C.10). */
export function createKeyframes(requests: ServiceRequests): IconikApi['keyframes'] {
  return {
    create: (assetId, body, limits) => requests.create(pathOf(assetId), { schema: keyframeSchema, body, limits }),
    get: (assetId, keyframeId, limits) => requests.read(pathOf(assetId, keyframeId), keyframeSchema, { limits }),
    patch: (assetId, keyframeId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(assetId, keyframeId), body }, limits),
    list: (assetId, limits) => {
      const query = { generate_signed_url: false, include_all_versions: true };
      const path = pathOf(assetId);
      return keysetList({
        requests,
        path,
        schema: keyframeSchema,
        query,
        limits,
        unreadable: 'throw',
        missing: 'throw',
      });
    },
  };
}
