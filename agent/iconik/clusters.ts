import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { wholeNumberedList } from './paging.ts';
import { clusterSchema, gatewaySchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Storage gateway clusters (reference C.7). */
export function createClusters(requests: ServiceRequests): IconikApi['clusters'] {
  return {
    get: (id, limits) =>
      requests.read(servicePath('files', ['storage_gateway_clusters', id]), clusterSchema, { limits }),
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
