import { median, rounded } from '../statistics.ts';
import type { DrainPlan, QueueSystem } from './queue-system.ts';

const ROUNDS = 5;
/** A drain should take about this long: long beside its edges, short beside the whole bench. */
const DRAIN_MS = 1_500;
const LEAST_JOBS = 300;
const MOST_JOBS = 40_000;

/** One line of a comparison: a system, directly or through pgBouncer. */
export interface Contestant {
  key: string;
  system: QueueSystem;
  isPooled: boolean;
}

async function jobsPerSecond({ system, isPooled }: Contestant, mode: DrainPlan['mode'], jobs: number): Promise<number> {
  await system.fill(jobs);
  return (jobs * 1_000) / (await system.drain({ mode, isPooled, jobs }));
}

/** Lets all work off jobs in turn, round after round, after one round to warm up; answers the median jobs/s by key. */
export async function measureThroughput(
  contestants: readonly Contestant[],
  mode: DrainPlan['mode'],
  say: (words: string) => void,
): Promise<Record<string, number>> {
  const plans: { contestant: Contestant; jobs: number; seen: number[] }[] = [];
  for (const contestant of contestants) {
    const warm = await jobsPerSecond(contestant, mode, mode === 'single' ? LEAST_JOBS : 2_000);
    const jobs = Math.round(Math.min(MOST_JOBS, Math.max(LEAST_JOBS, (warm * DRAIN_MS) / 1_000)));
    plans.push({ contestant, jobs, seen: [] });
  }
  for (let round = 1; round <= ROUNDS; round++) {
    // Every other round the other way round, so that nobody always follows the same neighbour.
    for (const { contestant, jobs, seen } of round % 2 === 1 ? plans : plans.toReversed()) {
      const rate = await jobsPerSecond(contestant, mode, jobs);
      seen.push(rate);
      say(`${mode} ${round}: ${contestant.key} ${rounded(rate)} jobs/s (${jobs} jobs)`);
    }
  }
  return Object.fromEntries(plans.map(({ contestant, seen }) => [contestant.key, rounded(median(seen))]));
}
