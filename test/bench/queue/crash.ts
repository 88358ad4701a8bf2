import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { median, percentile, rounded } from '../statistics.ts';
import { NodeFleet } from './node-fleet.ts';
import { benchJob } from './our-runner.ts';
import type { BenchServer } from './server.ts';

const WAVES = 3;
const VICTIMS = 6;
const RESTARTS = 5;
/** Jobs are to be lost by the kill, never done. */
const WORK_MS = 3_600_000;

/** SIGKILL until the job runs again, milliseconds. */
export interface CrashFigures {
  elsewhereMs: { p50: number; p99: number };
  /** From the start of the new process of the same installation. */
  ownRestartMs: { p50: number; max: number };
  episodes: number;
}

async function jobsRunning(fleet: NodeFleet, from: number, jobs: number): Promise<Map<string, number>> {
  return fleet.until('every victim runs a job', async () => {
    const starts = (await fleet.starts()).filter(({ job }) => job >= from);
    const byNode = new Map(starts.map(({ node, job }) => [node, job]));
    return byNode.size === jobs ? byNode : null;
  });
}

/** Kills nodes at moments of their own while one survivor has slots for all their jobs. */
async function wave(fleet: NodeFleet, number: number): Promise<number[]> {
  const names = Array.from({ length: VICTIMS }, (_, at) => `victim ${number}.${at}`);
  for (const name of names) fleet.spawn({ name, slots: 1, workMs: WORK_MS });
  const from = number * 1_000;
  await enqueueJobs(
    fleet.database,
    names.map((_, at) => benchJob(from + at)),
  );
  const jobs = await jobsRunning(fleet, from, VICTIMS);
  const survivor = `survivor ${number}`;
  fleet.spawn({ name: survivor, slots: VICTIMS, workMs: WORK_MS });
  await fleet.until('the survivor is ready', () => fleet.readyMs(survivor));
  const killedMs = new Map<number, number>();
  for (const [name, job] of jobs) {
    await sleep(300 + Math.random() * 400);
    killedMs.set(job, await fleet.nowMs());
    await fleet.kill(name);
  }
  const tookMs = await fleet.until('all jobs run on the survivor', async () => {
    const taken = (await fleet.starts()).filter(({ job, node }) => job >= from && node === survivor);
    return taken.length < VICTIMS ? null : taken.map(({ job, at_ms }) => at_ms - (killedMs.get(job) ?? Number.NaN));
  });
  await fleet.kill(survivor);
  await fleet.database.execute(`UPDATE job SET state = 'done' WHERE state <> 'done'`, []);
  return tookMs;
}

async function restart(fleet: NodeFleet, number: number): Promise<number> {
  const node = { name: `restarted ${number}`, slots: 1, workMs: WORK_MS, workerId: randomUUID() };
  fleet.spawn(node);
  await enqueueJobs(fleet.database, [benchJob(100_000 + number)]);
  const startsOf = async () => (await fleet.starts()).filter(({ job }) => job === 100_000 + number);
  await fleet.until('the job runs', async () => (await startsOf())[0]);
  await fleet.kill(node.name);
  const spawnedMs = await fleet.nowMs();
  fleet.spawn(node);
  const again = await fleet.until('the job runs again', async () => (await startsOf())[1]);
  await fleet.kill(node.name);
  await fleet.database.execute(`UPDATE job SET state = 'done' WHERE state <> 'done'`, []);
  return again.at_ms - spawnedMs;
}

/** SIGKILL of workers whose jobs have an hour of `visibility_timeout` left. */
export async function measureCrash(server: BenchServer, say: (words: string) => void): Promise<CrashFigures> {
  const fleet = await NodeFleet.create(server, 'crash');
  try {
    const elsewhere: number[] = [];
    for (let number = 1; number <= WAVES; number++) elsewhere.push(...(await wave(fleet, number)));
    const own: number[] = [];
    for (let number = 1; number <= RESTARTS; number++) own.push(await restart(fleet, number));
    const figures = {
      elsewhereMs: { p50: rounded(median(elsewhere)), p99: rounded(percentile(elsewhere, 0.99)) },
      ownRestartMs: { p50: rounded(median(own)), max: rounded(Math.max(...own)) },
      episodes: elsewhere.length,
    };
    say(`crash: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await fleet.close();
  }
}
