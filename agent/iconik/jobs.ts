import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { exceptGone, type ServiceRequests } from './service-requests.ts';

/** Jobs as users see them (reference C.11). */
export function createJobs(requests: ServiceRequests): IconikApi['jobs'] {
  return {
    patch: (jobId, body, limits) =>
      requests.write({ method: 'PATCH', path: servicePath('jobs', ['jobs', jobId]), body }, limits).catch(exceptGone),
  };
}
