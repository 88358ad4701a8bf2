import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { wholeNumberedList } from './paging.ts';
import { clusterSchema, gatewaySchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Path of all clusters, or of one. */
const pathOf = (...id: string[]) => servicePath('files', ['storage_gateway_clusters', ...id]);

/** Storage gateway clusters (reference C.7). */
export function createClusters(requests: ServiceRequests): IconikApi['clusters'] {
  return {
    get: (id, limits) => requests.read(pathOf(id), clusterSchema, { limits }),
    list: (limits) =>
      wholeNumberedList({ requests, path: pathOf(), schema: clusterSchema, limits, unreadable: 'skip' }),
    create: (body, limits) => requests.create(pathOf(), { schema: clusterSchema, body, limits }),
    patch: (id, body, limits) => requests.write({ method: 'PATCH', path: pathOf(id), body }, limits),
    async nodes(id, limits) {
      const gateways = await wholeNumberedList({
        requests,
        path: servicePath('files', ['storage_gateways']),
        schema: gatewaySchema,
        query: { cluster_id: id },
        limits,
        unreadable: 'throw',
      });
      return gateways.filter((gateway) => gateway.cluster_id === id);
    },
  };
}
