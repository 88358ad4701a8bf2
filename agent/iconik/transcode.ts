import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { edgeJobsSchema, transcodeSchema } from './schemas.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

const pathOf = (storageId: string, ...more: string[]) =>
  servicePath('transcode', ['storages', storageId, 'transcode', ...more]);

/** Edge orders asked for at once: more come with the next look, once these are acknowledged. */
const EDGE_JOBS_AT_ONCE = 200;

/** The queue of local transcodes of a storage (reference C.12). */
export function createTranscode(requests: ServiceRequests): IconikApi['transcode'] {
  return {
    queue: (storageId, limits) => {
      const path = pathOf(storageId);
      return keysetList({ requests, path, schema: transcodeSchema, limits, unreadable: 'skip', missing: 'throw' });
    },
    endRecord: (storageId, recordId, limits) =>
      requests.write({ method: 'DELETE', path: pathOf(storageId, recordId) }, limits).catch(exceptGone),
    async edgeJobs(storageId, limits) {
      const path = servicePath('transcode', ['storages', storageId, 'edge_transcode', 'jobs']);
      const query = { limit: EDGE_JOBS_AT_ONCE };
      return (await requests.read(path, edgeJobsSchema, { query, limits })).objects;
    },
    acknowledgeEdgeJob: (jobId, limits) => {
      const path = servicePath('transcode', ['edge_transcode', 'jobs', jobId, 'acknowledge']);
      return requests.write({ method: 'POST', path }, limits).catch(exceptGone);
    },
  };
}
