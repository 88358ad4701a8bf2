import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { jobSchema } from './schemas.ts';
import { exceptGone, isNotFound, type ServiceRequests } from './service-requests.ts';

/** Most job ids in one change of priority (reference C.11). */
const PRIORITIES_AT_ONCE = 500;

const pathOf = (...more: string[]) => servicePath('jobs', ['jobs', ...more]);

/** Jobs as users see them (reference C.11). */
export function createJobs(requests: ServiceRequests): IconikApi['jobs'] {
  return {
    patch: (jobId, body, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(jobId), body }, limits).catch(exceptGone),
    async steps(jobId, limits) {
      try {
        return (await requests.read(pathOf(jobId), jobSchema, { limits })).steps;
      } catch (thrown) {
        if (isNotFound(thrown)) return [];
        throw thrown;
      }
    },
    patchSteps: (jobId, steps, limits) =>
      requests.write({ method: 'PATCH', path: pathOf(jobId, 'steps'), body: { steps } }, limits).catch(exceptGone),
    async putPriority(jobIds, priority, limits) {
      for (let at = 0; at < jobIds.length; at += PRIORITIES_AT_ONCE) {
        const body = { job_ids: jobIds.slice(at, at + PRIORITIES_AT_ONCE), priority };
        await requests.write({ method: 'PUT', path: pathOf('priority'), body }, limits);
      }
    },
  };
}
