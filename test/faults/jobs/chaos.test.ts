import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../../agent/db/database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { isLong } from '../../support/long-version.ts';
import { Chaos } from './chaos.ts';
import { drawFault, type Fault, seededRandom } from './chaos-plan.ts';
import { type ChaosReport, findWrong, reportOf } from './chaos-report.ts';
import { createLedger, type Order, standings } from './ledger.ts';
import { machineMs, readNotes } from './node-notes.ts';
import { QueueNode } from './queue-nodes.ts';
import { type QueueServer, startQueueServer } from './queue-server.ts';

/**
 * Jobs over three node processes through pgBouncer while nodes, network, pooler and database fail and people change jobs.
 * The faults follow from the seed, what they meet does not: ISG_PRO_TEST_SEED runs a seed again.
 */

const SEED = Number(process.env.ISG_PRO_TEST_SEED ?? randomInt(2 ** 31));
const JOBS = Number(process.env.ISG_PRO_TEST_JOBS ?? (isLong ? 50_000 : 1_200));
/** Alone on two cores it takes a fraction of this. */
const LIMIT_MS = isLong ? 1_500_000 : 300_000;
const NODES = ['node-a', 'node-b', 'node-c'];
/** pgBouncer's own default. The pools of three nodes ask for up to 54 connections: they have to share. */
const POOL_SIZE = 20;
/** The shortest that may be set, so that as many jobs as possible change hands. */
const TIMES = { lapseMs: 3_000, visibilityS: 30 };

/** One of each that the full run draws at random, in an order in which they meet each other. */
const SHORT_FAULTS: readonly Fault[] = [
  { kind: 'operator' },
  { kind: 'freeze', node: 0, forMs: 7_000 },
  { kind: 'lost-answers', node: 1, forMs: 300 },
  { kind: 'operator' },
  { kind: 'reset', node: 2 },
  { kind: 'pooler' },
  { kind: 'operator' },
  { kind: 'kill', node: 1, isNew: false },
  { kind: 'database', how: 'immediate' },
];
/** This many of the jobs run long enough to be hit by a fault in the middle. */
const LONG_SHARE = isLong ? 0.03 : 0.1;

function makeOrders(random: () => number): Order[] {
  return Array.from({ length: JOBS }, (_, at) => {
    const [dice, length] = [random(), random()];
    const how = dice < 0.6 ? 'alongside' : dice < 0.8 ? 'plain' : dice < 0.95 ? 'external' : 'fails';
    const workMs =
      length < LONG_SHARE ? 300 + (length / LONG_SHARE) * 3_000 : length < 0.25 ? length * 200 : length * 10;
    return { at, workMs: Math.round(workMs), how, listens: at % 2 === 0 };
  });
}

let server: QueueServer;
let database: Database;
let nodes: QueueNode[] = [];
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-chaos-'));
  server = await startQueueServer(POOL_SIZE);
  database = createDatabase({ uri: server.direct, log: silentLogger, maxConnections: 2 });
  await createLedger(database);
  const plan = { uri: server.pooled, slots: 24, ...TIMES, notes: join(folder, 'notes') };
  nodes = await Promise.all(NODES.map((name) => QueueNode.create({ ...plan, name })));
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await database?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe(`${JOBS} jobs under faults (seed ${SEED})`, () => {
  it(
    'all end, none is lost, and none takes effect twice',
    async () => {
      // One for each, so that the faults do not depend on what else happens meanwhile.
      const [ofOrders, ofFaults, ofPeople] = [seededRandom(SEED), seededRandom(SEED + 1), seededRandom(SEED + 2)];
      const scripted = [...SHORT_FAULTS];
      const beganMs = machineMs();
      for (const node of nodes) node.start();
      await expect.poll(() => nodes.every((node) => node.isUp(beganMs)), { timeout: 120_000 }).toBe(true);
      const chaos = new Chaos({
        server,
        nodes,
        orders: makeOrders(ofOrders),
        nextFault: () => (isLong ? drawFault(NODES.length, ofFaults) : (scripted.shift() ?? null)),
        faultEveryMs: isLong ? 2_000 : 1_000,
        poolSize: POOL_SIZE,
        random: ofPeople,
      });
      // Early enough that what is under way then can end and the counts can still be told.
      await chaos.run(beganMs + LIMIT_MS - 60_000 - machineMs()).catch(async (thrown: unknown) => {
        const counts = JSON.stringify(
          reportOf(await standings(database), chaos.faults, readNotes(join(folder, 'notes'))),
        );
        const logs = nodes.map(({ logs: lines }) => lines.slice(-8).join('\n')).join('\n');
        const last = JSON.stringify(chaos.faults.slice(-10));
        throw new Error(`seed ${SEED}, ${counts}, last faults ${last}\n${logs}`, { cause: thrown });
      });
      const [jobs, notes] = [await standings(database), readNotes(join(folder, 'notes'))];
      const report = reportOf(jobs, chaos.faults, notes);
      tell(report, Math.round((machineMs() - beganMs) / 1_000));
      const said = `seed ${SEED}, ${JSON.stringify(report)}`;
      expect(findWrong(jobs, notes, { expected: JOBS, cancelled: chaos.cancelled }).slice(0, 20), said).toEqual([]);
      expect(nodes.flatMap(({ crashes }) => crashes)).toEqual([]);
      // The faults have hit something: jobs ran again and, in so many faults, ends under old tokens came late.
      expect(report.starts).toBeGreaterThan(JOBS);
      if (isLong) expect(report.refusedEnds).toBeGreaterThan(0);
      expect(chaos.faults.length).toBeGreaterThanOrEqual(SHORT_FAULTS.length);
    },
    LIMIT_MS,
  );
});

function tell(report: ChaosReport, seconds: number): void {
  if (isLong || process.env.ISG_PRO_TEST_SEED)
    process.stdout.write(`${JSON.stringify({ seed: SEED, seconds, ...report })}\n`);
}
