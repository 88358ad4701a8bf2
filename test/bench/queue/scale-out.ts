import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { rounded } from '../statistics.ts';
import { NodeFleet } from './node-fleet.ts';
import { benchJob } from './our-runner.ts';
import type { BenchServer } from './server.ts';

const SLOTS = 4;
const WORK_MS = 1_000;
const JOBS = 120;

/** How nodes share one queue. */
export interface ScaleOutFigures {
  /** Jobs that each of three nodes ran. */
  shares: number[];
  /** From the moment a fourth node had registered until all its slots had a job, milliseconds. */
  fourthNodeMs: number;
}

async function enqueue(fleet: NodeFleet, from: number, jobs: number): Promise<void> {
  await enqueueJobs(
    fleet.database,
    Array.from({ length: jobs }, (_, at) => benchJob(from + at)),
  );
}

/** Lets three nodes share 120 jobs of a second each, then lets a fourth join while more are queued. */
export async function measureScaleOut(server: BenchServer, say: (words: string) => void): Promise<ScaleOutFigures> {
  const fleet = await NodeFleet.create(server, 'scale_out');
  const names = ['a', 'b', 'c'];
  try {
    for (const name of names) fleet.spawn({ name, slots: SLOTS, workMs: WORK_MS });
    for (const name of names) await fleet.until(`node ${name} is ready`, () => fleet.readyMs(name));
    await enqueue(fleet, 0, JOBS);
    const starts = await fleet.until('all jobs were started', async () => {
      const seen = await fleet.starts();
      return seen.length >= JOBS ? seen : null;
    });
    const shares = names.map((name) => starts.filter(({ node }) => node === name).length);
    await enqueue(fleet, JOBS, JOBS);
    fleet.spawn({ name: 'd', slots: SLOTS, workMs: WORK_MS });
    const readyMs = await fleet.until('the fourth node is ready', () => fleet.readyMs('d'));
    const full = await fleet.until('the fourth node is full', async () => {
      const own = (await fleet.starts()).filter(({ node }) => node === 'd');
      return own[SLOTS - 1];
    });
    const figures = { shares, fourthNodeMs: rounded(full.at_ms - readyMs) };
    say(`scale-out: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await fleet.close();
  }
}
