import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { transcodeSchema } from './schemas.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

const pathOf = (storageId: string, ...more: string[]) =>
  servicePath('transcode', ['storages', storageId, 'transcode', ...more]);

/** The queue of local transcodes of a storage (reference C.12). */
export function createTranscode(requests: ServiceRequests): IconikApi['transcode'] {
  return {
    queue: (storageId, limits) => {
      const path = pathOf(storageId);
      return keysetList({ requests, path, schema: transcodeSchema, limits, unreadable: 'skip', missing: 'throw' });
    },
    endRecord: (storageId, recordId, limits) =>
      requests.write({ method: 'DELETE', path: pathOf(storageId, recordId) }, limits).catch(exceptGone),
  };
}
