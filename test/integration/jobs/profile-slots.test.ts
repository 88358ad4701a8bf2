import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { JobRunner } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase } from '../../support/postgres.ts';

it('each transcoder profile has max_transcoding_jobs slots, and a changed limit counts at the next claim', async () => {
  const test = await createTestDatabase();
  const jobs = ['hd', 'sd'].flatMap((profile) =>
    Array.from({ length: 6 }, () => ({
      role: 'TRANSCODE' as const,
      kind: 'transcode',
      storageId: null,
      profile,
      payload: { profile },
      dedupeKey: randomUUID(),
    })),
  );
  await enqueueJobs(test.database, jobs);
  let limit = 2;
  const profileOf = z.object({ profile: z.string() });
  const ends: (() => void)[] = [];
  const runner = new JobRunner({
    store: createPgJobStore(test.database, { runId: randomUUID(), workerId: randomUUID() }),
    handlers: [
      {
        role: 'TRANSCODE',
        kind: 'transcode',
        payload: z.unknown(),
        run: ({ signal }) =>
          new Promise((resolve, reject) => {
            ends.push(() => resolve({ kind: 'done', result: {} }));
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          }),
      },
    ],
    lanes: [{ role: 'TRANSCODE', kinds: ['transcode'], limit: () => limit, perProfile: true }],
    reach: () => ({ roles: new Set(['TRANSCODE']), storageIds: [], term: null, visibilityTimeoutS: 3_600 }),
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    pollMs: 20,
  });
  const running = () => {
    const count = { hd: 0, sd: 0 };
    for (const { payload } of runner.running()) {
      const { profile } = profileOf.parse(payload);
      count[profile === 'hd' ? 'hd' : 'sd'] += 1;
    }
    return count;
  };
  const claims = z.object({ leased: z.number(), done: z.number() });
  const counted = () =>
    test.database.query(
      `SELECT count(*) FILTER (WHERE state = 'leased')::int AS leased, count(*) FILTER (WHERE state = 'done')::int AS done
       FROM job`,
      [],
      claims,
    );
  try {
    await runner.start();
    await expect.poll(running, { timeout: 15_000, interval: 20 }).toEqual({ hd: 2, sd: 2 });
    limit = 3;
    await expect.poll(running, { timeout: 15_000, interval: 20 }).toEqual({ hd: 3, sd: 3 });
    // Lowered: what runs may finish, and nothing takes its place until fewer run.
    limit = 1;
    for (const end of ends.splice(0, 4)) end();
    await expect
      .poll(async () => (await counted())[0], { timeout: 15_000, interval: 20 })
      .toEqual({ leased: 2, done: 4 });
    expect(running()).toEqual({ hd: 1, sd: 1 });
  } finally {
    await runner.stop();
    await test.drop();
  }
});
