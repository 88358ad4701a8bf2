import { setTimeout as sleep } from 'node:timers/promises';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { percentile, rounded } from '../statistics.ts';
import { benchJob, createOurRunner, openDatabase } from './our-runner.ts';
import type { BenchDatabase } from './server.ts';

const NODES = 3;
const SLOTS = 4;
const JOBS = 250;

/** Enqueue → start with idle nodes that poll, milliseconds; and how often each node polled. */
export interface EnqueueStartFigures {
  p50: number;
  p99: number;
  pollsPerSecondPerNode: number;
}

/** Enqueues single jobs at random moments for idle nodes, and takes the time until one of them runs the handler. */
export async function measureEnqueueStart(
  place: BenchDatabase,
  say: (words: string) => void,
): Promise<EnqueueStartFigures> {
  const databases = Array.from({ length: NODES + 1 }, () => openDatabase(place.direct));
  const [producer, ...ofNodes] = databases;
  if (!producer) throw new Error('no database');
  let polls = 0;
  const runs = new Map<number, PromiseWithResolvers<number>>();
  const runners = ofNodes.map((database) =>
    createOurRunner({
      database,
      slots: SLOTS,
      onClaim: () => void polls++,
      work: (at) => runs.get(at)?.resolve(performance.now()),
    }),
  );
  const tookMs: number[] = [];
  try {
    for (const runner of runners) await runner.start();
    // Looks of idle nodes only: a node that has just ended a job looks at once.
    polls = 0;
    await sleep(5_000);
    const pollsPerSecondPerNode = rounded(polls / 5 / NODES, 1);
    for (let at = 0; at < JOBS; at++) {
      const run = Promise.withResolvers<number>();
      runs.set(at, run);
      await sleep(Math.random() * 300);
      const startedMs = performance.now();
      await enqueueJobs(producer, [benchJob(at)]);
      tookMs.push((await run.promise) - startedMs);
    }
    const figures = {
      p50: rounded(percentile(tookMs, 0.5)),
      p99: rounded(percentile(tookMs, 0.99)),
      pollsPerSecondPerNode,
    };
    say(`enqueue to start: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await Promise.all(runners.map((runner) => runner.stop()));
    await Promise.all(databases.map((database) => database.close()));
  }
}
