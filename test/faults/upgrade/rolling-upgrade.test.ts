import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT, ROLES, type Role } from '../../../agent/contract/index.ts';
import { STOP_LIMIT_MS } from '../../../agent/stop-order.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { makeClips, writeFiles } from './file-load.ts';
import { type AgentVersion, NextVersions, THIS_VERSION } from './next-version.ts';
import { type HandOver, UpgradedCluster } from './upgraded-cluster.ts';

/**
 * Three nodes under load are brought to the next version one by one and back again, the leader last each time, without the
 * cluster being switched off: no job is lost, nothing is made twice, and MAIN work rests only for the hand-overs. And the
 * recommended order, and what becomes of a node that is too old. A run takes a minute of a machine of its own, so `npm test`
 * has the queue's part only (test/integration/jobs/next-version.test.ts).
 */

const RUNS = Number(process.env.ISG_PRO_UPGRADE_RUNS ?? 20);
const ORDER_RUNS = Math.min(RUNS, 3);
/** Promised for a hand-over on a machine of its own; more may be allowed by hand where it is shared. */
const GAP_MS = Number(process.env.ISG_PRO_UPGRADE_GAP_MS ?? 1_000);
/**
 * From the signal until the work of the next leader takes effect, beyond the write that notes its begin: it looks at storage
 * and queues first, and a storage under load is scanned each second. Work that failed at its begin would rest for 5 s.
 */
