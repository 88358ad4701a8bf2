import { expect, test } from 'vitest';
import type { JobRow } from '../../../../agent/contract/index.ts';
import { ALL_JOBS, type JobFilter } from '../../../../renderer/features/jobs/job-filter.ts';
import { createJobReader, type ReadJobPage } from '../../../../renderer/features/jobs/job-reader.ts';

const row = (id: number): JobRow => ({
  jobId: String(id),
  role: 'TRANSFER',
  kind: 'upload',
  state: 'queued',
  subject: '',
  storageId: null,
  priority: 5,
  attempts: 0,
  progress: 0,
  note: '',
  nodeName: null,
  createdMs: 0,
  startedMs: null,
  finishedMs: null,
  error: null,
});

/** A list of `count` jobs; every call is recorded and answered when `settle` is called. */
function agentWith(count: () => number) {
  const calls: { filter: JobFilter; cursor: string | null; limit: number; answer: () => void; fail: () => void }[] = [];
  const read: ReadJobPage = (filter, cursor, limit) =>
    new Promise((resolve, reject) => {
      const from = Number(cursor ?? 0);
      const answer = () => {
        const total = count();
        const rows = Array.from({ length: Math.max(0, Math.min(limit, total - from)) }, (_, at) => row(from + at));
        resolve({ rows, nextCursor: from + limit < total ? String(from + limit) : null, total });
      };
      calls.push({ filter, cursor, limit, answer, fail: () => reject(new Error('The database is away.')) });
    });
  const settle = async (how: 'answer' | 'fail' = 'answer') => {
    calls.at(-1)?.[how]();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { calls, read, settle };
}

test('the first page is read when the filter is set, further ones when their rows come into view', async () => {
  const agent = agentWith(() => 1000);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  expect(reader.get().list.rows).toHaveLength(200);
  reader.show(180, 230);
  expect(agent.calls.at(-1)).toMatchObject({ cursor: '200', limit: 200 });
  await agent.settle();
  expect(reader.get().list.rows).toHaveLength(400);
  expect(agent.calls).toHaveLength(2);
});

test('a leap to the end reads page after page, one at a time, until the view is known', async () => {
  const agent = agentWith(() => 2200);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  reader.show(2180, 2199);
  for (let at = 0; at < 4; at += 1) await agent.settle();
  expect(reader.get().list.rows).toHaveLength(2200);
  expect(agent.calls).toHaveLength(5);
});

test('a refresh reads only the rows in view', async () => {
  const agent = agentWith(() => 1000);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  reader.show(0, 19);
  reader.refresh();
  expect(agent.calls.at(-1)).toMatchObject({ cursor: null, limit: 50 });
  await agent.settle();
  expect(reader.get().list.rows).toHaveLength(200);
  expect(agent.calls).toHaveLength(2);
});

test('rows of the filter before stay until the first answer, and late answers for it are dropped', async () => {
  const agent = agentWith(() => 10);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  reader.refresh();
  const late = agent.calls.at(-1);
  reader.setFilter({ ...ALL_JOBS, states: ['failed'] });
  expect(reader.get()).toMatchObject({ isOutdated: true });
  expect(reader.get().list.rows).toHaveLength(10);
  late?.answer();
  await new Promise((resolve) => setImmediate(resolve));
  expect(reader.get().isOutdated).toBe(true);
  await agent.settle();
  expect(reader.get()).toMatchObject({ isOutdated: false, filter: { states: ['failed'] } });
});

test('the same filter set again reads nothing', async () => {
  const agent = agentWith(() => 10);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  reader.setFilter({ ...ALL_JOBS, text: ' ' });
  expect(agent.calls).toHaveLength(1);
  await agent.settle();
});

test('a failed reading keeps the rows, says why, and the next refresh tries again', async () => {
  const agent = agentWith(() => 10);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  reader.refresh();
  await agent.settle('fail');
  expect(reader.get()).toMatchObject({ error: 'The database is away.' });
  expect(reader.get().list.rows).toHaveLength(10);
  reader.refresh();
  await agent.settle();
  expect(reader.get().error).toBeNull();
});

test('while held, rows that end stay where they are', async () => {
  let count = 10;
  const agent = agentWith(() => count);
  const reader = createJobReader(agent.read);
  reader.setFilter(ALL_JOBS);
  await agent.settle();
  reader.hold(true);
  count = 8;
  reader.refresh();
  await agent.settle();
  expect(reader.get().list.rows).toHaveLength(10);
  expect(reader.get().list.departed.size).toBe(2);
  reader.hold(false);
  reader.refresh();
  await agent.settle();
  expect(reader.get().list.rows).toHaveLength(8);
});
