import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { NewJob } from '../../../agent/contract/index.ts';
import {
  endCancelledQueuedJobs,
  enqueueJobs,
  freeExpiredJobs,
  freeJobsOfDeadRun,
  freeJobsOfEarlierRuns,
} from '../../../agent/db/queries/job.ts';
import { exchangeJobs } from '../../../agent/db/queries/job-claim.ts';
import { cancelJob } from '../../../agent/db/queries/operator-jobs.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const lanesOf = (slots: number) => [{ role: 'CHECKSUM', kinds: ['checksum'], slots }];
const lanes = lanesOf(4);
const reach = { storageIds: ['s1'], term: null, visibilityTimeoutS: 3_600 };
const job = (over: Partial<NewJob> = {}): NewJob => ({
  role: 'CHECKSUM',
  kind: 'checksum',
  storageId: 's1',
  payload: { path: 'a' },
  dedupeKey: randomUUID(),
  ...over,
});
const worker = () => {
  const owner = { runId: randomUUID(), workerId: randomUUID() };
  return { ...owner, store: createPgJobStore(test.database, owner) };
};
const register = (workerId: string, runId: string) =>
  test.database.execute(
    `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status, heartbeat)
     VALUES ($1, 'g', $2, 'n', 'h', 'm', 'b', '1', '{}', 'available', 11)`,
    [workerId, runId],
  );
const stateOf = async (jobId: string) => {
  const row = z.object({ state: z.string(), attempts: z.number() });
  const [found] = await test.database.query('SELECT state, attempts FROM job WHERE job_id = $1', [jobId], row);
  return found;
};
const read = z.object({ fetched: z.number() });
/** Rows of the queue that a transaction has read so far, by scan or index. */
const fetched = async (sql: Sql) => {
  const text = `SELECT (pg_stat_get_xact_tuples_fetched('job'::regclass)
    + pg_stat_get_xact_tuples_returned('job'::regclass))::int AS fetched`;
  return (await sql.query(text, [], read))[0]?.fetched ?? 0;
};
const claimOne = async (store: ReturnType<typeof worker>['store']) => {
  const [claimed] = await store.claim(lanes, reach);
  if (!claimed) throw new Error('nothing to claim');
  return claimed;
};

describe('enqueueing', () => {
  it('skips a job whose dedupe key is queued or leased, and takes it again once that job has ended', async () => {
    const twin = job({ dedupeKey: 'checksum:a' });
    expect(await enqueueJobs(test.database, [twin])).toHaveLength(1);
    expect(await enqueueJobs(test.database, [twin])).toHaveLength(0);
    const { store } = worker();
    await store.end(await claimOne(store), { state: 'done', result: {} });
    expect(await enqueueJobs(test.database, [twin])).toHaveLength(1);
  });
});

