import type { z } from 'zod';
import type { CallLimits, Entity, IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList, wholeNumberedList } from './paging.ts';
import { isSamePath } from './record-path.ts';
import {
  deletionSchema,
  eventSchema,
  fileSchema,
  logTargetSchema,
  storageSchema,
  transcoderSchema,
  transferFromSchema,
  transferToSchema,
} from './schemas.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

/** Most event ids in one purge (reference C.4). */
const PURGE_AT_ONCE = 100;

const pathOf = (...more: string[]) => servicePath('files', ['storages', ...more]);

/** Storages with their events, queues and file records (reference C.3–C.5, C.13, C.14). */
export function createStorages(requests: ServiceRequests): IconikApi['storages'] {
  const queue = <T extends Entity>(path: string, schema: z.ZodType<T>, limits?: CallLimits) =>
    keysetList({ requests, path, schema, limits, unreadable: 'skip', missing: 'throw' });

  return {
    get: (id, limits) => requests.read(pathOf(id), storageSchema, { limits }),
    async list(method, limits) {
      const query = { method };
      const list = { requests, path: pathOf(), schema: storageSchema, query, limits, unreadable: 'skip' } as const;
      return (await wholeNumberedList(list)).filter((storage) => storage.method === method);
    },
    patch: (id, body, limits) => requests.write({ method: 'PATCH', path: pathOf(id), body }, limits),
    matching: (purpose, storageId, limits) =>
      requests.read(servicePath('files', ['storages', 'matching', purpose]), storageSchema, {
        query: { storage_id: storageId },
        limits,
      }),
    async events(id, lastId, limits) {
      const path = pathOf(id, 'gateway', 'events');
      const schema = eventSchema;
      const list = {
        requests,
        path,
        schema,
        limits,
        unreadable: 'skip',
        missing: 'throw',
        startAfter: lastId,
        // The published call knows no page size (reference C.4).
        perPage: null,
      } as const;
      const events = await keysetList(list);
      const at = events.map((event) => Date.parse(event.date_created ?? ''));
      return at.some(Number.isNaN)
        ? events
        : events.sort((a, b) => Date.parse(a.date_created ?? '') - Date.parse(b.date_created ?? ''));
    },
    async purgeEvents(id, eventIds, limits) {
      const path = pathOf(id, 'gateway', 'events', 'purge');
      for (let at = 0; at < eventIds.length; at += PURGE_AT_ONCE) {
        const body = { event_ids: eventIds.slice(at, at + PURGE_AT_ONCE) };
        await requests.write({ method: 'POST', path, body }, limits);
      }
    },
    putReport: (id, body, limits) =>
      requests.write({ method: 'PUT', path: pathOf(id, 'gateway', 'report'), body }, limits),
    putGatewayStatus: (id, status, limits) =>
      requests.write({ method: 'PUT', path: pathOf(id, 'gateway', 'status'), body: { status } }, limits),
    async logUploadUrl(id, filename, limits) {
      // Older versions of the published call have the name in the query (reference C.5); the stricter of both is served.
      const request = { path: pathOf(id, 'logs'), body: { filename }, query: { filename } };
      return (await requests.ask(request, { schema: logTargetSchema, limits })).upload_url;
    },
    async findFiles(id, at, limits) {
      const path = pathOf(id, 'files');
      const query = { directory_path: at.directoryPath, name: at.name };
      const list = { requests, path, schema: fileSchema, query, limits, unreadable: 'throw' } as const;
      // The index may match loosely; only records at exactly this path count.
      return (await wholeNumberedList(list)).filter((file) => isSamePath(file, at));
    },
    patchFileAt: (id, body, limits) => requests.write({ method: 'PATCH', path: pathOf(id, 'files'), body }, limits),
    transfersFrom: (id, limits) => queue(pathOf(id, 'transfers_from'), transferFromSchema, limits),
    transfersTo: (id, limits) => queue(pathOf(id, 'transfers_to'), transferToSchema, limits),
    deletions: (id, limits) => queue(pathOf(id, 'deletions'), deletionSchema, limits),
    endTransfer: (id, { queue: name, transferId, outcome }, limits) =>
      requests
        .write({ method: 'DELETE', path: pathOf(id, name, transferId), query: { [outcome]: true } }, limits)
        .catch(exceptGone),
    endDeletion: (id, deletionId, limits) =>
      requests.write({ method: 'DELETE', path: pathOf(id, 'deletions', deletionId) }, limits).catch(exceptGone),
    transcoders: (id, limits) => queue(pathOf(id, 'transcoders'), transcoderSchema, limits),
  };
}
