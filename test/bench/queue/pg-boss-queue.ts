import { setTimeout as sleep } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';
import { z } from 'zod';
import { type DrainPlan, Meter, type QueueSystem, type ZombieCount } from './queue-system.ts';
import type { BenchDatabase } from './server.ts';

/** README.md tells why these. */
const PLANS = { single: { loops: 24, batchSize: 1, max: 10 }, batched: { loops: 4, batchSize: 1_000, max: 10 } };
const QUEUE = 'bench';
const ZOMBIES = 'zombies';
/** Its types leave open what `complete` answers. */
const answer = z.object({ affected: z.number() });

function bossAt(uri: string, max: number): PgBoss {
  // No background work during a measurement: nothing of it helps throughput. `supervise()` called by hand looks for
  // expired jobs at most once per monitor interval.
  const background = { supervise: false, schedule: false, monitorVacuum: false, monitorIntervalSeconds: 1 };
  const boss = new PgBoss({ connectionString: uri, max, ...background });
  boss.on('error', () => undefined);
  return boss;
}

async function drain(place: BenchDatabase, { mode, isPooled, jobs }: DrainPlan): Promise<number> {
  const { loops, batchSize, max } = PLANS[mode];
  const boss = bossAt(isPooled ? place.pooled : place.direct, max);
  const meter = new Meter(jobs);
  const handle = async () => meter.hit();
  let committed = 0;
  const loop = async () => {
    while (!meter.isFull()) {
      const claimed = await boss.fetch(QUEUE, { batchSize });
      if (claimed.length === 0) return;
      await Promise.all(claimed.map(handle));
      // Jobs instead of ids: that is what its own workers do, and guards the completion by the attempt.
      await boss.complete(QUEUE, claimed);
      committed += claimed.length;
    }
  };
  try {
    await boss.start();
    const loopsDone = Promise.all(Array.from({ length: loops }, loop));
    const tookMs = await meter.finished(async () => committed >= jobs);
    await loopsDone;
    return tookMs;
  } finally {
    await boss.stop({ graceful: false, close: true });
  }
}

const payloads = (jobs: number) => Array.from({ length: jobs }, (_, at) => ({ data: { at } }));

async function zombies(boss: PgBoss, jobs: number, isGuarded: boolean): Promise<number> {
  await boss.insert(ZOMBIES, payloads(jobs));
  const lost = await boss.fetch(ZOMBIES, { batchSize: jobs });
  const held: typeof lost = [];
  while (held.length < jobs) {
    await sleep(500);
    await boss.supervise(ZOMBIES);
    held.push(...(await boss.fetch(ZOMBIES, { batchSize: jobs })));
  }
  const response = await boss.complete(ZOMBIES, isGuarded ? lost : lost.map(({ id }) => id));
  await boss.deleteAllJobs(ZOMBIES);
  return answer.parse(response).affected;
}

async function countZombies(boss: PgBoss, jobs: number): Promise<ZombieCount> {
  await boss.createQueue(ZOMBIES, { expireInSeconds: 3, retryLimit: 5, retryDelay: 0 });
  return { accepted: await zombies(boss, jobs, false), acceptedWithGuard: await zombies(boss, jobs, true) };
}

/** pg-boss by its public `fetch` and `complete`, without the pauses of its polling workers. */
export async function openPgBoss(place: BenchDatabase): Promise<QueueSystem> {
  const boss = bossAt(place.direct, 5);
  await boss.start();
  await boss.createQueue(QUEUE, { partition: true });
  const words = ({ loops, batchSize, max }: (typeof PLANS)['single']) =>
    `fetch and complete in ${loops} loops without pause, batchSize ${batchSize}, ${max} connections, partitioned queue, no supervision`;
  return {
    name: 'pg-boss',
    settings: { single: words(PLANS.single), batched: words(PLANS.batched) },
    fill: async (jobs) => {
      await boss.deleteAllJobs(QUEUE);
      for (let from = 0; from < jobs; from += 5_000) await boss.insert(QUEUE, payloads(Math.min(5_000, jobs - from)));
      await place.asSuperuser('VACUUM (ANALYZE)');
    },
    drain: (plan) => drain(place, plan),
    zombies: (jobs) => countZombies(boss, jobs),
    close: () => boss.stop({ graceful: false, close: true }),
  };
}
