import type { CreationRight } from '../../iconik/creation/create-living.ts';
import type { JobContext } from '../../jobs/job-handler.ts';

/** The part of a job's context that a creation needs. */
export type LeaseContext = Pick<JobContext<unknown>, 'job' | 'signal'>;

/** A running job creates under its lease, until it is asked to stop. */
export function leaseRight({ job, signal }: LeaseContext): CreationRight {
  return {
    fence: () => ({ kind: 'lease', jobId: job.jobId, leaseToken: job.leaseToken }),
    assertAllowed: () => signal.throwIfAborted(),
  };
}
