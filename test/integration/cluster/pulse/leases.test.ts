import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Pulse } from '../../../../agent/cluster/pulse/pulse.ts';
import { enqueueJobs, freeJobsOfDeadRun } from '../../../../agent/db/queries/job.ts';
import type { ClaimedJob } from '../../../../agent/jobs/job-store.ts';
import type { LeaseNews } from '../../../../agent/jobs/lease-renewer.ts';
import { createPgJobStore } from '../../../../agent/jobs/pg-job-store.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.ts';

let test: TestDatabase;
let pulse: Pulse;
let news: LeaseNews[];
const self = { runId: randomUUID(), workerId: randomUUID(), name: 'n' };
beforeEach(async () => {
  test = await createTestDatabase();
  const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };
  pulse = new Pulse({ uri: test.uri, self, times, log: silentLogger });
  news = [];
  pulse.leases.onNews((item) => news.push(item));
  pulse.leases.setVisibilityTimeout(60);
  await pulse.start();
});
afterEach(async () => {
  await pulse.stop();
  await test.drop();
});

async function claim(count = 1): Promise<ClaimedJob[]> {
  const job = { role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {} } as const;
  await enqueueJobs(
    test.database,
    Array.from({ length: count }, () => ({ ...job, dedupeKey: randomUUID() })),
  );
  const lanes = [{ role: 'CHECKSUM', kinds: ['checksum'], slots: count }];
  return createPgJobStore(test.database, self).claim(lanes, { storageIds: [], term: null, visibilityTimeoutS: 30 });
}

async function claimOne(): Promise<ClaimedJob> {
  const [job] = await claim();
  if (!job) throw new Error('nothing to claim');
  return job;
}

const jobRow = z.object({ left: z.coerce.number(), progress: z.number(), progress_note: z.string() });
const jobs = () =>
  test.database.query(
    'SELECT extract(epoch FROM lease_expires_at - now()) AS left, progress, progress_note FROM job',
    [],
    jobRow,
  );
const leftOfAll = async () => (await jobs()).map(({ left }) => left);
const patient = { timeout: 10_000, interval: 20 };

describe('job leases in the renewal thread', () => {
  it('whose row a frozen client has in hand is neither lost nor confirmed until it lets go; others are', async () => {
    const [locked, other] = await claim(2);
    if (!locked || !other) throw new Error('nothing to claim');
    for (const job of [locked, other]) pulse.leases.hold({ ...job, stallMs: 60_000 });
    let confirmed: Promise<boolean> = Promise.resolve(false);
    let isAnswered = false;
    await test.database.transaction(async (sql) => {
      await sql.execute('SELECT 1 FROM job WHERE job_id = $1 FOR UPDATE', [locked.jobId]);
      confirmed = pulse.leases.confirm(locked.jobId).finally(() => {
        isAnswered = true;
      });
      expect(await pulse.leases.confirm(other.jobId)).toBe(true);
      expect(isAnswered).toBe(false);
    });
    expect(await confirmed).toBe(true);
    expect(news).toEqual([]);
  });

  it('are all renewed for the visibility timeout, with the progress last reported', async () => {
    for (const job of await claim(3)) pulse.leases.hold({ ...job, stallMs: 60_000 });
    const [first] = await test.database.query(
      'SELECT min(job_id)::text AS id FROM job',
      [],
      z.object({ id: z.string() }),
    );
    pulse.leases.report(first?.id ?? '', 0.25, 'a quarter');
    await expect.poll(async () => Math.min(...(await leftOfAll())), patient).toBeGreaterThan(40);
    await expect
      .poll(jobs, patient)
      .toContainEqual(expect.objectContaining({ progress: 0.25, progress_note: 'a quarter' }));
    expect(news).toEqual([]);
  });

  it('bring the news that a job was cancelled, is confirmed all the same, and is lost once another has it', async () => {
    const job = await claimOne();
    pulse.leases.hold({ ...job, stallMs: 60_000 });
    await test.database.execute('UPDATE job SET cancel_requested = true', []);
    await expect.poll(() => news, patient).toContainEqual({ kind: 'cancel-requested', jobId: job.jobId });
    expect(await pulse.leases.confirm(job.jobId)).toBe(true);
    await test.database.execute("UPDATE job SET lease_token = nextval('lease_token')", []);
    expect(await pulse.leases.confirm(job.jobId)).toBe(false);
    await expect.poll(() => news, patient).toContainEqual({ kind: 'lost', jobId: job.jobId });
  });

  it('take a freed job back and tell the new token before the confirmation', async () => {
    const job = await claimOne();
    await freeJobsOfDeadRun(test.database, self.runId, '0');
    pulse.leases.hold({ ...job, stallMs: 60_000 });
    const atConfirmation = pulse.leases.confirm(job.jobId).then((isOurs) => ({ isOurs, news: [...news] }));
    const { isOurs, news: told } = await atConfirmation;
    expect(isOurs).toBe(true);
    const [row] = await test.database.query(
      'SELECT lease_token::text AS token FROM job',
      [],
      z.object({ token: z.string() }),
    );
    expect(told).toEqual([{ kind: 'token', jobId: job.jobId, leaseToken: row?.token }]);
    expect(row?.token).not.toBe(job.leaseToken);
  });

  it('stall without a sign of life, and go on with one', async () => {
    const [silent, living] = await claim(2);
    if (!silent || !living) throw new Error('nothing to claim');
    for (const { jobId, leaseToken } of [silent, living]) pulse.leases.hold({ jobId, leaseToken, stallMs: 2_000 });
    const alive = setInterval(() => pulse.leases.report(living.jobId, 0.5, ''), 50);
    try {
      await expect.poll(() => news, patient).toEqual([{ kind: 'stalled', jobId: silent.jobId }]);
      await expect(pulse.leases.confirm(silent.jobId)).rejects.toMatchObject({ code: 'database-unreachable' });
      expect(await pulse.leases.confirm(living.jobId)).toBe(true);
      expect(news).toHaveLength(1);
    } finally {
      clearInterval(alive);
    }
  });

  it('say nothing about a job that was dropped and is held anew', async () => {
    const job = await claimOne();
    await test.database.execute("UPDATE job SET lease_token = nextval('lease_token')", []);
    const [row] = await test.database.query(
      'SELECT lease_token::text AS token FROM job',
      [],
      z.object({ token: z.string() }),
    );
    pulse.leases.hold({ ...job, stallMs: 60_000 });
    const old = pulse.leases.confirm(job.jobId);
    pulse.leases.hold({ jobId: job.jobId, leaseToken: row?.token ?? '', stallMs: 60_000 });
    expect(await old).toBe(false);
    expect(await pulse.leases.confirm(job.jobId)).toBe(true);
    expect(news).toEqual([]);
  });
});
