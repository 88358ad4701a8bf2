import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AGENT_CALLS, type AgentParams } from '../../../agent/contract/index.ts';
import { fileCalls } from '../../../agent/operator/calls/file-calls.ts';
import { jobCalls } from '../../../agent/operator/calls/job-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
let calls: ReturnType<typeof jobCalls>;
beforeEach(async () => {
  test = await createTestDatabase();
  calls = jobCalls(test.database);
});
afterEach(() => test.drop());

const STORAGE = 'storage-a';
const list = async (params: Partial<AgentParams<'jobs.list'>> = {}) => {
  const anything = { roles: [], states: [], storageId: null, nodeName: null, text: '' };
  const all = { ...anything, cursor: null, limit: 100, ...params };
  return AGENT_CALLS['jobs.list'].answer.parse(await calls['jobs.list'](all));
};

interface Job {
  role?: string;
  kind?: string;
  state?: string;
  payload?: object;
  storageId?: string | null;
  key?: string;
  error?: object | null;
}
let made = 0;
async function insert(job: Job = {}): Promise<string> {
  made += 1;
  const state = job.state ?? 'queued';
  const [row] = await test.database.query(
    `INSERT INTO job (role, kind, state, payload, storage_id, dedupe_key, error, attempts, finished_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 3, CASE WHEN $3 IN ('done', 'failed', 'cancelled') THEN now() END)
     RETURNING job_id::text`,
    [
      job.role ?? 'CHECKSUM',
      job.kind ?? 'checksum',
      state,
      JSON.stringify(job.payload ?? { path: `file-${made}` }),
      job.storageId === undefined ? STORAGE : job.storageId,
      job.key ?? `key-${made}`,
      job.error ? JSON.stringify(job.error) : null,
    ],
    z.object({ job_id: z.string() }),
  );
  return row?.job_id ?? '';
}

const stateOf = async (jobId: string) => {
  const row = z.object({
    state: z.string(),
    attempts: z.number(),
    cancel_requested: z.boolean(),
    priority: z.number(),
  });
  const text = 'SELECT state, attempts, cancel_requested, priority FROM job WHERE job_id = $1';
  return (await test.database.query(text, [jobId], row))[0];
};

