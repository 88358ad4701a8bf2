import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { NewJob } from '../../../agent/contract/index.ts';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { exchangeJobs } from '../../../agent/db/queries/job-claim.ts';
import { job, lanes, lanesOf, reach, useQueue } from './queue-bench.ts';

const { test, worker, stateOf, fetched, claimOne } = useQueue();

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
