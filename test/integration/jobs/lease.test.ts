import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  endCancelledQueuedJobs,
  enqueueJobs,
  freeExpiredJobs,
  freeJobsOfDeadRun,
  freeJobsOfEarlierRuns,
  freeStrayJobs,
} from '../../../agent/db/queries/job.ts';
import { cancelJob } from '../../../agent/db/queries/operator-jobs.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { job, lanes, lanesOf, reach, useQueue } from './queue-bench.ts';

const { test, worker, register, stateOf, fetched, claimOne } = useQueue();

describe('the lease token', () => {
  it('of a zombie ends, checkpoints and renews nothing once another node has the job', async () => {
    await enqueueJobs(test.database, [job()]);
    const [zombie, living] = [worker(), worker()];
    const old = await claimOne(zombie.store);
    await freeJobsOfDeadRun(test.database, zombie.runId, '0');
    const current = await claimOne(living.store);
    let alongside = false;
    const ended = await zombie.store.end(old, { state: 'done', result: {} }, async () => {
      alongside = true;
    });
    expect(ended).toBe('lost');
    expect(alongside).toBe(false);
    expect(await zombie.store.saveCheckpoint(old, { part: 3 })).toBe(false);
    expect(await zombie.store.renew([{ ...old, progress: 1, note: '' }], 3_600)).toEqual([]);
    expect(await stateOf(old.jobId)).toEqual({ state: 'leased', attempts: 2 });
    expect(await living.store.end(current, { state: 'done', result: {} })).toBe('ended');
  });

  it('of a slow worker takes a freed job back under a new token while nobody has leased it', async () => {
    await enqueueJobs(test.database, [job()]);
    const slow = worker();
    const claimed = await claimOne(slow.store);
    await freeJobsOfDeadRun(test.database, slow.runId, '0');
    const [renewed] = await slow.store.renew([{ ...claimed, progress: 0.5, note: '' }], 3_600);
    expect(renewed?.leaseToken).not.toBe(claimed.leaseToken);
    expect(await worker().store.claim(lanes, reach)).toEqual([]);
  });

  it('counts as ended when its own end was committed and only the answer got lost', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const claimed = await claimOne(store);
    expect(await store.end(claimed, { state: 'done', result: { md5: 'x' } })).toBe('ended');
    expect(await store.end(claimed, { state: 'done', result: { md5: 'x' } })).toBe('ended');
  });

  it('counts as lost, not as ended, when the job was ended by others after it was freed', async () => {
    await enqueueJobs(test.database, [job(), job(), job({ maxAttempts: 1 })]);
    const { runId, store } = worker();
    const leases = await store.claim(lanesOf(3), reach);
    await freeJobsOfDeadRun(test.database, runId, '0');
    expect(await cancelJob(test.database, leases[0]?.jobId ?? '')).toBe(true);
    await test.database.execute("UPDATE job SET cancel_requested = true WHERE state = 'queued'", []);
    expect(await endCancelledQueuedJobs(test.database)).toBe(1);
    const ends = leases.map((lease) => ({ lease, end: { state: 'done', result: {} } as const }));
    const { verdicts } = await store.exchange(ends, [], reach);
    expect([...verdicts.values()]).toEqual(['lost', 'lost', 'lost']);
  });

  it('is given up with a requeued job: the runner that snoozed cannot take it back', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const claimed = await claimOne(store);
    await store.end(claimed, { state: 'queued', afterMs: 60_000, error: null, refund: true });
    expect(await store.renew([{ ...claimed, progress: 0, note: '' }], 3_600)).toEqual([]);
    expect(await stateOf(claimed.jobId)).toEqual({ state: 'queued', attempts: 0 });
  });
});

