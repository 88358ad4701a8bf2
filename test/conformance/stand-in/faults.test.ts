import { expect, test } from 'vitest';
import { testAccount } from './account.ts';

const TITLE = { title: 'x' };

test('a status fault answers its code and applies nothing', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ status: { rate: 1, code: 503 } });
  expect((await account.call('POST', 'assets/v1/assets/', TITLE)).status).toBe(503);
  expect(account.standIn.state()).toMatchObject({ assets: [], faultCounts: { status: 1 } });
});

test('throttling answers 429 with the budget, 401 refuses everyone', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ throttle: { rate: 1 } });
  const reply = await account.call('GET', 'assets/v1/assets/');
  expect(reply.status).toBe(429);
  expect(reply.headers.get('ratelimit-remaining')).toMatch(/^\d+$/);
  account.standIn.setFaults({ unauthorized: true });
  expect((await account.call('GET', 'assets/v1/assets/')).status).toBe(401);
});

test('a drop after commit applies the call and breaks the connection', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ dropAfterCommit: { rate: 1 } });
  await expect(account.call('POST', 'assets/v1/assets/', TITLE)).rejects.toThrow();
  expect(account.standIn.state()).toMatchObject({ assets: [TITLE], faultCounts: { dropAfterCommit: 1 } });
});

test('a late commit breaks the connection first and applies afterwards', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ lateCommit: { rate: 1, delayMs: 50 } });
  await expect(account.call('POST', 'assets/v1/assets/', TITLE)).rejects.toThrow();
  expect(account.standIn.state().assets).toEqual([]);
  await expect.poll(() => account.standIn.state().assets.length).toBe(1);
});

test('lagging lists hide young records, reads by id do not', async () => {
  let nowMs = Date.now();
  await using account = await testAccount({ nowMs: () => nowMs });
  account.standIn.setFaults({ listLagMs: 1000 });
  const { assetId } = await account.ingest('a.mov');
  const total = async (path: string) => (await account.call('GET', path)).body.total;
  expect(await total('assets/v1/assets/')).toBe(0);
  expect(await total(`files/v1/storages/${account.storageId}/files/`)).toBe(0);
  expect((await account.call('GET', `assets/v1/assets/${assetId}/`)).status).toBe(200);
  nowMs += 1000;
  expect(await total('assets/v1/assets/')).toBe(1);
  expect(await total(`files/v1/storages/${account.storageId}/files/`)).toBe(1);
});

test('an outage breaks every connection until the control endpoint ends it', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ outage: true });
  await expect(account.call('GET', 'assets/v1/assets/')).rejects.toThrow();
  const ended = await fetch(`${account.standIn.url}/_control/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(await ended.json()).toMatchObject({ plan: {}, counts: { outage: 1 } });
  expect((await account.call('GET', 'assets/v1/assets/')).status).toBe(200);
});

test('latency delays answers', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({ latencyMs: 60 });
  const startedAt = performance.now();
  await account.call('GET', 'assets/v1/assets/');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59);
});

test('faults can be narrowed to some calls and to a number of strikes', async () => {
  await using account = await testAccount();
  account.standIn.setFaults({
    dropAfterCommit: { rate: 1 },
    only: { methods: ['POST'], pathIncludes: '/assets/v1/', times: 1 },
  });
  expect((await account.call('GET', 'assets/v1/assets/')).status).toBe(200);
  await expect(account.call('POST', 'assets/v1/assets/', TITLE)).rejects.toThrow();
  expect((await account.call('POST', 'assets/v1/assets/', TITLE)).status).toBe(201);
});

test('the same seed strikes the same calls', async () => {
  await using account = await testAccount();
  const statuses = async (): Promise<number[]> => {
    account.standIn.setFaults({ status: { rate: 0.5, code: 500 }, seed: 42 });
    const seen: number[] = [];
    for (let index = 0; index < 20; index += 1)
      seen.push((await account.call('GET', 'users/v1/users/current/')).status);
    return seen;
  };
  const first = await statuses();
  expect(new Set(first)).toEqual(new Set([200, 500]));
  expect(await statuses()).toEqual(first);
});

test('the budget answers 429 after a thousand calls in twenty seconds', async () => {
  let nowMs = Date.now();
  await using account = await testAccount({ nowMs: () => nowMs });
  account.standIn.setFaults({ budget: true });
  const get = async () => (await account.call('GET', 'users/v1/users/current/')).status;
  const statuses: number[] = [];
  for (let index = 0; index < 1001; index += 1) statuses.push(await get());
  expect(statuses.indexOf(429)).toBe(1000);
  nowMs += 20_001;
  expect(await get()).toBe(200);
});

test('a fault plan with an unknown key is refused', async () => {
  await using account = await testAccount();
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${account.standIn.url}/_control/faults`, {
    method: 'PUT',
    headers,
    body: '{"chaos":true}',
  });
  expect(reply.status).toBe(400);
});
