import type { ClaimedJob } from '../../../agent/jobs/job-store.ts';

/** A CHECKSUM job in its first attempt, with what the test says of it. */
export const claimedJob = (over: Partial<ClaimedJob> = {}): ClaimedJob => ({
  jobId: '1',
  leaseToken: '10',
  role: 'CHECKSUM',
  kind: 'checksum',
  profile: '',
  storageId: null,
  payload: {},
  attempts: 1,
  maxAttempts: 8,
  checkpoint: null,
  origin: null,
  ...over,
});
