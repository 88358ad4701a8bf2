import { expect, it } from 'vitest';
import { createHandOverStore, type LeaseStore } from '../../../agent/leader/lease-store.ts';

function storeOf() {
  const released: unknown[] = [];
  const inner: LeaseStore = {
    read: async () => ({ term: 1, renewals: 0, released: false, runId: null }),
    takeOver: async () => 2,
    renew: async () => true,
    release: async (_, __, successor) => {
      released.push(successor);
    },
  };
  let nowMs = 0;
  const store = createHandOverStore(inner, () => nowMs);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { store, released, pass };
}

it('a named successor stands in the next release only, and in none after its time', async () => {
  const { store, released, pass } = storeOf();
  store.nameSuccessor({ runId: 'run-b', forMs: 9_000 });
  pass(8_999);
  await store.release(1, 'drill');
  await store.release(2, 'stopping');
  store.nameSuccessor({ runId: 'run-b', forMs: 9_000 });
  pass(9_000);
  await store.release(3, 'stopping, long after a drill that came to nothing');
  expect(released).toEqual(['run-b', undefined, undefined]);
});

it('is forgotten with a take-over, and when it is taken back', async () => {
  const { store, released } = storeOf();
  store.nameSuccessor({ runId: 'run-b', forMs: 9_000 });
  await store.takeOver(await store.read(), { highestSeen: 0, why: 'test', ttlMs: 3_000 });
  await store.release(2, 'stopping');
  store.nameSuccessor({ runId: 'run-b', forMs: 9_000 });
  store.nameSuccessor(null);
  await store.release(3, 'stopping');
  expect(released).toEqual([undefined, undefined]);
});
