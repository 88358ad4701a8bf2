import type { UpdateMemory } from './update-memory.ts';

/** What a start of the program means after an update. Pure. */

/** A new version that was started this often without its agent ever having been ready is not started again. */
export const MOST_STARTS = 3;

/** How this run begins. */
export type UpdateStart =
  | { kind: 'usual' }
  | { kind: 'confirming'; version: string; turn: number | null }
  | { kind: 'rolling-back'; version: string; turn: number | null; why: string };

/** What is to be remembered from this start on, and how it begins. `nowMs` is the wall clock, a label. */
export function planStart(
  memory: UpdateMemory,
  version: string,
  nowMs: number,
): { memory: UpdateMemory; start: UpdateStart } {
  const { pending } = memory;
  if (pending === null) return { memory, start: { kind: 'usual' } };
  const { from, to, turn, why } = pending;
  const isNew = version === to;
  if (pending.phase === 'installing' && isNew) return confirm(memory, pending);
  const usual = { kind: 'usual' } as const;
  const ended = { version: to, from, atMs: nowMs };
  if (pending.phase === 'installing') {
    const words = 'The installer ended without having replaced the program.';
    const last = { ...ended, outcome: 'not-installed' as const, why: words };
    const report = { turn, outcome: 'given-up' as const, version: to };
    return { memory: { pending: null, failed: withFailed(memory, to), last, report }, start: usual };
  }
  const outcome = isNew ? ('failed' as const) : ('rolled-back' as const);
  const words = isNew ? `${why} Going back to version ${from} did not work either; install it by hand.` : why;
  return {
    memory: {
      pending: null,
      failed: withFailed(memory, to),
      last: { ...ended, outcome, why: words },
      report: { turn, outcome: 'failed', version: to },
    },
    start: usual,
  };
}

function confirm(memory: UpdateMemory, pending: NonNullable<UpdateMemory['pending']>) {
  const { to: version, turn } = pending;
  const starts = pending.starts + 1;
  const kept = { ...memory, pending: { ...pending, starts } };
  if (starts <= MOST_STARTS) return { memory: kept, start: { kind: 'confirming' as const, version, turn } };
  const why = `It was started ${MOST_STARTS} times and its agent was never ready.`;
  return { memory: kept, start: { kind: 'rolling-back' as const, version, turn, why } };
}

const MOST_FAILED = 20;

/** Versions that failed here, with one more. */
export function withFailed({ failed }: UpdateMemory, version: string): string[] {
  return [...failed.filter((other) => other !== version), version].slice(-MOST_FAILED);
}
