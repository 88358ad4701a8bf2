import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAULTS, type FaultName } from '../../support/history/sim-faults.ts';
import { runEpisode } from '../../support/history/simulation.ts';
import { installWitness } from '../../support/history/witness.ts';
import { isLong } from '../../support/long-version.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const SEEDS_PER_FAULT = isLong ? 60 : 3;

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase({ maxConnections: 1 });
  await installWitness(test.database);
});
afterAll(() => test.drop());

describe('simulated clusters on the real SQL keep every promise', () => {
  it.each(Object.keys(FAULTS) as FaultName[])('under the fault "%s"', async (fault) => {
    let leaderships = 0;
    for (let seed = 1; seed <= SEEDS_PER_FAULT; seed++) {
      const episode = await runEpisode(test.database, { seed, fault, works: seed % 3 === 1 });
      expect(
        episode.violations.map(({ words }) => words),
        `seed ${seed}`,
      ).toEqual([]);
      leaderships += episode.leaderships;
    }
    expect(leaderships).toBeGreaterThanOrEqual(SEEDS_PER_FAULT);
  });

  it('tells the same story for the same seed', async () => {
    const first = await runEpisode(test.database, { seed: 5, fault: 'rough weather' });
    const second = await runEpisode(test.database, { seed: 5, fault: 'rough weather' });
    const told = ({ events }: typeof first) => events.map(({ kind, run, atMs }) => `${atMs} ${run} ${kind}`);
    expect(told(second)).toEqual(told(first));
  });
});
