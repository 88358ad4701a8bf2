import { type History, noteCall } from '../runtime/history.ts';
import type { JobStore } from './job-store.ts';

/** A job store that notes claims, renewals and ends of leases with their tokens, and behaves like the given one. */
export function createRecordedJobStore(store: JobStore, history: History): JobStore {
  return {
    ...store,
    exchange: (ends, lanes, reach) => {
      const startMs = history.nowMs();
      return noteCall(
        history,
        'job-claim',
        async () => {
          const answer = await store.exchange(ends, lanes, reach);
          for (const { lease, end } of ends) {
            const accepted = answer.verdicts.get(lease.jobId) === 'ended';
            history.say('job-end', { startMs, ...lease, state: end.state, accepted });
          }
          return answer;
        },
        ({ claimed }) => ({ jobs: claimed.map(({ jobId, leaseToken }) => ({ jobId, leaseToken })) }),
      );
    },
    claim: (lanes, reach) =>
      noteCall(
        history,
        'job-claim',
        () => store.claim(lanes, reach),
        (jobs) => ({ jobs: jobs.map(({ jobId, leaseToken }) => ({ jobId, leaseToken })) }),
      ),
    renew: (items, visibilityTimeoutS) =>
      noteCall(
        history,
        'job-renew',
        () => store.renew(items, visibilityTimeoutS),
        (jobs) => ({
          jobs: jobs.filter(({ isBusy }) => !isBusy).map(({ jobId, leaseToken }) => ({ jobId, leaseToken })),
        }),
      ),
    end: ({ jobId, leaseToken }, end, alongside) =>
      noteCall(
        history,
        'job-end',
        () => store.end({ jobId, leaseToken }, end, alongside),
        (answer) => ({ jobId, leaseToken, state: end.state, accepted: answer === 'ended' }),
      ),
  };
}