const WORK_MS = GAP_MS + 2_500;
/** A migration lets those pass who wait behind it after half a second; a busy machine may add to that. */
const LOCK_WAIT_MS = 1_500;
/** A node looks every 2 s whether it still fits, and its orderly stop has a limit; a busy machine may add to that. */
const LEAVE_MS = 2_000 + STOP_LIMIT_MS + 3_000;
/** A machine that is shared may need many times what it needs alone. */
const RUN_LIMIT_MS = 15 * 60_000;
const MIXED = /^This node runs .* are at 99\.0\.0\. It keeps working; new kinds of jobs are left to newer nodes\./;
const NODES: { name: string; roles: Role[] }[] = [
  { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSFER'] },
  { name: 'node-b', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE'] },
  { name: 'node-c', roles: ['MAIN', 'TRANSCODE', 'TRANSFER'] },
];

let versions: NextVersions;
let next: AgentVersion;
let cluster: UpgradedCluster | null = null;
let clips: string[] = [];

beforeAll(async () => {
  versions = new NextVersions();
  next = versions.layOut('99.0.0');
  clips = await makeClips(join(versions.dir, 'clips'), 4);
});
afterAll(() => versions?.remove());
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

const words = (handOvers: readonly HandOver[]): string =>
  handOvers.map((one) => `${Math.round(one.fromSignalMs)} (${Math.round(one.inDatabaseMs)})`).join(', ');

/** From the signal to the first real work of the next leader, milliseconds; endless when there was none. */
function workAfter(target: UpgradedCluster, handOvers: readonly HandOver[]): number[] {
  const begins = target.leaderBegins();
  return handOvers.map(({ term, askedMs }) => {
    const workedMs = begins.find((one) => one.term === term)?.workedMs ?? Number.POSITIVE_INFINITY;
    return Math.round(workedMs - askedMs);
  });
}

describe.runIf(isLong)(`${RUNS} rolling upgrades and returns of three nodes under load${onlyLong}`, () => {
  it.each(Array.from({ length: RUNS }, (_, at) => at + 1))(
    'lose no job, make nothing twice, and MAIN rests only for the hand-overs (run %i)',
    async (run) => {
      const startMs = performance.now();
      const target = await UpgradedCluster.start(NODES);
      cluster = target;
      const load = writeFiles(target, clips);
      const { result: up, ms: lockMs } = await target.longestLockWait(
        target.rollThrough(next, () =>
          target
            .until('the older nodes say what they may still do', async () => {
              const saying = (await target.workers()).filter(({ reason }) => MIXED.test(reason));
              return saying.length === 2 && saying.every(({ version }) => version === THIS_VERSION.version);
            })
            .then(() => undefined),
        ),
      );
      expect(await target.allRun(next)).toBe(true);
      const back = await target.rollThrough(THIS_VERSION);
      expect(await target.allRun(THIS_VERSION)).toBe(true);
      const files = await load.stop();
      await target.untilDone(files);
      const handOvers = [...up, ...back];
      const seconds = Math.round((performance.now() - startMs) / 1_000);
      const workedMs = workAfter(target, handOvers);
      process.stdout.write(
        `rolling upgrade, run ${run} of ${RUNS}: ${files} files, MAIN rested ms (in the database): ${words(handOvers)}, its work took effect after ms: ${workedMs.join(', ')}, longest lock wait ${Math.round(lockMs)} ms, ${seconds} s\n`,
      );
      expect(await target.problems(files)).toEqual([]);
      expect(target.stale()).toEqual([]);
      expect(await target.jobs()).toMatchObject({ foreign: 'queued 0' });
      expect(target.changesWithoutNeed).toBe(0);
      expect(handOvers.length).toBeGreaterThanOrEqual(2);
      for (const { fromSignalMs, inDatabaseMs } of handOvers)
        expect(Math.max(fromSignalMs, inDatabaseMs)).toBeLessThanOrEqual(GAP_MS);
      for (const ms of workedMs) expect(ms).toBeLessThanOrEqual(WORK_MS);
      expect(target.leaderBegins().filter(({ begunAgain }) => begunAgain.length > 0)).toEqual([]);
      expect(lockMs).toBeLessThanOrEqual(LOCK_WAIT_MS);
    },
    RUN_LIMIT_MS,
  );
});

describe.runIf(isLong)(
  `the recommended order: the cluster off in iconik, MAIN nodes, the others, on again${onlyLong}`,
  () => {
    it.each(Array.from({ length: ORDER_RUNS }, (_, at) => at + 1))(
      'loses no job and makes nothing twice (run %i)',
      async (run) => {
        const startMs = performance.now();
        const nodes = NODES.map((node) => ({
          ...node,
          roles: node.roles.filter((role) => role !== 'MAIN' || node !== NODES[2]),
        }));
        const target = await UpgradedCluster.start(nodes);
        cluster = target;
        const load = writeFiles(target, clips);
        await target.until('work is under way', async () => (await target.jobs()).checksums > 3);
        target.setEnabled(false);
        await target.until('all nodes are off', () => target.allRun(THIS_VERSION, 'disabled'));
        await target.untilIdle();
        for (const { name } of nodes) await target.bring(name, next, 'disabled');
        expect(await target.allRun(next, 'disabled')).toBe(true);
        expect(await target.media.leader()).toBeNull();
        target.setEnabled(true);
        await target.until('all nodes work', () => target.allRun(next));
        const files = await load.stop();
        await target.untilDone(files);
        const seconds = Math.round((performance.now() - startMs) / 1_000);
        process.stdout.write(`recommended order, run ${run} of ${ORDER_RUNS}: ${files} files, ${seconds} s\n`);
        expect(await target.problems(files)).toEqual([]);
        expect(target.stale()).toEqual([]);
      },
      RUN_LIMIT_MS,
    );
  },
);

describe.runIf(isLong)(`a node that runs when a newer one brings a contracting change${onlyLong}`, () => {
  it(
    'stops in time with exit code 3, says why, leaves no job leased, and the newer node finishes the work',
    async () => {
      const nodes = NODES.slice(0, 2).map(({ name }) => ({ name, roles: [...ROLES] }));
      const target = await UpgradedCluster.start(nodes);
      cluster = target;
      const load = writeFiles(target, clips);
      await target.until('work is under way', async () => (await target.jobs()).checksums > 3);
      await target.media.endNode('node-b', 'SIGTERM');
      const outdated = { ...target.media.node('node-a') };
      target.media.startNode('node-b', versions.layOut('100.0.0').program);
      await target.untilApplied('next-contract');
      const appliedMs = performance.now();
      expect(await target.endOf(outdated)).toEqual({ code: EXIT.schemaTooNew, leased: 0 });
      const tookMs = Math.round(performance.now() - appliedMs);
      process.stdout.write(`contracting change: the older node was gone after ${tookMs} ms\n`);
      expect(tookMs).toBeLessThanOrEqual(LEAVE_MS);
      expect(target.media.tail('node-a')).toContain('needs version 100.0.0 or newer, this node is');
      const files = await load.stop();
      await target.untilDone(files);
      expect(await target.endOf({ ...target.media.startNode('node-a') })).toMatchObject({ code: EXIT.schemaTooNew });
      expect(await target.problems(files)).toEqual([]);
      expect(target.stale()).toEqual([]);
    },
    RUN_LIMIT_MS,
  );
});
