import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, makeWorkerUtils, type Runner, run, type Task, type WorkerUtils } from 'graphile-worker';
import { type DrainPlan, Meter, type QueueSystem, type ZombieCount } from './queue-system.ts';
import type { BenchDatabase } from './server.ts';

/** `batched` is the configuration of its page on performance; README.md tells the rest. */
const BATCHED = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const PLANS = { single: {}, batched: BATCHED };
const TASK = 'bench';
const JOBS = 'graphile_worker._private_jobs';
const logger = new Logger(() => () => undefined);

interface Pool {
  uri: string;
  isPooled: boolean;
  concurrentJobs: number;
  settings: Partial<GraphileConfig.WorkerOptions>;
}

const startPool = ({ uri, isPooled, concurrentJobs, settings }: Pool, task: Task): Promise<Runner> =>
  run({
    taskList: { [TASK]: task },
    noHandleSignals: true,
    preset: {
      worker: {
        connectionString: uri,
        concurrentJobs,
        maxPoolSize: 12,
        preparedStatements: !isPooled,
        logger,
        ...settings,
      },
    },
  });

async function drain(place: BenchDatabase, { mode, isPooled, jobs }: DrainPlan): Promise<number> {
  const uri = isPooled ? place.pooled : place.direct;
  const meter = new Meter(jobs);
  const runner = await startPool({ uri, isPooled, concurrentJobs: 24, settings: PLANS[mode] }, async () => meter.hit());
  try {
    return await meter.finished(async () => (await rowsLeft(place)) === 0);
  } finally {
    await runner.stop();
  }
}

async function rowsLeft(place: BenchDatabase): Promise<number> {
  const [row] = await place.asSuperuser(`SELECT count(*)::int AS jobs FROM ${JOBS}`);
  return Number(row?.jobs);
}

const payloads = (jobs: number) => Array.from({ length: jobs }, (_, at) => ({ identifier: TASK, payload: { at } }));

/** A pool of workers whose tasks wait until they are let go. */
async function startHolding(place: BenchDatabase, jobs: number) {
  const [taken, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const lockedBy = new Set<string>();
  let held = 0;
  const pool = { uri: place.direct, isPooled: false, concurrentJobs: jobs, settings: BATCHED };
  const runner = await startPool(pool, async (_payload, { job }) => {
    if (job.locked_by !== null) lockedBy.add(job.locked_by);
    if (++held === jobs) taken.resolve();
    await gate.promise;
  });
  return { runner, lockedBy, allTaken: taken.promise, letGo: () => gate.resolve() };
}

async function zombies(place: BenchDatabase, utils: WorkerUtils, jobs: number): Promise<ZombieCount> {
  const former = await startHolding(place, jobs);
  await former.allTaken;
  // What its own recovery does after four hours, by its public call.
  await utils.forceUnlockWorkers([...former.lockedBy]);
  const present = await startHolding(place, jobs);
  await present.allTaken;
  former.letGo();
  await former.runner.stop();
  await sleep(500);
  const accepted = jobs - (await rowsLeft(place));
  present.letGo();
  await present.runner.stop();
  await place.asSuperuser(`TRUNCATE ${JOBS}`);
  return { accepted };
}

/** graphile-worker by its public `run` with a preset. */
export async function openGraphileWorker(place: BenchDatabase): Promise<QueueSystem> {
  const utils = await makeWorkerUtils({ connectionString: place.direct, logger });
  await utils.migrate();
  const fill = async (jobs: number) => {
    for (let from = 0; from < jobs; from += 5_000) await utils.addJobs(payloads(Math.min(5_000, jobs - from)));
  };
  return {
    name: 'graphile-worker',
    settings: {
      single: 'concurrentJobs 24, maxPoolSize 12, no local queue, no batching of completions',
      batched: `concurrentJobs 24, maxPoolSize 12, ${JSON.stringify(BATCHED)}`,
    },
    fill: async (jobs) => {
      await fill(jobs);
      await place.asSuperuser('VACUUM (ANALYZE)');
    },
    drain: (plan) => drain(place, plan),
    zombies: async (jobs) => {
      await fill(jobs);
      return zombies(place, utils, jobs);
    },
    close: async () => utils.release(),
  };
}
