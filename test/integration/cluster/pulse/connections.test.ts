import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pulse } from '../../../../agent/cluster/pulse/pulse.ts';
import { createPgLeaseStore } from '../../../../agent/leader/pg-lease-store.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { type FaultProxy, type NetworkFaults, startFaultProxy } from '../../../support/fault-proxy.ts';
import { isLong, onlyLong } from '../../../support/long-version.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.ts';

/** What the renewal thread makes of bad connections: the time between two confirmed renewals stays within the trust window. */

const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };
const TRUST_MS = times.ttlMs - times.marginMs;

let test: TestDatabase;
let proxy: FaultProxy;
let pulse: Pulse;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await pulse.stop();
  await proxy.stop();
  await test.drop();
});

/** Both ways alike, milliseconds. */
const slow = (delayMs: number, jitterMs = 0): NetworkFaults => ({
  latency: { up: { delayMs, jitterMs }, down: { delayMs, jitterMs } },
});

/** Starts a pulse behind the proxy and takes the lease over; answers the start of the take-over and its term. */
async function lead(faults: NetworkFaults = {}): Promise<{ term: number; tookMs: number }> {
  const uri = new URL(test.uri);
  proxy = await startFaultProxy({ targetPort: Number(uri.port), faults });
  uri.port = String(proxy.port);
  const self = { runId: randomUUID(), workerId: randomUUID(), name: 'n' };
  pulse = new Pulse({ uri: uri.href, self, times, log: silentLogger });
  await pulse.start();
  pulse.heartbeat.start();
  // Warm, as on a node that follows: the connections are there before a leadership begins.
  await expect.poll(() => pulse.heartbeat.confirmedMs(), { timeout: 20_000 }).toBeGreaterThan(0);
  const store = createPgLeaseStore(test.database, self);
  const tookMs = systemClock.monotonicMs();
  const term = await store.takeOver(await store.read(), { highestSeen: 0, why: 'test', ttlMs: 3_000 });
  if (term === null) throw new Error('nobody else can have the lease');
  pulse.leadership.begin(term);
  return { term, tookMs };
}

/** Watches for a time; answers the longest that trust had to last, counted from the start of a renewal to the moment the next one was known. */
async function longestAge({ term, tookMs }: { term: number; tookMs: number }, forMs: number, fault?: () => void) {
  const endMs = systemClock.monotonicMs() + forMs;
  let longest = 0;
  let last = tookMs;
  while (systemClock.monotonicMs() < endMs) {
    await wait(10);
    const { confirmedMs } = pulse.leadership.standing(term);
    longest = Math.max(longest, systemClock.monotonicMs() - last);
    if (confirmedMs === null || confirmedMs === last) continue;
    last = confirmedMs;
    fault?.();
  }
  return longest;
}

describe('renewal of the leadership', () => {
  it('lasts although each connection that has carried a renewal is silenced after it', async () => {
    let renewals = 0;
    const age = await longestAge(await lead(), 12_000, () => {
      renewals += 1;
      if (renewals % 3 === 0) proxy.failUsed('silence');
    });
    expect(proxy.hits()).toBeGreaterThan(2);
    expect(age).toBeLessThan(TRUST_MS);
  });

  it('lasts on a slow line although the connection used last is reset every other renewal', async () => {
    let renewals = 0;
    const age = await longestAge(await lead(slow(100)), 12_000, () => {
      renewals += 1;
      if (renewals % 2 === 0) proxy.failUsed('reset');
    });
    expect(proxy.hits()).toBeGreaterThan(2);
    expect(age).toBeLessThan(TRUST_MS);
  });

  it('is told as refused when the lease is another’s', async () => {
    const { term } = await lead();
    const told = new Promise<void>((resolve) => pulse.leadership.onTrouble(resolve));
    await test.database.execute('UPDATE leader_lease SET term = term + 1, run_id = $1', [randomUUID()]);
    await told;
    expect(pulse.leadership.standing(term).isRefused).toBe(true);
  });

  it.runIf(isLong)(
    `lasts five minutes at a round trip of 200±100 ms with each connection reset every 20 s on average${onlyLong}`,
    async () => {
      const leading = await lead(slow(100, 50));
      await proxy.setFaults({ ...slow(100, 50), resetEveryMs: 20_000 });
      expect(await longestAge(leading, 300_000)).toBeLessThan(TRUST_MS);
      expect(proxy.hits()).toBeGreaterThan(20);
    },
    360_000,
  );
});