describe('the list of jobs', () => {
  it('holds all jobs, newest first, with what people need to know of each', async () => {
    const error = { code: 'media-unreadable', message: 'The file is no video.', retry: 'permanent' };
    await insert({ state: 'failed', role: 'TRANSCODE', kind: 'transcode', payload: { path: 'a/b.mov' }, error });
    await insert({
      role: 'TRANSFER',
      kind: 'download',
      payload: { destinationDirectoryPath: 'in/coming', destinationFileSetName: 'clip.mov' },
      error: { why: 'The storage is away.' },
    });
    const { rows, total, nextCursor } = await list();
    expect(rows).toMatchObject([
      { role: 'TRANSFER', subject: 'in/coming/clip.mov', state: 'queued', error: null, note: 'The storage is away.' },
      { role: 'TRANSCODE', subject: 'a/b.mov', state: 'failed', error, attempts: 3, nodeName: null },
    ]);
    expect({ total, nextCursor }).toEqual({ total: 2, nextCursor: null });
  });

  it('does not say of a job that is through what it was doing last', async () => {
    const [done, failed] = [await insert({ state: 'done' }), await insert({ state: 'failed' })];
    await test.database.execute(`UPDATE job SET progress_note = 'sending keyframes'`, []);
    const { rows } = await list();
    const notes = new Map(rows.map(({ jobId, note }) => [jobId, note]));
    expect([notes.get(done), notes.get(failed)]).toEqual(['', 'sending keyframes']);
  });

  it('is narrowed by role, state, storage and text, each and together', async () => {
    const wanted = await insert({
      state: 'failed',
      role: 'TRANSFER',
      kind: 'upload',
      payload: { path: 'Reel/Ä_100%.MOV' },
    });
    await insert({ state: 'failed', storageId: 'storage-b' });
    await insert({ state: 'done', role: 'TRANSFER', kind: 'upload' });
    await insert();
    const ids = async (params: Partial<AgentParams<'jobs.list'>>) =>
      (await list(params)).rows.map(({ jobId }) => jobId);
    expect(await ids({ states: ['failed'] })).toHaveLength(2);
    expect(await ids({ roles: ['TRANSFER', 'TRANSCODE'] })).toHaveLength(2);
    expect(await ids({ storageId: 'storage-b' })).toHaveLength(1);
    for (const text of ['reel/', '_100%', wanted, 'Ä_'])
      expect(await ids({ text, roles: ['TRANSFER'], states: ['failed'], storageId: STORAGE })).toEqual([wanted]);
    expect((await list({ text: 'nothing has this' })).total).toBe(0);
  });

  it('is narrowed to what a node of a name runs now, whatever earlier installations were called so', async () => {
    const [own, former] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
    for (const id of [own, former])
      await test.database.execute(
        `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
         VALUES ($1, 'g', $1, 'node-a', 'h', 'm', 'b', '1', '{}', 'available')`,
        [id],
      );
    const running = await insert({ state: 'leased' });
    const ended = await insert({ state: 'done' });
    await insert({ state: 'leased' });
    await test.database.execute('UPDATE job SET leased_worker = $1 WHERE job_id = ANY ($2::bigint[])', [
      own,
      [running, ended],
    ]);
    expect(await list({ nodeName: 'node-a' })).toMatchObject({
      total: 1,
      rows: [{ jobId: running, nodeName: 'node-a' }],
    });
    expect((await list({ nodeName: 'node-b' })).total).toBe(0);
  });

  it('is paged without gap or double while jobs are added', async () => {
    for (let n = 0; n < 25; n += 1) await insert();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list({ cursor, limit: 10 });
      expect(page.total).toBe(25);
      seen.push(...page.rows.map(({ jobId }) => jobId));
      cursor = page.nextCursor;
      await insert();
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
  });

  it('refuses a cursor that is none', async () => {
    await expect(list({ cursor: 'made up' })).rejects.toMatchObject({ retry: 'permanent' });
    const injected = Buffer.from(JSON.stringify({ jobId: '1; DROP TABLE job', total: 1 })).toString('base64url');
    await expect(list({ cursor: injected })).rejects.toMatchObject({ retry: 'permanent' });
  });

  it('stays quick with 100,000 jobs: first page, page in the middle, rare states, text that nothing has', async () => {
    await test.database.execute(
      `INSERT INTO job (role, kind, state, payload, storage_id, dedupe_key, finished_at)
       SELECT (ARRAY['CHECKSUM', 'TRANSCODE', 'TRANSFER'])[1 + n % 3], 'checksum', CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'done' END,
         jsonb_build_object('path', 'reel-' || n % 50 || '/take_' || n || '.mov', 'sizeBytes', 1000, 'mtimeNs', '1'), $1, 'k' || n,
         now() - make_interval(secs => n / 20)
       FROM generate_series(1, 100000) AS n`,
      [STORAGE],
    );
    await test.database.execute('ANALYZE job', []);
    const timed = async (params: Partial<AgentParams<'jobs.list'>>) => {
      const startedMs = performance.now();
      const page = await list(params);
      return { page, ms: performance.now() - startedMs };
    };
    const first = await timed({});
    const second = await timed({ cursor: first.page.nextCursor });
    const failed = await timed({ states: ['failed'] });
    const rare = await timed({ text: 'take_77.mov' });
    const none = await timed({ text: 'no such thing' });
    expect(first.page.total).toBe(100_000);
    expect(failed.page.total).toBe(100);
    expect(rare.page.rows).toHaveLength(1);
    // Generous: a quiet machine needs a tenth of it. What must not happen is a page that costs a scan of the whole table.
    expect(second.ms).toBeLessThan(150);
    expect(failed.ms).toBeLessThan(400);
    for (const { ms } of [first, rare, none]) expect(ms).toBeLessThan(1_500);
    const report = Object.entries({ first, second, failed, rare, none }).map(
      ([name, { ms }]) => `${name} ${Math.round(ms)} ms`,
    );
    process.stderr.write(`jobs.list at 100,000: ${report.join(', ')}\n`);
  });
});

describe('cancelling', () => {
  it('takes a queued job out of the queue and asks a running one to stop', async () => {
    const queued = await insert();
    const leased = await insert({ state: 'leased' });
    await calls['jobs.cancel']({ jobId: queued });
    await calls['jobs.cancel']({ jobId: leased });
    expect(await stateOf(queued)).toMatchObject({ state: 'cancelled' });
    expect(await stateOf(leased)).toMatchObject({ state: 'leased', cancel_requested: true });
  });

  it('is refused with words for a job that has ended, and for one that is none', async () => {
    const done = await insert({ state: 'done' });
    await expect(calls['jobs.cancel']({ jobId: done })).rejects.toThrow(/ended already/);
    await expect(calls['jobs.cancel']({ jobId: 'x' })).rejects.toThrow(/no such job/);
  });
});

