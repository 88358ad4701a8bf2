import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { JobRunner } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { job, useQueue } from './queue-bench.ts';

/** The expanding migration of the rolling upgrade (test/faults/upgrade), whose nodes are real; here only the queue is. */
const EXPANDING = new URL('../../faults/upgrade/migrations/999001_next-expand.sql', import.meta.url);
const JOBS = 400;

const { test } = useQueue();
let runner: JobRunner | null = null;
let folder = '';
afterEach(async () => {
  await runner?.stop();
  await rm(folder, { recursive: true, force: true });
});

function startRunner(ran: Map<string, number>): Promise<void> {
  runner = new JobRunner({
    store: createPgJobStore(test.database, { runId: randomUUID(), workerId: randomUUID() }),
    handlers: [
      {
        role: 'CHECKSUM',
        kind: 'checksum',
        payload: z.object({ path: z.string() }),
        run: async ({ job: { jobId } }) => {
          ran.set(jobId, (ran.get(jobId) ?? 0) + 1);
          return { kind: 'done', result: {} };
        },
      },
    ],
    lanes: [{ role: 'CHECKSUM', kinds: ['checksum'], limit: () => 2 }],
    reach: () => ({ roles: new Set(['CHECKSUM']), storageIds: ['s1'], term: null, visibilityTimeoutS: 3_600 }),
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    pollMs: 20,
  });
  return runner.start();
}

describe('a worker at work while a newer node brings its migration', () => {
  it('does every job once, also those with fields it does not know, and leaves the kind that it does not know', async () => {
    const ran = new Map<string, number>();
    await enqueueJobs(
      test.database,
      Array.from({ length: JOBS / 2 }, () => job()),
    );
    await startRunner(ran);
    await expect.poll(() => ran.size, { timeout: 15_000, interval: 1 }).toBeGreaterThan(0);
    folder = await mkdtemp(join(tmpdir(), 'isg-pro-next-'));
    await copyFile(EXPANDING, join(folder, '999001_next-expand.sql'));
    const newer = createDatabase({ uri: test.uri, log: silentLogger, maxConnections: 1 });
    await migrate(newer, { version: '99.0.0', log: silentLogger, folder });
    await newer.close();
    await enqueueJobs(
      test.database,
      Array.from({ length: JOBS / 2 }, () => job()),
    );
    await expect.poll(() => ran.size, { timeout: 30_000 }).toBe(JOBS);
    await runner?.stop();
    expect([...ran.values()].filter((times) => times !== 1)).toEqual([]);
    const row = z.object({
      kind: z.string(),
      state: z.string(),
      attempts: z.number(),
      jobs: z.number(),
      hinted: z.number(),
    });
    const text = `SELECT kind, state, attempts, count(*)::int AS jobs, count(payload -> 'nextHint')::int AS hinted
      FROM job GROUP BY 1, 2, 3 ORDER BY 1`;
    expect(await test.database.query(text, [], row)).toEqual([
      { kind: 'checksum', state: 'done', attempts: 1, jobs: JOBS, hinted: JOBS / 2 },
      { kind: 'next-kind', state: 'queued', attempts: 0, jobs: 1, hinted: 1 },
    ]);
  });
});
