import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDatabase } from '../../../agent/db/database.ts';
import { freeExpiredJobs } from '../../../agent/db/queries/job.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { runGenerator } from '../../demo/clips.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { startPgBouncer } from '../../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createLedger, enqueueBatch, judge, type Order, standings } from './ledger.ts';
import { machineMs, type Note, notesOf, readNotes } from './node-notes.ts';
import { QueueNode } from './queue-nodes.ts';

/** One fault at a time, and what becomes of the jobs that it hits. */

/** Longer than any test: what is said to happen for another reason cannot happen for this one. */
const NEVER = { lapseMs: 600_000, visibilityS: 3_600 };
const patient = { timeout: 60_000, interval: 50 };

let test: TestDatabase;
let folder = '';
let nodes: QueueNode[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-lost-'));
  test = await createTestDatabase();
  await createLedger(test.database);
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  nodes = [];
  await test.drop();
  rmSync(folder, { recursive: true, force: true });
});

const notes = (): Note[] => (nodes.some((node) => node.isUp(0)) ? readNotes(join(folder, 'notes')) : []);
const startsOf = (node: QueueNode) => notesOf(notes(), 'start').filter((start) => start.node === node.name);

async function start(name: string, times: { lapseMs: number; visibilityS: number; uri?: string }): Promise<QueueNode> {
  const plan = { uri: test.uri, slots: 8, ...times, notes: join(folder, 'notes') };
  const node = await QueueNode.create({ ...plan, name });
  nodes.push(node);
  await startAgain(node);
  return node;
}
async function startAgain(node: QueueNode): Promise<void> {
  const sinceMs = machineMs();
  node.start();
  await expect.poll(() => node.isUp(sinceMs), patient).toBe(true);
}

/** Answers the one that has begun a job. */
async function untilRunning(some: readonly QueueNode[]): Promise<QueueNode> {
  const running = () => some.find((node) => startsOf(node).length > 0);
  await expect.poll(running, patient).toBeDefined();
  const found = running();
  if (!found) throw new Error('it has just been seen');
  return found;
}

const order = (jobs: number, what: Partial<Order>): Promise<void> => {
  const orders = Array.from({ length: jobs }, (_, at) => ({ at, workMs: 0, how: 'alongside', listens: true, ...what }));
  return enqueueBatch(test.database, 0, orders as Order[]);
};
/** Waits until every job is done, each with one effect. Answers their attempts. */
async function untilDone(jobs: number): Promise<number[]> {
  await expect.poll(async () => judge(await standings(test.database), jobs, new Set()), patient).toEqual([]);
  return (await standings(test.database)).map(({ attempts }) => attempts);
}

describe('SIGKILL of a worker', () => {
  it('gives its job to another node, whatever is left of its lease, and it takes effect once', async () => {
    const times = { ...NEVER, lapseMs: 3_000 };
    const both = await Promise.all([start('a', times), start('b', times)]);
    await order(1, { workMs: 2_500 });
    const killed = await untilRunning(both);
    await killed.kill();
    expect(await untilDone(1)).toEqual([2]);
    expect(notesOf(notes(), 'start').map(({ node }) => node === killed.name)).toEqual([true, false]);
  });

  it('gives its jobs back to itself when it is started again, at once', async () => {
    const killed = await start('a', NEVER);
    await order(3, { workMs: 2_500 });
    await expect.poll(() => startsOf(killed).length, patient).toBe(3);
    await killed.kill();
    await startAgain(killed);
    expect(await untilDone(3)).toEqual([2, 2, 2]);
  });
});

