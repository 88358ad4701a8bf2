import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { NewJob } from '../../../agent/contract/index.ts';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import type { JobHandler } from '../../../agent/jobs/job-handler.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { JobRunner, type Lane } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
let runner: JobRunner | null = null;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await runner?.stop();
  runner = null;
  await test.drop();
});

const PATIENCE = { timeout: 15_000, interval: 20 };

async function startRunner(handler: JobHandler, lane: Lane): Promise<JobRunner> {
  runner = new JobRunner({
    store: createPgJobStore(test.database, { runId: randomUUID(), workerId: randomUUID() }),
    handlers: [handler],
    lanes: [lane],
    reach: () => ({ roles: new Set([lane.role]), storageIds: ['s1'], term: null, visibilityTimeoutS: 3_600 }),
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    pollMs: 20,
  });
  await runner.start();
  return runner;
}

describe('transcoder profiles', () => {
  const payload = z.object({ profile: z.enum(['hd', 'sd']) });
  const states = z.object({ leased: z.number(), done: z.number() });
  const counted = async () => {
    const text = `SELECT count(*) FILTER (WHERE state = 'leased')::int AS leased,
      count(*) FILTER (WHERE state = 'done')::int AS done FROM job`;
    return (await test.database.query(text, [], states))[0];
  };

  it('have max_transcoding_jobs slots each, and a changed limit counts at the next claim', async () => {
    const jobs = ['hd', 'sd'].flatMap((profile) =>
      Array.from({ length: 6 }, (): NewJob => {
        const dedupeKey = randomUUID();
        return { role: 'TRANSCODE', kind: 'transcode', storageId: null, profile, payload: { profile }, dedupeKey };
      }),
    );
    await enqueueJobs(test.database, jobs);
    let limit = 2;
    const ends: (() => void)[] = [];
    const run: JobHandler['run'] = ({ signal }) =>
      new Promise((resolve, reject) => {
        ends.push(() => resolve({ kind: 'done', result: {} }));
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    const started = await startRunner(
      { role: 'TRANSCODE', kind: 'transcode', payload, run },
      { role: 'TRANSCODE', kinds: ['transcode'], limit: () => limit, perProfile: true },
    );
    const running = () => {
      const profiles = started.running().map((job) => payload.parse(job.payload).profile);
      return {
        hd: profiles.filter((name) => name === 'hd').length,
        sd: profiles.filter((name) => name === 'sd').length,
      };
    };
    await expect.poll(running, PATIENCE).toEqual({ hd: 2, sd: 2 });
    limit = 3;
    await expect.poll(running, PATIENCE).toEqual({ hd: 3, sd: 3 });
    // Lowered: what runs may finish, and nothing takes its place until fewer run.
    limit = 1;
    for (const end of ends.splice(0, 4)) end();
    await expect.poll(counted, PATIENCE).toEqual({ leased: 2, done: 4 });
    expect(running()).toEqual({ hd: 1, sd: 1 });
  });
});

describe('jobs that are no good', () => {
  const job = (dedupeKey: string, over: Partial<NewJob> = {}): NewJob => ({
    role: 'CHECKSUM',
    kind: 'checksum',
    storageId: 's1',
    payload: { path: 'a.mov' },
    dedupeKey,
    ...over,
  });
  const row = z.object({ name: z.string(), state: z.string(), attempts: z.number(), reason: z.string().nullable() });
  const rows = async () => {
    const text = `SELECT dedupe_key AS name, state, attempts, error ->> 'message' AS reason FROM job`;
    const found = await test.database.query(text, [], row);
    return Object.fromEntries(found.map(({ name, ...rest }) => [name, rest]));
  };

  it('fail with the reason or are left to others; none is lost, and the good ones among them run', async () => {
    const ran: string[] = [];
    await enqueueJobs(test.database, [
      job('number as path', { payload: { path: 5 }, priority: 10 }),
      job('nothing in it', { payload: {}, priority: 10 }),
      job('of an unknown kind', { kind: 'of-the-next-version', priority: 10 }),
      job('of a storage not mounted here', { storageId: 's2', priority: 10 }),
      job('good'),
    ]);
    await test.database.execute(`UPDATE job SET payload = 'null' WHERE dedupe_key = 'nothing in it'`, []);
    await startRunner(
      {
        role: 'CHECKSUM',
        kind: 'checksum',
        payload: z.object({ path: z.string() }),
        run: async (context) => {
          ran.push(context.job.jobId);
          return { kind: 'done', result: {} };
        },
      },
      { role: 'CHECKSUM', kinds: ['checksum'], limit: () => 4 },
    );
    const failed = {
      state: 'failed',
      attempts: 1,
      reason: expect.stringContaining('does not fit its kind "checksum"'),
    };
    const left = { state: 'queued', attempts: 0, reason: null };
    await expect.poll(rows, PATIENCE).toEqual({
      'number as path': failed,
      'nothing in it': failed,
      'of an unknown kind': left,
      'of a storage not mounted here': left,
      good: { state: 'done', attempts: 1, reason: null },
    });
    expect(ran).toHaveLength(1);
  });
});