describe('a lease whose answer got lost', () => {
  it('is given back at the cost of its attempt, while known leases and those of others stay', async () => {
    await enqueueJobs(test.database, [job(), job(), job()]);
    const [mine, other] = [worker(), worker()];
    const [known, unheard] = await mine.store.claim(lanesOf(2), reach);
    const foreign = await claimOne(other.store);
    expect(await mine.store.freeStray([known?.jobId ?? ''])).toBe(1);
    expect(await stateOf(unheard?.jobId ?? '')).toEqual({ state: 'queued', attempts: 1 });
    expect(await stateOf(known?.jobId ?? '')).toMatchObject({ state: 'leased' });
    expect(await stateOf(foreign.jobId)).toMatchObject({ state: 'leased' });
  });

  it('is the only thing given back, however late the statement arrives that does it', async () => {
    await enqueueJobs(test.database, [job()]);
    const { runId, store } = worker();
    await claimOne(store);
    const sent: [string, readonly unknown[]][] = [];
    const recorded: Sql = {
      query: (text, values, row) => test.database.query(text, values, row),
      execute: (text, values) => {
        sent.push([text, values]);
        return test.database.execute(text, values);
      },
    };
    expect(await freeStrayJobs(recorded, runId, [])).toBe(1);
    // Its connection was silent for a while: meanwhile the same run has leased the job anew, and runs it.
    const { jobId } = await claimOne(store);
    for (const [text, values] of sent) expect(await test.database.execute(text, values)).toBe(0);
    expect(await stateOf(jobId)).toMatchObject({ state: 'leased' });
  });

  it('makes a dead letter of a job that is given back again and again', async () => {
    await enqueueJobs(test.database, [job({ maxAttempts: 2 })]);
    const { store } = worker();
    const first = await claimOne(store);
    expect(await store.freeStray([])).toBe(1);
    await claimOne(store);
    expect(await store.freeStray([])).toBe(1);
    expect(await stateOf(first.jobId)).toEqual({ state: 'failed', attempts: 2 });
  });

  it('saves a checkpoint of any text', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const lease = await claimOne(store);
    const part = 'a\u0000b \ud83d';
    expect(await store.saveCheckpoint(lease, { [part]: [part] })).toBe(true);
    const row = z.object({ checkpoint: z.unknown() });
    const clean = 'ab \ufffd';
    expect(await test.database.query('SELECT checkpoint FROM job', [], row)).toEqual([
      { checkpoint: { [clean]: [clean] } },
    ]);
  });

  it('may still save a checkpoint when the job was freed but not leased since', async () => {
    await enqueueJobs(test.database, [job()]);
    const slow = worker();
    const claimed = await claimOne(slow.store);
    await freeJobsOfDeadRun(test.database, slow.runId, '0');
    expect(await slow.store.saveCheckpoint(claimed, { part: 3 })).toBe(true);
  });
});

describe('completion', () => {
  it('commits together with what follows from it, or not at all', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const claimed = await claimOne(store);
    const failing = store.end(claimed, { state: 'done', result: {} }, async (sql) => {
      await enqueueJobs(sql, [job({ dedupeKey: 'follow-up' })]);
      throw new Error('the follow-up failed');
    });
    await expect(failing).rejects.toThrow('the follow-up failed');
    expect(await stateOf(claimed.jobId)).toMatchObject({ state: 'leased' });
    expect(await worker().store.claim(lanes, reach)).toEqual([]);
  });
});

describe('rescue', () => {
  it('frees nothing of a run whose heartbeat moved after it was read', async () => {
    await enqueueJobs(test.database, [job()]);
    const { runId, workerId, store } = worker();
    await claimOne(store);
    await register(workerId, runId);
    expect(await freeJobsOfDeadRun(test.database, runId, '10')).toBe(0);
    expect(await freeJobsOfDeadRun(test.database, runId, '11')).toBe(1);
  });

  it('of a restarted installation frees what its earlier runs held, and nothing else', async () => {
    await enqueueJobs(test.database, [job(), job()]);
    const before = worker();
    await before.store.claim(lanesOf(1), reach);
    await worker().store.claim(lanesOf(1), reach);
    const now = randomUUID();
    expect(await freeJobsOfEarlierRuns(test.database, before.workerId, now)).toBe(0);
    await register(before.workerId, now);
    expect(await freeJobsOfEarlierRuns(test.database, before.workerId, now)).toBe(1);
  });

  it('makes a dead letter of a job that keeps killing its workers', async () => {
    await enqueueJobs(test.database, [job({ maxAttempts: 1 })]);
    const { runId, store } = worker();
    const claimed = await claimOne(store);
    await freeJobsOfDeadRun(test.database, runId, '0');
    expect(await stateOf(claimed.jobId)).toMatchObject({ state: 'failed' });
  });
});

