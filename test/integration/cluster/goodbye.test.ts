import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { beat, leaveCluster, readMembers, registerWorker } from '../../../agent/db/queries/worker.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const status = { roles: ['MAIN'], availability: 'available', reason: '', health: [] };
const newRun = (workerId: string) => ({
  workerId,
  runId: randomUUID(),
  storageGatewayId: 'g',
  name: 'n',
  host: 'h',
  machineId: 'm',
  bootId: 'b',
  version: '1.0.0',
});
const shown = async () => (await readMembers(test.database))[0];

it('a beat that arrives after the goodbye of its run brings nobody back to life, and asks for no new registration', async () => {
  const run = newRun(randomUUID());
  await registerWorker(test.database, run);
  expect(await beat(test.database, run, status)).toMatchObject({ registered: true });
  await leaveCluster(test.database, run);
  const gone = await shown();
  expect(await beat(test.database, run, status)).toMatchObject({ registered: true });
  expect(await shown()).toEqual(gone);
  expect(gone).toMatchObject({ availability_status: 'unavailable' });
});

it('the next run beats over the goodbye of the last one, and that one is told that it is not registered', async () => {
  const last = newRun(randomUUID());
  await registerWorker(test.database, last);
  await leaveCluster(test.database, last);
  const next = newRun(last.workerId);
  await registerWorker(test.database, next);
  expect(await shown()).toMatchObject({ availability_status: 'degraded', status_reason: '' });
  expect(await beat(test.database, next, status)).toMatchObject({ registered: true });
  expect(await shown()).toMatchObject({ run_id: next.runId, availability_status: 'available' });
  expect(await beat(test.database, last, status)).toMatchObject({ registered: false });
});