describe('claiming', () => {
  it('gives each job to one of many claimers, best priority first', async () => {
    await enqueueJobs(
      test.database,
      Array.from({ length: 40 }, (_, at) => job({ priority: (at % 10) + 1, payload: { priority: (at % 10) + 1 } })),
    );
    const claimers = Array.from({ length: 10 }, worker);
    const first = await claimOne(claimers[0]?.store ?? worker().store);
    expect(first.payload).toEqual({ priority: 10 });
    const rest = await Promise.all(claimers.map(({ store }) => store.claim(lanesOf(8), reach)));
    const ids = [first, ...rest.flat()].map(({ jobId }) => jobId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('leaves jobs of storages this node does not reach, and jobs of other roles', async () => {
    await enqueueJobs(test.database, [job({ storageId: 's2' }), job({ role: 'TRANSFER', kind: 'upload' })]);
    expect(await worker().store.claim(lanes, reach)).toEqual([]);
  });

  it('gives MAIN jobs only to the run that leads, under its current term', async () => {
    await enqueueJobs(test.database, [job({ role: 'MAIN', kind: 'delete' })]);
    const main = [{ role: 'MAIN', kinds: ['delete'], slots: 2 }];
    const { runId, store } = worker();
    await test.database.execute('UPDATE leader_term SET term = 7, run_id = $1', [runId]);
    expect(await store.claim(main, { ...reach, term: 6 })).toEqual([]);
    expect(await store.claim(main, reach)).toEqual([]);
    expect(await worker().store.claim(main, { ...reach, term: 7 })).toEqual([]);
    expect(await store.claim(main, { ...reach, term: 7 })).toHaveLength(1);
  });
});

describe('the shelves', () => {
  const transcode = (profile: string, over: Partial<NewJob> = {}) =>
    job({ role: 'TRANSCODE', kind: 'transcode', profile, ...over });

  it('give the best jobs of all kinds and storages of a lane, whatever shelf they stand on', async () => {
    for (const priority of [3, 9, 6]) {
      await enqueueJobs(test.database, [
        job({ priority, storageId: 's1', payload: { priority } }),
        job({ priority: priority + 1, storageId: null, payload: { priority: priority + 1 } }),
      ]);
    }
    const got = await worker().store.claim(lanesOf(3), reach);
    expect(got.map(({ payload }) => payload)).toEqual(
      expect.arrayContaining([{ priority: 10 }, { priority: 9 }, { priority: 7 }]),
    );
  });

  it('give smaller priorities first when told to', async () => {
    await enqueueJobs(
      test.database,
      [5, 2, 8, 1].map((priority) => job({ priority, payload: { priority } })),
    );
    const got = await worker().store.claim(lanesOf(2), { ...reach, priorityOrder: 'smaller-first' });
    expect(got.map(({ payload }) => payload)).toEqual(expect.arrayContaining([{ priority: 1 }, { priority: 2 }]));
    expect(got).toHaveLength(2);
  });

  it('count slots by profile, also of profiles that this node has never seen', async () => {
    await enqueueJobs(
      test.database,
      ['', '', '', 'hd', 'hd', 'hd', 'sd'].map((profile) => transcode(profile)),
    );
    const lane = { role: 'TRANSCODE', kinds: ['transcode'], slots: 2, takenByProfile: { hd: 1 } };
    const got = await worker().store.claim([lane], reach);
    expect(got.map(({ profile }) => profile).sort()).toEqual(['', '', 'hd', 'sd']);
  });

  it('give no more in all than a lane asks for, whatever the profiles', async () => {
    await enqueueJobs(
      test.database,
      ['hd', 'hd', 'sd'].map((profile) => transcode(profile)),
    );
    const lane = { role: 'TRANSCODE', kinds: ['transcode'], slots: 1, takenByProfile: {}, most: 1 };
    expect(await worker().store.claim([lane], reach)).toHaveLength(1);
  });

  it('leave an unknown kind to nodes that know it', async () => {
    await enqueueJobs(test.database, [job({ kind: 'of-the-next-version' })]);
    expect(await worker().store.claim(lanes, reach)).toEqual([]);
    const knowing = [{ role: 'CHECKSUM', kinds: ['checksum', 'of-the-next-version'], slots: 1 }];
    expect(await worker().store.claim(knowing, reach)).toHaveLength(1);
  });

  it('hold a job that waits for its time back until it has come', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    await store.end(await claimOne(store), { state: 'queued', afterMs: 3_600_000, error: null, refund: true });
    expect(await store.releaseDeferred()).toBe(0);
    expect(await store.claim(lanes, reach)).toEqual([]);
    await test.database.execute("UPDATE job SET run_at = now() - interval '1 second'", []);
    expect(await store.releaseDeferred()).toBe(1);
    expect(await store.claim(lanes, reach)).toHaveLength(1);
  });
});

describe('an exchange', () => {
  const done = { state: 'done', result: { md5: 'x' } } as const;

  it('ends and claims in one step, and answers for every job', async () => {
    await enqueueJobs(test.database, [job(), job(), job(), job()]);
    const { store } = worker();
    const [first, second, third] = await store.claim(lanesOf(3), reach);
    if (!first || !second || !third) throw new Error('three jobs were queued');
    const ends = [
      { lease: first, end: done },
      { lease: { ...second, leaseToken: '0' }, end: done },
      { lease: third, end: { state: 'queued', afterMs: 0, error: null, refund: false } as const },
    ];
    const { claimed, verdicts } = await store.exchange(ends, lanesOf(4), reach);
    expect(Object.fromEntries(verdicts)).toEqual({
      [first.jobId]: 'ended',
      [second.jobId]: 'lost',
      [third.jobId]: 'ended',
    });
    // Not the one that this very statement put back: its runner is still taking leave of it.
    expect(claimed).toHaveLength(1);
    expect(await stateOf(second.jobId)).toEqual({ state: 'leased', attempts: 1 });
    expect(await store.claim(lanesOf(4), reach)).toMatchObject([{ jobId: third.jobId, attempts: 2 }]);
  });

  it('says again that it has ended what it ended when its answer got lost', async () => {
    await enqueueJobs(test.database, [job()]);
    const { store } = worker();
    const lease = await claimOne(store);
    for (const _ of [1, 2]) {
      const { verdicts } = await store.exchange([{ lease, end: done }], [], reach);
      expect(verdicts.get(lease.jobId)).toBe('ended');
    }
  });

  it('refuses for good, and changes nothing, when one of its ends cannot be stored', async () => {
    await enqueueJobs(test.database, [job(), job()]);
    const { store } = worker();
    const [good, bad] = await store.claim(lanesOf(2), reach);
    if (!good || !bad) throw new Error('two jobs were queued');
    const ends = [
      { lease: good, end: done },
      { lease: { ...bad, leaseToken: 'no number' }, end: done },
    ];
    await expect(store.exchange(ends, lanes, reach)).rejects.toMatchObject({ retry: 'permanent' });
    expect(await stateOf(good.jobId)).toMatchObject({ state: 'leased' });
  });

  it.each(['rides along', 'has a transaction of its own'])(
    'stores any text and any wait of an end that %s',
    async (how) => {
      await enqueueJobs(test.database, [job(), job()]);
      const { store } = worker();
      const [one, other] = await store.claim(lanesOf(2), reach);
      if (!one || !other) throw new Error('two jobs were queued');
      const text = 'a\u0000b \ud83d \ud83d\ude00 \\u0000';
      const ends = [
        { lease: one, end: { state: 'done', result: { [text]: [text] } } as const },
        {
          lease: other,
          end: { state: 'queued', afterMs: Number.POSITIVE_INFINITY, error: { why: text }, refund: false } as const,
        },
      ];
      if (how === 'rides along') await store.exchange(ends, [], reach);
      else for (const { lease, end } of ends) expect(await store.end(lease, end)).toBe('ended');
      const row = z.object({ state: z.string(), result: z.unknown(), error: z.unknown() });
      const clean = 'ab \ufffd \ud83d\ude00 \\u0000';
      expect(await test.database.query('SELECT state, result, error FROM job ORDER BY job_id', [], row)).toEqual([
        { state: 'done', result: { [clean]: [clean] }, error: null },
        { state: 'queued', result: null, error: { why: clean } },
      ]);
    },
  );

  it('names a job that this version cannot read beside those that it can', async () => {
    await enqueueJobs(test.database, [job(), job()]);
    await test.database.execute('ALTER TABLE job DROP CONSTRAINT IF EXISTS job_origin_kind_check', []);
    await test.database.execute("UPDATE job SET origin_kind = 'of-the-next-version' WHERE job_id = 1", []);
    const { claimed, unfit } = await worker().store.exchange([], lanes, reach);
    expect(claimed).toMatchObject([{ jobId: '2' }]);
    expect(unfit).toMatchObject([{ jobId: '1', kind: 'checksum', reason: expect.stringContaining('origin_kind') }]);
  });

  it('reads only the head of its shelves: neither other storages nor waiting jobs slow it down', async () => {
    const fill = (storage: string, deferred: boolean) =>
      test.database.execute(
        `INSERT INTO job (role, kind, storage_id, payload, dedupe_key, deferred, run_at)
         SELECT 'CHECKSUM', 'checksum', $1, '{}', $1 || $2::boolean::text || n, $2, now() + CASE WHEN $2 THEN interval '1 day' ELSE '0' END
         FROM generate_series(1, 20000) AS n`,
        [storage, deferred],
      );
    await fill('s2', false);
    await fill('s1', true);
    await enqueueJobs(test.database, [job(), job()]);
    await test.database.transaction(async (sql) => {
      const request = { lanes, ...reach, ends: [], runId: randomUUID(), workerId: randomUUID() };
      const { claimed } = await exchangeJobs(sql, request);
      expect(claimed).toHaveLength(2);
      expect(await fetched(sql)).toBeLessThan(100);
    });
  });
});

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
