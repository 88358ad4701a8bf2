import { type History, noteCall } from '../runtime/history.ts';
import type { LeaseStore } from './lease-store.ts';

/** A lease store that notes every attempt with its beginning, end and answer, and behaves like the given one. */
export function createRecordedLeaseStore(store: LeaseStore, history: History): LeaseStore {
  return {
    ...store,
    read: () =>
      noteCall(
        history,
        'lease-read',
        () => store.read(),
        ({ term, renewals, released, runId }) => ({ term, renewals, released, holder: runId }),
      ),
    takeOver: (seen, take) =>
      noteCall(
        history,
        'take-over',
        () => store.takeOver(seen, take),
        (term) => ({ term, seenTerm: seen.term, seenRenewals: seen.renewals }),
      ),
    renew: (term, ttlMs) =>
      noteCall(
        history,
        'renew',
        () => store.renew(term, ttlMs),
        (renewed) => ({ term, ttlMs, renewed }),
      ),
    release: (term, why, successorRunId) =>
      noteCall(
        history,
        'release',
        () => store.release(term, why, successorRunId),
        () => ({ term, why, ...(successorRunId === undefined ? {} : { successor: successorRunId }) }),
      ),
  };
}
