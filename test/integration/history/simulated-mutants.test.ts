import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ElectionEvent, Step } from '../../../agent/leader/election-state.ts';
import { SIM_MUTANTS, type SimMutant } from '../../support/history/mutants.ts';
import { rewriteSql } from '../../support/history/sim-link.ts';
import { type Episode, runEpisode } from '../../support/history/simulation.ts';
import { installWitness } from '../../support/history/witness.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

/** Each wrong way of electing and fencing is told from the product by its history, under the same seeds. */

type Reducer = NonNullable<SimMutant['reducer']>;
const chosen = vi.hoisted(() => ({ reducer: undefined as string | undefined }));

vi.mock(import('../../../agent/leader/election-state.ts'), async (original) => {
  const actual = await original();
  const wrong: Record<Reducer, typeof actual.nextElection> = {
    'trust from the answer': (state, event, times) => actual.nextElection(state, answerAsStart(event), times),
    'count from the start': (state, event, times) => actual.nextElection(state, readAtItsStart(event), times),
    'release first': (state, event, times) => releaseFirst(actual.nextElection(state, event, times)),
  };
  return {
    ...actual,
    nextElection: (...step) => (wrong[chosen.reducer as Reducer] ?? actual.nextElection)(...step),
  };
});

function answerAsStart(event: ElectionEvent): ElectionEvent {
  if (event.kind !== 'renewed' && event.kind !== 'take-over-won') return event;
  return { ...event, attempt: { ...event.attempt, startedMs: event.attempt.endedMs } };
}

function readAtItsStart(event: ElectionEvent): ElectionEvent {
  if (event.kind !== 'lease-read') return event;
  return { ...event, attempt: { ...event.attempt, endedMs: event.attempt.startedMs } };
}

function releaseFirst(step: Step): Step {
  const { state, commands } = step;
  if (state.state !== 'stepping-down' || !state.release) return step;
  const release = { kind: 'release' as const, term: state.term, why: state.why };
  return { state: { ...state, release: false }, commands: [release, ...commands] };
}

/** Seeds to try at most; all but one mutant are caught by the first two. */
const MOST_SEEDS = 30;

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase({ maxConnections: 1 });
  await installWitness(test.database);
});
afterAll(() => test.drop());

async function runMutant(mutant: SimMutant, seed: number): Promise<Episode> {
  const { fault, alternatives, rewrite = (text) => text, reducer, lastsMs } = mutant;
  chosen.reducer = reducer;
  try {
    return await runEpisode(rewriteSql(test.database, rewrite), {
      seed,
      fault,
      works: false,
      ...(alternatives && { alternatives }),
      ...(lastsMs && { lastsMs }),
    });
  } finally {
    chosen.reducer = undefined;
  }
}

describe('the history of simulated nodes gives away that', () => {
  it.each(SIM_MUTANTS)('$name', async (mutant) => {
    for (let seed = 1; seed <= MOST_SEEDS; seed++) {
      const product = { name: 'product', breaks: mutant.breaks, fault: mutant.fault, ...timesOf(mutant) };
      expect((await runMutant(product, seed)).violations).toEqual([]);
      const { violations } = await runMutant(mutant, seed);
      if (violations.some(({ rule }) => rule === mutant.breaks)) return;
    }
    expect.fail(`no seed up to ${MOST_SEEDS} gave it away`);
  });
});

const timesOf = ({ lastsMs }: SimMutant) => (lastsMs === undefined ? {} : { lastsMs });
