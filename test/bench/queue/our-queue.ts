import { z } from 'zod';
import { enqueueJobs, freeExpiredJobs } from '../../../agent/db/queries/job.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { benchJob, createOurRunner, lanesOf, newOwner, openDatabase, REACH } from './our-runner.ts';
import { type DrainPlan, Meter, type QueueSystem, type ZombieCount } from './queue-system.ts';
import type { BenchDatabase } from './server.ts';

const SLOTS = { single: 24, batched: 1_500 };
const UNFINISHED = `SELECT EXISTS (SELECT 1 FROM job WHERE state = 'leased')
  OR EXISTS (SELECT 1 FROM job WHERE state = 'queued') AS unfinished`;

const isEmpty = async (database: Database) => {
  const [row] = await database.query(UNFINISHED, [], z.object({ unfinished: z.boolean() }));
  return row?.unfinished === false;
};

/** Puts jobs into our queue, as leader work does. */
async function fillOurs(database: Database, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += 1_000) {
    const some = Array.from({ length: Math.min(1_000, jobs - from) }, (_, at) => benchJob(from + at));
    await enqueueJobs(database, some);
  }
}

async function drain(place: BenchDatabase, { mode, isPooled, jobs }: DrainPlan): Promise<number> {
  const database = openDatabase(isPooled ? place.pooled : place.direct);
  const watcher = openDatabase(place.direct);
  const meter = new Meter(jobs);
  const runner = createOurRunner({ database, slots: SLOTS[mode], work: () => meter.hit() });
  try {
    await runner.start();
    return await meter.finished(() => isEmpty(watcher));
  } finally {
    await runner.stop();
    await Promise.all([database.close(), watcher.close()]);
  }
}

async function zombies(database: Database, jobs: number): Promise<ZombieCount> {
  const [dead, living] = [newOwner(), newOwner()];
  const [deadStore, livingStore] = [createPgJobStore(database, dead), createPgJobStore(database, living)];
  const lost = await deadStore.claim(lanesOf(jobs), { ...REACH, visibilityTimeoutS: 1 });
  while ((await freeExpiredJobs(database)) < lost.length) await new Promise((resolve) => setTimeout(resolve, 100));
  const held = await livingStore.claim(lanesOf(jobs), REACH);
  if (lost.length !== jobs || held.length !== jobs) throw new Error('not every job changed hands');
  let accepted = 0;
  const completeAll = (store: typeof deadStore, leases: typeof lost, onEnded: () => void) =>
    Promise.all(
      leases.map(async (lease) => {
        if ((await store.end(lease, { state: 'done', result: {} })) === 'ended') onEnded();
      }),
    );
  for (let from = 0; from < jobs; from += 100) {
    await completeAll(deadStore, lost.slice(from, from + 100), () => accepted++);
  }
  let kept = 0;
  for (let from = 0; from < jobs; from += 100) {
    await completeAll(livingStore, held.slice(from, from + 100), () => kept++);
  }
  if (kept + accepted !== jobs) throw new Error(`the living worker could end ${kept} of ${jobs} jobs`);
  return { accepted };
}

/** The product's queue: its runner, store and database adapter with their defaults. */
export async function openOurQueue(place: BenchDatabase): Promise<QueueSystem> {
  const database = openDatabase(place.direct);
  return {
    name: 'ours',
    settings: {
      single: `JobRunner, ${SLOTS.single} slots, default pool (10 connections)`,
      batched: `JobRunner, ${SLOTS.batched} slots, default pool (10 connections)`,
    },
    fill: async (jobs) => {
      await fillOurs(database, jobs);
      await place.asSuperuser('VACUUM (ANALYZE) isg.job');
    },
    drain: (plan) => drain(place, plan),
    zombies: async (jobs) => {
      await fillOurs(database, jobs);
      return zombies(database, jobs);
    },
    close: () => database.close(),
  };
}
