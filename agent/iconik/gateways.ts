import { IsgError } from '../runtime/errors.ts';
import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { wholeNumberedList } from './paging.ts';
import { gatewaySchema, logTargetSchema } from './schemas.ts';
import { isNotFound, type ServiceRequests } from './service-requests.ts';

/** Path of all gateways, or of one. */
const pathOf = (...more: string[]) => servicePath('files', ['storage_gateways', ...more]);

/** Storage gateways (reference C.6, C.7). */
export function createGateways(requests: ServiceRequests): IconikApi['gateways'] {
  return {
    async get(id, limits) {
      try {
        return await requests.read(pathOf(id), gatewaySchema, { limits });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw new IsgError(
          'iconik-not-found',
          `iconik knows no storage gateway "${id}". Check storage-gateway-id in config.ini against the storage gateway in iconik's admin pages, and that iconik-url and app-id belong to the same iconik account.`,
          { retry: 'permanent', cause: error, fields: { storageGatewayId: id, status: 404 } },
        );
      }
    },
    list: (limits) =>
      wholeNumberedList({ requests, path: pathOf(), schema: gatewaySchema, limits, unreadable: 'skip' }),
    create: (body, limits) => requests.create(pathOf(), { schema: gatewaySchema, body, limits }),
    patch: (id, body, limits) => requests.write({ method: 'PATCH', path: pathOf(id), body }, limits),
    postTelemetry: (id, body, limits) =>
      requests.write({ method: 'POST', path: pathOf(id, 'telemetry'), body }, limits),
    async logUploadUrl(id, filename, limits) {
      const request = { path: pathOf(id, 'logs'), body: { filename } };
      return (await requests.ask(request, { schema: logTargetSchema, limits })).upload_url;
    },
  };
}
