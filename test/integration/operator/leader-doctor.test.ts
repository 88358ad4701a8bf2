import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lookAtLeadership } from '../../../agent/db/queries/leader-doctor.ts';
import { checkLeadership } from '../../../agent/doctor/check-leadership.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const WORKER = `
INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles,
  availability_status, status_reason, health, started_at, last_seen_at)
VALUES (gen_random_uuid(), $1, gen_random_uuid(), $1, 'h', 'm', 'b', '1', '{MAIN}', $2, $3,
  '[{"check":"database","status":"ok","reason":"","remedy":""}]', now() - interval '1 hour', now() - make_interval(secs => $4))`;
const worker = (name: string, availability: string, reason = '', seenAgoS = 0) =>
  test.database.execute(WORKER, [name, availability, reason, seenAgoS]);
const limits = { lapseMs: 6_000, ttlMs: 3_000 };

describe('the doctor', () => {
  it('finds that nobody leads, with the cause and remedy of each node', async () => {
    await worker('node-a', 'draining', 'Paused by its operator: it finishes its jobs.');
    await worker('node-b', 'available', '', 60);
    expect(await checkLeadership(test.database, limits)).toEqual({
      check: 'leadership',
      status: 'failing',
      reason:
        'No node becomes Primary. node-a: Paused by its operator. node-b: Has the role MAIN but is not seen alive.',
      remedy: 'Resume it at that node. Start the agent there, or check that it reaches the database.',
    });
  });

  it('finds nothing while somebody leads, while nobody runs, and before there are tables', async () => {
    await worker('node-b', 'available', '', 60);
    expect(await checkLeadership(test.database, limits)).toMatchObject({ status: 'ok' });
    await worker('node-a', 'available');
    const store = createPgLeaseStore(test.database, { runId: randomUUID(), workerId: randomUUID(), name: 'node-a' });
    const term = await store.takeOver(await store.read(), { highestSeen: 0, why: 'test', ttlMs: 3_000 });
    await store.renew(term ?? 0, 3_000);
    expect((await lookAtLeadership(test.database))?.leaderless_ms).toBeNull();
    expect(await checkLeadership(test.database, limits)).toMatchObject({ status: 'ok' });
    const bare = await createTestDatabase({ isBare: true });
    expect(await checkLeadership(bare.database, limits)).toMatchObject({ status: 'ok' });
    await bare.drop();
  });
});
