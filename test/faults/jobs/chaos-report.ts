import type { Fault } from './chaos-plan.ts';
import { judge, type Standing } from './ledger.ts';
import { type Note, notesOf } from './node-notes.ts';

/** What a chaos run came to. */
export interface ChaosReport {
  jobs: number;
  /** How jobs ended. */
  states: Record<string, number>;
  faults: Record<string, number>;
  /** Handlers begun. */
  starts: number;
  /** Freed jobs that their runner took back under a new token. */
  takenBack: number;
  /** Ends offered under a token that was the row's no more. */
  refusedEnds: number;
  /** Effects outside of the database, and how many of them were repeated because their node died before the end was stored. */
  external: { effects: number; repeated: number };
}

const count = (words: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]));

/** Counts. */
export function reportOf(jobs: readonly Standing[], faults: readonly Fault[], notes: readonly Note[]): ChaosReport {
  const effects = notesOf(notes, 'effect');
  return {
    jobs: jobs.length,
    states: count(jobs.map(({ state }) => state)),
    faults: count(faults.map((fault) => (fault.kind === 'database' ? `database ${fault.how}` : fault.kind))),
    starts: notesOf(notes, 'start').length,
    takenBack: notesOf(notes, 'news').filter(({ news }) => news === 'token').length,
    refusedEnds: notesOf(notes, 'end').filter(({ verdict }) => verdict === 'lost').length,
    external: { effects: effects.length, repeated: effects.length - new Set(effects.map(({ at }) => at)).size },
  };
}

/**
 * All that must not be, in words: jobs lost or taking effect twice, two accepted completions of one job, and effects outside
 * of the database under a token that was confirmed although a later attempt had begun before.
 */
export function findWrong(
  jobs: readonly Standing[],
  notes: readonly Note[],
  given: { expected: number; cancelled: ReadonlySet<string> },
): string[] {
  const wrong = judge(jobs, given.expected, given.cancelled);
  const completions = notesOf(notes, 'end').filter(({ state, verdict }) => state === 'done' && verdict === 'ended');
  for (const [jobId, all] of Map.groupBy(completions, (note) => note.jobId)) {
    const tokens = new Set(all.map(({ token }) => token));
    if (tokens.size > 1)
      wrong.push(`completions of job ${jobId} were accepted under the tokens ${[...tokens].join(', ')}`);
  }
  const starts = Map.groupBy(notesOf(notes, 'start'), ({ at }) => at);
  for (const { at, token, confirmMs, node } of notesOf(notes, 'effect')) {
    const later = starts.get(at)?.find((start) => BigInt(start.token) > BigInt(token) && start.atMs < confirmMs);
    if (later)
      wrong.push(`job ${at} took effect on ${node} under ${token} although ${later.node} ran it under ${later.token}`);
  }
  const done = new Set(jobs.filter(({ how, state }) => how === 'external' && state === 'done').map(({ at }) => at));
  for (const { at } of notesOf(notes, 'effect')) done.delete(at);
  for (const at of done) wrong.push(`job ${at} is done without its external effect`);
  return wrong;
}
