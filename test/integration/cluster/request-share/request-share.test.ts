import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createPgShareStore, credentialName } from '../../../../agent/cluster/request-share/pg-share-store.ts';
import { RequestShare } from '../../../../agent/cluster/request-share/request-share.ts';
import { createIconikApi, type IconikClient } from '../../../../agent/iconik/iconik-client.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createStandIn, type StandIn } from '../../../stand-in/stand-in.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.ts';

const BUDGET = 45;
/** iconik's 50/s, in a window that a test can wait for. */
const LIMIT = { calls: 100, windowMs: 2_000 };

let folder: string;
let standIn: StandIn;
let testDatabase: TestDatabase;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-share-'));
  [standIn, testDatabase] = await Promise.all([createStandIn({ dataDir: folder }), createTestDatabase()]);
});
afterAll(async () => {
  await standIn.close();
  await testDatabase.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Nodes of one credential, each with a client of its own; the first leads. */
function createNodes(count: number) {
  const runIds = Array.from({ length: count }, () => randomUUID());
  const members = runIds.map((runId, at) => ({ runId, isAlive: true, leads: at === 0 }));
  const store = createPgShareStore(testDatabase.database, credentialName(standIn.url, randomUUID()));
  return runIds.map((runId, at) => {
    const api = createIconikApi({
      baseUrl: standIn.url,
      appId: standIn.appId,
      authToken: standIn.authToken,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      requestsPerSecond: BUDGET,
    });
    const divide = () =>
      new RequestShare({
        store,
        runId,
        perSecond: BUDGET,
        pace: api.pace,
        members: () => members,
        confirmedAgoMs: () => 0,
        isLeader: () => at === 0,
        clock: systemClock,
        log: silentLogger,
        lookMs: 200,
      });
    return { api, divide };
  });
}

/** As many calls as the budget lets through, eight at a time, until the time is over; answers how many. */
async function flood(api: IconikClient, stop: AbortSignal): Promise<number> {
  let calls = 0;
  const one = async () => {
    while (!stop.aborted) {
      await api.users.currentId({ signal: stop }).then(
        () => (calls += 1),
        () => undefined,
      );
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return calls;
}

const throttledIn = async (nodes: { api: IconikClient }[], forMs: number) => {
  let throttled = 0;
  for (const { api } of nodes) api.pace.onThrottle(() => (throttled += 1));
  const calls = await Promise.all(nodes.map(({ api }) => flood(api, AbortSignal.timeout(forMs))));
  return { throttled, calls };
};

describe('three nodes of one credential', () => {
  it('are throttled without a division, and are not with it, whichever of them has work', async () => {
    standIn.setFaults({ budget: LIMIT });
    const alone = createNodes(3);
    expect((await throttledIn(alone, 1_200)).throttled).toBeGreaterThan(0);
    await Promise.all(alone.map(({ api }) => api.close()));
    // The window of the flood before.
    await systemClock.sleep(LIMIT.windowMs);

    const nodes = createNodes(3);
    const shares = nodes.map(({ divide }) => divide());
    await Promise.all(shares.map((share) => share.start()));
    const { throttled, calls } = await throttledIn(nodes, 3_500);
    expect(throttled).toBe(0);
    expect(Math.min(...calls)).toBeGreaterThan(5);
    await Promise.all(shares.map((share) => share.stop()));
    await Promise.all(nodes.map(({ api }) => api.close()));
    const left = await testDatabase.database.query('SELECT run_id FROM request_share', [], z.object({}));
    expect(left).toEqual([]);
  });

  it('tell each other of a 429', async () => {
    standIn.setFaults({ throttle: { rate: 1 } });
    const nodes = createNodes(2);
    const shares = nodes.map(({ divide }) => divide());
    await Promise.all(shares.map((share) => share.start()));
    const [first, second] = nodes;
    if (!first || !second) throw new Error('two nodes');
    await shares[1]?.look();
    const stop = new AbortController();
    const refused = first.api.users.currentId({ signal: stop.signal }).catch(() => undefined);
    const counted = () =>
      testDatabase.database.query('SELECT throttles::int FROM request_budget', [], z.object({ throttles: z.number() }));
    await expect.poll(async () => (await counted()).some((row) => row.throttles > 0), { timeout: 10_000 }).toBe(true);
    await shares[1]?.look();
    standIn.setFaults({});
    // The second node's own pause: its next request is not sent at once.
    const sinceMs = systemClock.monotonicMs();
    await second.api.users.currentId();
    expect(systemClock.monotonicMs() - sinceMs).toBeGreaterThan(300);
    stop.abort();
    await refused;
    await Promise.all(shares.map((share) => share.stop()));
    await Promise.all(nodes.map(({ api }) => api.close()));
  });
});

describe('the ledger in the database', () => {
  it('accepts one of many raises that saw the same version, and strikes out who is gone', async () => {
    const store = createPgShareStore(testDatabase.database, 'one');
    const gone = randomUUID();
    const { version } = await store.read();
    expect(await store.raise({ runId: gone, demandPerSecond: 1, heldPerSecond: 40 }, { version, gone: [] })).toBe(true);
    const seen = await store.read();
    const raises = Array.from({ length: 8 }, () =>
      store.raise(
        { runId: randomUUID(), demandPerSecond: 9, heldPerSecond: 45 },
        { version: seen.version, gone: [gone] },
      ),
    );
    expect((await Promise.all(raises)).filter(Boolean).length).toBe(1);
    const { rows } = await store.read();
    expect(rows.map((row) => row.heldPerSecond)).toEqual([45]);
  });

  it('never lets a release add to what a run holds', async () => {
    const store = createPgShareStore(testDatabase.database, 'two');
    const runId = randomUUID();
    await store.release({ runId, demandPerSecond: 4, heldPerSecond: 30 });
    expect((await store.read()).rows).toEqual([{ runId, demandPerSecond: 4, heldPerSecond: 0 }]);
  });
});
