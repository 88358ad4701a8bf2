import { expect, it } from 'vitest';
import { createHandOverStore, type LeaseStore } from '../../../agent/leader/lease-store.ts';
import { createRecordedLeaseStore } from '../../../agent/leader/recorded-lease-store.ts';
import type { HistoryFacts } from '../../../agent/runtime/history.ts';

it('a recorded lease is released in favour of the same successor as one that is not recorded, and notes it', async () => {
  const released: unknown[] = [];
  const inner: LeaseStore = {
    read: async () => ({ term: 1, renewals: 0, released: false, runId: null }),
    takeOver: async () => null,
    renew: async () => true,
    release: async (...asked) => {
      released.push(asked);
    },
  };
  const said: HistoryFacts[] = [];
  const history = { nowMs: () => 0, say: (_: string, facts: HistoryFacts) => said.push(facts) };
  const store = createHandOverStore(createRecordedLeaseStore(inner, history));
  store.nameSuccessor({ runId: 'run-b', forMs: 60_000 });
  await store.release(1, 'drill');
  await store.release(2, 'stopping');
  expect(released).toEqual([
    [1, 'drill', 'run-b'],
    [2, 'stopping', undefined],
  ]);
  expect(said).toMatchObject([{ term: 1, successor: 'run-b' }, { term: 2 }]);
  expect(said[1]).not.toHaveProperty('successor');
});
