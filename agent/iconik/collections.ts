import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { wholeNumberedList } from './paging.ts';
import { collectionSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

const ALL = servicePath('assets', ['collections']);
const pathOf = (id: string, ...more: string[]) => servicePath('assets', ['collections', id, ...more]);

/** Collections and what they show (reference C.15). */
export function createCollections(requests: ServiceRequests): IconikApi['collections'] {
  const list = { requests, schema: collectionSchema, unreadable: 'throw' } as const;
  return {
    get: (id, limits) => requests.read(pathOf(id), collectionSchema, { limits }),
    create: (body, limits) => requests.create(ALL, { schema: collectionSchema, body, limits }),
    roots: (limits) => wholeNumberedList({ ...list, path: ALL, query: { is_root: 'true' }, limits }),
    async childrenWithExternalId(id, externalId, limits) {
      const query = { object_types: 'collections', external_id: externalId };
      const found = await wholeNumberedList({ ...list, path: pathOf(id, 'contents'), query, limits });
      // The index may match loosely; only the very id counts.
      return found.filter((collection) => collection.external_id === externalId);
    },
    // An asset is in a collection or not: repeating the call means the same.
    putAsset: (id, assetId, limits) =>
      requests.write(
        { method: 'POST', path: pathOf(id, 'contents'), body: { object_type: 'assets', object_id: assetId } },
        limits,
      ),
  };
}
