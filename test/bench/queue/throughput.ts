import type { DrainPlan, QueueSystem } from './queue-system.ts';
import { median, rounded } from './statistics.ts';

const ROUNDS = 5;

/** Jobs per second by system. */
export type Throughput = Record<QueueSystem['name'], number>;

/** Works off the same number of jobs with each system in turn, round after round; answers the medians. */
export async function measureThroughput(
  systems: readonly QueueSystem[],
  plan: DrainPlan,
  say: (words: string) => void,
): Promise<Throughput> {
  const seen = new Map<QueueSystem['name'], number[]>(systems.map(({ name }) => [name, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    // Every other round the other way round, so that nobody always follows the same neighbour.
    for (const system of round % 2 === 1 ? systems : systems.toReversed()) {
      await system.fill(plan.jobs);
      const perSecond = (plan.jobs * 1_000) / (await system.drain(plan));
      seen.get(system.name)?.push(perSecond);
      say(`${plan.mode}${plan.isPooled ? ' through pgBouncer' : ''} ${round}: ${system.name} ${rounded(perSecond)}/s`);
    }
  }
  const of = (name: QueueSystem['name']) => rounded(median(seen.get(name) ?? []));
  return { ours: of('ours'), 'pg-boss': of('pg-boss'), 'graphile-worker': of('graphile-worker') };
}