describe('a worker frozen past its lease', () => {
  const ways = [
    { whose: 'heartbeat had stood still', times: { ...NEVER, lapseMs: 3_000 }, free: async () => 0 },
    { whose: 'lease had run out', times: { ...NEVER, visibilityS: 1 }, free: () => freeExpiredJobs(test.database) },
  ];
  it.each(isLong ? ways : ways.slice(0, 1))(
    'changes nothing by its late completion once another, because its $whose, has done the job',
    async (way) => {
      const frozen = await start('a', way.times);
      // Its main loop is blocked: on waking, the end is offered before any news of the lease can be heard.
      await order(1, { how: 'block', workMs: 3_500 });
      await expect.poll(() => startsOf(frozen).length, patient).toBe(1);
      frozen.pause();
      const other = await start('b', { ...way.times, visibilityS: 3_600 });
      await expect.poll(async () => (await way.free()) + startsOf(other).length, patient).toBeGreaterThan(0);
      expect(await untilDone(1)).toEqual([2]);
      frozen.resume();
      const lateEnd = { kind: 'end', node: 'a', state: 'done', verdict: 'lost', token: startsOf(frozen)[0]?.token };
      await expect.poll(() => notesOf(notes(), 'end'), patient).toContainEqual(expect.objectContaining(lateEnd));
      expect(await untilDone(1)).toEqual([2]);
    },
  );
});

describe('a pool of pgBouncer whose connections others hold', () => {
  it('stops all nodes for that time and costs no job anything: each runs once, without help', async () => {
    const pooler = await startPgBouncer(test.uri, { poolSize: 4 });
    // Longer than the heartbeats may stand still: nobody may be taken for dead by those who could not look.
    const [holdMs, jobs] = [5_000, 120];
    const times = { uri: pooler.uri, lapseMs: 3_000, visibilityS: 30 };
    const others = createDatabase({ uri: pooler.uri, log: silentLogger, maxConnections: 4 });
    try {
      await Promise.all([start('a', times), start('b', times)]);
      await order(jobs, { workMs: 300 });
      await expect.poll(() => notesOf(notes(), 'end').length, patient).toBeGreaterThan(8);
      const hold = () => others.execute('SELECT pg_sleep($1)', [holdMs / 1_000]);
      await Promise.all([hold(), hold(), hold(), hold()]);
      expect(new Set(await untilDone(jobs))).toEqual(new Set([1]));
      expect(notesOf(notes(), 'start')).toHaveLength(jobs);
    } finally {
      await others.close();
      await Promise.all(nodes.map((node) => node.close()));
      await pooler.stop();
    }
  });
});

describe('a main loop that is blocked for 10 s beside eight busy ffmpegs', () => {
  it.runIf(isLong)(`loses no job: none is freed or taken, and all results are committed once${onlyLong}`, async () => {
    const times = { lapseMs: 6_000, visibilityS: 8 };
    const [blocked, jobs] = [await start('a', times), 8];
    await order(jobs, { workMs: 45_000 });
    await expect.poll(() => startsOf(blocked).length, patient).toBe(jobs);
    const other = await start('b', times);
    const upMs = machineMs();
    const busy = new AbortController();
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=50:duration=3600', '-c:v', 'libx264'];
    const ffmpegs = Array.from({ length: 8 }, () => runGenerator([...picture, '-f', 'null', '-'], busy));
    const anyEnded = vi.fn();
    for (const ffmpeg of ffmpegs) ffmpeg.then(anyEnded, anyEnded);
    onTestFinished(async () => {
      busy.abort();
      await Promise.allSettled(ffmpegs);
    });
    // So long that the other would free jobs whose lease runs out or whose worker seems dead.
    await expect.poll(() => machineMs() - upMs, patient).toBeGreaterThan(10_000);
    blocked.block(10_000);
    const hasWoken = () => blocked.logs.some((line) => line.endsWith('blocked'));
    const beganMs = machineMs();
    await expect.poll(hasWoken, patient).toBe(true);
    expect(machineMs() - beganMs).toBeGreaterThan(9_000);
    expect(anyEnded).not.toHaveBeenCalled();
    expect(await untilDone(jobs)).toEqual(Array.from({ length: jobs }, () => 1));
    expect(startsOf(other)).toEqual([]);
    // Freed and taken back would be a new token.
    expect(notesOf(notes(), 'news').filter(({ news }) => news === 'token')).toEqual([]);
  });
});
