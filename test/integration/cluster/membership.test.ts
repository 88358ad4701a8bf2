import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Membership } from '../../../agent/cluster/membership.ts';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
let membership: Membership;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await membership.stop();
  await test.drop();
});

const startMembership = async (database: Sql, lapseMs = 6_000, workerId: string = randomUUID()) => {
  membership = new Membership({
    database,
    self: {
      workerId,
      runId: randomUUID(),
      storageGatewayId: randomUUID(),
      name: 'node-a',
      host: 'host',
      machineId: 'machine',
      bootId: 'boot',
      version: '1.0.0',
    },
    lapseMs,
    clock: systemClock,
    log: silentLogger,
    status: () => ({ roles: ['MAIN'], availability: 'available', reason: '', health: [] }),
    trustedTerm: () => null,
    onHold: () => {},
    beatMs: 20,
  });
  await membership.start();
};

it('registers although the database fails in the middle of it, and holds its gateway id', async () => {
  let statements = 0;
  const failing = <T>(work: () => Promise<T>): Promise<T> => {
    statements += 1;
    const isAway = statements === 1 || statements === 3 || statements === 6;
    return isAway ? Promise.reject(new IsgError('database-unreachable', 'away', { retry: 'transient' })) : work();
  };
  await startMembership({
    query: (text, values, row) => failing(() => test.database.query(text, values, row)),
    execute: (text, values) => failing(() => test.database.execute(text, values)),
  });
  expect(membership.holds()).toBe(true);
  expect(membership.members()).toMatchObject([{ name: 'node-a', alive: true }]);
});

it('frees jobs that a dead worker took in its last moment, after its others were freed already', async () => {
  const { database } = test;
  const dead = { workerId: randomUUID(), runId: randomUUID() };
  await database.execute(
    `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
     VALUES ($1, 'g', $2, 'dead', 'h', 'm', 'b', '1', '{}', 'available')`,
    [dead.workerId, dead.runId],
  );
  const job = { role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {}, dedupeKey: 'one' } as const;
  await enqueueJobs(database, [job]);
  const lease = () =>
    database.execute(
      `UPDATE job SET state = 'leased', leased_by = $1, leased_worker = $2, lease_expires_at = now() + interval '1 hour'`,
      [dead.runId, dead.workerId],
    );
  const isFreed = async () => (await database.execute("SELECT 1 FROM job WHERE state = 'queued'", [])) === 1;
  await lease();
  await startMembership(database, 200);
  await expect.poll(isFreed, { timeout: 5_000 }).toBe(true);
  await lease();
  await expect.poll(isFreed, { timeout: 5_000 }).toBe(true);
});

it('sees a worker die while a statement of its upkeep hangs', async () => {
  const { database } = test;
  const hung = Promise.withResolvers<number>();
  await database.execute(
    `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
     VALUES ($1, 'g', $2, 'dead', 'h', 'm', 'b', '1', '{}', 'available')`,
    [randomUUID(), randomUUID()],
  );
  const upkeep = (text: string) => /SET state = 'cancelled'|lease_expires_at < now/.test(text);
  const slow: Sql = {
    query: (text, values, row) => database.query(text, values, row),
    execute: (text, values) => (upkeep(text) ? hung.promise : database.execute(text, values)),
  };
  await startMembership(slow, 200);
  const isDead = () => membership.members().some(({ name, alive }) => name === 'dead' && !alive);
  await expect.poll(isDead, { timeout: 5_000 }).toBe(true);
  hung.resolve(0);
});

it('frees jobs that a late statement of its own killed run leased after its start', async () => {
  const { database } = test;
  const workerId = randomUUID();
  const job = { role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {}, dedupeKey: 'one' } as const;
  await enqueueJobs(database, [job]);
  await startMembership(database, 200, workerId);
  await database.execute(
    `UPDATE job SET state = 'leased', leased_by = $1, leased_worker = $2, lease_expires_at = now() + interval '1 hour'`,
    [randomUUID(), workerId],
  );
  const isFreed = async () => (await database.execute("SELECT 1 FROM job WHERE state = 'queued'", [])) === 1;
  await expect.poll(isFreed, { timeout: 5_000 }).toBe(true);
});
