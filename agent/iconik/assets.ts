import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { numberedList } from './paging.ts';
import { assetSchema } from './schemas.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

const pathOf = (id: string) => servicePath('assets', ['assets', id]);
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
  };
}
