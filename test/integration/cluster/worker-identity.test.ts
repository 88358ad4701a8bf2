import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { settleWorkerId } from '../../../agent/cluster/worker-identity.ts';
import { beat, leaveCluster, registerWorker } from '../../../agent/db/queries/worker.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const FRESH = randomUUID();
const settle = (workerId: string, at: { machineId: string; host: string }, watchMs?: number) =>
  settleWorkerId(
    { workerId, ...at },
    {
      database: test.database,
      clock: systemClock,
      log: silentLogger,
      renew: async () => FRESH,
      ...(watchMs === undefined ? {} : { watchMs }),
    },
  );

const register = async () => {
  const self = {
    workerId: randomUUID(),
    runId: randomUUID(),
    storageGatewayId: 'g',
    name: 'n',
    host: 'first',
    machineId: 'machine-1',
    bootId: 'boot',
    version: '1.0.0',
  };
  await registerWorker(test.database, self);
  return self;
};
const elsewhere = { machineId: 'machine-2', host: 'second' };

it('a copied data folder whose original still beats on another machine gets a new worker id', async () => {
  const self = await register();
  const status = { roles: [], availability: 'available', reason: '', health: [] };
  const beating = setInterval(() => void beat(test.database, self, status).catch(() => {}), 100);
  try {
    expect(await settle(self.workerId, elsewhere, 30_000)).toBe(FRESH);
  } finally {
    clearInterval(beating);
  }
});

it('a data folder that was moved keeps its worker id once no heartbeat comes from its old place', async () => {
  const self = await register();
  expect(await settle(self.workerId, elsewhere, 600)).toBe(self.workerId);
});

it('nothing is waited for on the machine of the last run, for an id nobody has, and after a goodbye', async () => {
  const self = await register();
  const never = 3_600_000;
  expect(await settle(self.workerId, { machineId: 'machine-1', host: 'first' }, never)).toBe(self.workerId);
  const unknown = randomUUID();
  expect(await settle(unknown, elsewhere, never)).toBe(unknown);
  await leaveCluster(test.database, self);
  expect(await settle(self.workerId, elsewhere, never)).toBe(self.workerId);
});