describe('cancelled jobs', () => {
  it('are claimed no more', async () => {
    await enqueueJobs(test.database, [job()]);
    await test.database.execute('UPDATE job SET cancel_requested = true', []);
    for (const priorityOrder of ['larger-first', 'smaller-first'] as const) {
      expect(await worker().store.claim(lanes, { ...reach, priorityOrder })).toEqual([]);
    }
  });

  it('are found without reading the queue', async () => {
    await test.database.execute(
      `INSERT INTO job (role, kind, storage_id, payload, dedupe_key, cancel_requested)
       SELECT 'CHECKSUM', 'checksum', 's1', '{}', n::text, n = 7 FROM generate_series(1, 20000) AS n`,
      [],
    );
    await test.database.transaction(async (sql) => {
      expect(await endCancelledQueuedJobs(sql)).toBe(1);
      expect(await fetched(sql)).toBeLessThan(100);
    });
  });
});

describe('a row that a silent client has locked', () => {
  /** Holds the row of a job in a transaction of its own while `work` goes on. */
  const whileLocked = (jobId: string, work: () => Promise<void>) =>
    test.database.transaction(async (sql) => {
      await sql.execute('SELECT 1 FROM job WHERE job_id = $1 FOR UPDATE', [jobId]);
      await work();
    });

  it('is left out by rescue, strays and cancellations, which deal with the others at once', async () => {
    await enqueueJobs(test.database, [job(), job()]);
    const { runId, store } = worker();
    const [locked] = await store.claim(lanesOf(2), reach);
    if (!locked) throw new Error('two jobs were queued');
    const free = [
      () => freeJobsOfDeadRun(test.database, runId, '0'),
      () => freeExpiredJobs(test.database),
      () => store.freeStray([]),
    ];
    for (const rescue of free) {
      await test.database.execute(
        "UPDATE job SET state = 'leased', leased_by = $1, lease_expires_at = now() - interval '1 second'",
        [runId],
      );
      await whileLocked(locked.jobId, async () => expect(await rescue()).toBe(1));
      expect(await stateOf(locked.jobId)).toMatchObject({ state: 'leased' });
    }
    await test.database.execute("UPDATE job SET state = 'queued', leased_by = NULL, cancel_requested = true", []);
    await whileLocked(locked.jobId, async () => expect(await endCancelledQueuedJobs(test.database)).toBe(1));
  });

  it('is neither renewed nor lost by a renewal, which renews the others at once', async () => {
    await enqueueJobs(test.database, [job(), job()]);
    const { store } = worker();
    const [locked, other] = await store.claim(lanesOf(2), reach);
    if (!locked || !other) throw new Error('two jobs were queued');
    const items = [locked, other].map(({ jobId, leaseToken }) => ({ jobId, leaseToken, progress: 0.5, note: '' }));
    const ids = (answers: { jobId: string; isBusy?: boolean }[]) =>
      answers.map(({ jobId, isBusy }) => `${jobId}${isBusy ? ' busy' : ''}`).sort();
    await whileLocked(locked.jobId, async () => {
      expect(ids(await store.renew(items, 3_600))).toEqual([`${locked.jobId} busy`, other.jobId].sort());
    });
    expect(ids(await store.renew(items, 3_600))).toEqual([locked.jobId, other.jobId].sort());
    const old = items.map((item) => ({ ...item, leaseToken: '0' }));
    await whileLocked(locked.jobId, async () => expect(await store.renew(old, 3_600)).toEqual([]));
  });

  it('holds up the end of its job for a short time only, which may be tried again', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const lease = await claimOne(store);
    await whileLocked(lease.jobId, async () => {
      const refused = store.exchange([{ lease, end: { state: 'done', result: {} } }], [], reach);
      await expect(refused).rejects.toMatchObject({ retry: 'transient', fields: { sqlState: '55P03' } });
    });
  });
});
