import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { numberedList, wholeNumberedList } from './paging.ts';
import { assetSchema, historySchema, versionsSchema } from './schemas.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

const pathOf = (id: string, ...more: string[]) => servicePath('assets', ['assets', id, ...more]);
const ALL = servicePath('assets', ['assets']);

/** Assets (reference C.8). */
export function createAssets(requests: ServiceRequests): IconikApi['assets'] {
  return {
    create: (body, limits) => requests.create(ALL, { schema: assetSchema, body, limits }),
    get: (id, limits) => requests.read(pathOf(id), assetSchema, { limits }),
    newestFirst: (limits) =>
      numberedList({
        requests,
        path: ALL,
        schema: assetSchema,
        query: { sort: 'date_created,desc' },
        limits,
        unreadable: 'throw',
      }),
    delete: (id, limits) => requests.write({ method: 'DELETE', path: pathOf(id) }, limits).catch(exceptGone),
    createVersion: async (id, body, limits) =>
      (await requests.create(pathOf(id, 'versions'), { schema: versionsSchema, body, limits })).versions,
    createHistory: (id, body, limits) =>
      requests.create(pathOf(id, 'history'), { schema: historySchema, body, limits }),
    history: (id, limits) => {
      const path = pathOf(id, 'history');
      return wholeNumberedList({ requests, path, schema: historySchema, limits, unreadable: 'throw' });
    },
  };
}