describe('trying again', () => {
  it('queues failed and cancelled jobs with fresh attempts, and no others', async () => {
    for (const state of ['failed', 'cancelled']) {
      const jobId = await insert({ state, error: { code: 'x', message: 'y', retry: 'permanent' } });
      await calls['jobs.retry']({ jobId });
      expect(await stateOf(jobId)).toMatchObject({ state: 'queued', attempts: 0, cancel_requested: false });
      expect((await list()).rows.find((row) => row.jobId === jobId)).toMatchObject({ error: null, finishedMs: null });
    }
    for (const state of ['queued', 'leased', 'done']) {
      const jobId = await insert({ state });
      await expect(calls['jobs.retry']({ jobId })).rejects.toThrow(/Only failed and cancelled/);
    }
  });

  it('is refused while the same work is queued under another id', async () => {
    const failed = await insert({ state: 'failed', key: 'same' });
    await insert({ key: 'same' });
    await expect(calls['jobs.retry']({ jobId: failed })).rejects.toThrow(/same work/);
    expect(await stateOf(failed)).toMatchObject({ state: 'failed' });
  });

  it('leaves a settled origin settled, so that iconik is not told twice, and an open one open', async () => {
    const settled = await insert({ state: 'failed' });
    const open = await insert({ state: 'failed' });
    await test.database.execute(
      `INSERT INTO job_origin (record_kind, record_id, storage_id, job_id, settled_at)
       VALUES ('transfers_to', 'r1', $1, $2, now()), ('transfers_to', 'r2', $1, $3, NULL)`,
      [STORAGE, settled, open],
    );
    for (const jobId of [settled, open]) await calls['jobs.retry']({ jobId });
    const row = z.object({ record_id: z.string(), is_settled: z.boolean() });
    const text = 'SELECT record_id, settled_at IS NOT NULL AS is_settled FROM job_origin ORDER BY record_id';
    expect(await test.database.query(text, [], row)).toEqual([
      { record_id: 'r1', is_settled: true },
      { record_id: 'r2', is_settled: false },
    ]);
  });

  it('lets the file of a failed checksum wait for its digests again, unless the file has changed since', async () => {
    const payload = { storageId: STORAGE, path: 'cafe\u0301.mov', sizeBytes: 10, mtimeNs: '5' };
    const changed = { ...payload, path: 'b.mov' };
    for (const [path, size] of [
      ['caf\u00e9.mov', 10],
      ['b.mov', 11],
    ])
      await test.database.execute(
        `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, error)
         VALUES ($1, $2, $2, '', $3, 5, '1', 'faulty', '{"code":"x","message":"unreadable","retry":"permanent"}')`,
        [STORAGE, path, size],
      );
    for (const one of [payload, changed])
      await calls['jobs.retry']({ jobId: await insert({ state: 'failed', payload: one }) });
    const row = z.object({ path_key: z.string(), state: z.string() });
    expect(await test.database.query('SELECT path_key, state FROM storage_file ORDER BY path_key', [], row)).toEqual([
      { path_key: 'b.mov', state: 'faulty' },
      { path_key: 'caf\u00e9.mov', state: 'hashing' },
    ]);
  });
});

it('a priority is given to a job that has not ended', async () => {
  const jobId = await insert();
  await calls['jobs.set-priority']({ jobId, priority: 9 });
  expect(await stateOf(jobId)).toMatchObject({ priority: 9 });
  const done = await insert({ state: 'done' });
  await expect(calls['jobs.set-priority']({ jobId: done, priority: 9 })).rejects.toThrow(/ended already/);
});

describe('files that need attention', () => {
  it('are listed by path, page by page, each with a reason in words', async () => {
    await test.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, error)
       SELECT $1, 'f' || lpad(n::text, 5, '0'), 'f' || lpad(n::text, 5, '0'), '', n, 1, '1',
         CASE WHEN n % 1000 = 0 THEN 'missing' WHEN n % 1000 = 1 THEN 'empty' ELSE 'ingested' END,
         CASE WHEN n = 77 THEN '{"code":"x","message":"iconik refused it.","retry":"transient"}'::jsonb END
       FROM generate_series(1, 20000) AS n`,
      [STORAGE],
    );
    const { 'storages.problems': problems } = fileCalls(test.database);
    const seen: { path: string; state: string; reason: string }[] = [];
    let cursor: string | null = null;
    do {
      const page = AGENT_CALLS['storages.problems'].answer.parse(
        await problems({ storageId: STORAGE, cursor, limit: 15 }),
      );
      seen.push(...page.rows);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(41);
    expect(seen.every(({ reason }) => reason.length > 10)).toBe(true);
    expect(seen.find(({ path }) => path === 'f00077')).toMatchObject({
      state: 'ingested',
      reason: 'iconik refused it.',
    });
    expect(seen.map(({ path }) => path)).toEqual(seen.map(({ path }) => path).toSorted());
  });
});
