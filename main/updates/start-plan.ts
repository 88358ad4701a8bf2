import type { UpdateMemory } from './update-memory.ts';

/** What a start of the program means after an update. Pure. */

/** A new version that was started this often without its agent ever having been ready is not started again. */
export const MOST_STARTS = 3;
/** Going back may be interrupted (a power cut, an impatient person): so often it is begun. */
export const MOST_BACKS = 3;

/** How this run begins. */
export type UpdateStart =
  | { kind: 'usual' }
  /** `canGoBack`: the version before this one was kept. */
  | { kind: 'confirming'; version: string; turn: number | null; canGoBack: boolean }
  /** Before anything else of the application is begun: the version before this one takes its place (go-back.ts). */
  | { kind: 'rolling-back'; version: string; turn: number | null; why: string };

/** What a start comes to once going back is done with. */
export type RunStart = Exclude<UpdateStart, { kind: 'rolling-back' }>;

type Pending = NonNullable<UpdateMemory['pending']>;
type Planned = { memory: UpdateMemory; start: UpdateStart };

/** What is to be remembered from this start on, and how it begins. `nowMs` is the wall clock, a label. */
export function planStart(memory: UpdateMemory, version: string, nowMs: number): Planned {
  const { pending } = memory;
  if (pending === null) return { memory, start: { kind: 'usual' } };
  const { from, to, turn, why } = pending;
  if (version === to)
    return pending.phase === 'installing' ? confirm(memory, pending, nowMs) : back(memory, pending, nowMs);
  const usual = { kind: 'usual' } as const;
  const ended = { version: to, from, atMs: nowMs };
  const failed = withFailed(memory, to);
  if (pending.phase === 'installing') {
    const words = 'The installer ended without having replaced the program.';
    const last = { ...ended, outcome: 'not-installed' as const, why: words };
    return {
      memory: { pending: null, failed, last, report: { turn, outcome: 'given-up', version: to } },
      start: usual,
    };
  }
  const last = { ...ended, outcome: 'rolled-back' as const, why };
  return { memory: { pending: null, failed, last, report: { turn, outcome: 'failed', version: to } }, start: usual };
}

function confirm(memory: UpdateMemory, pending: Pending, nowMs: number): Planned {
  const { to: version, turn, old } = pending;
  const starts = pending.starts + 1;
  if (starts <= MOST_STARTS) {
    const kept = { ...memory, pending: { ...pending, starts } };
    return { memory: kept, start: { kind: 'confirming', version, turn, canGoBack: old !== null } };
  }
  const why = `It was started ${MOST_STARTS} times and its agent was never ready.`;
  return back(memory, { ...pending, starts, phase: 'rolling-back', why }, nowMs);
}

/** The new version runs and is to go: again when an earlier try was interrupted, but not for ever. */
function back(memory: UpdateMemory, pending: Pending, nowMs: number): Planned {
  const { to: version, turn, why } = pending;
  const backs = (pending.backs ?? 0) + 1;
  if (pending.old === null) return { memory: notBack(memory, pending, NOT_KEPT, nowMs), start: { kind: 'usual' } };
  if (backs > MOST_BACKS)
    return { memory: notBack(memory, pending, 'it was tried several times', nowMs), start: { kind: 'usual' } };
  return {
    memory: { ...memory, pending: { ...pending, backs } },
    start: { kind: 'rolling-back', version, turn, why },
  };
}

/** Why a version cannot be put back where none is kept. */
export const NOT_KEPT = 'it could not be kept on this computer';

/** What is remembered when the old version could not be put back, for the reason `hindrance`: the new one goes on. */
export function notBack(memory: UpdateMemory, pending: Pending, hindrance: string, nowMs: number): UpdateMemory {
  const { from, to: version, turn } = pending;
  const why = `${pending.why} Version ${from} was not put back: ${hindrance}. Install it by hand.`;
  return {
    pending: null,
    failed: withFailed(memory, version),
    last: { outcome: 'failed', version, from, why, atMs: nowMs },
    report: { turn, outcome: 'failed', version },
  };
}

const MOST_FAILED = 20;

/** Versions that failed here, with one more. */
export function withFailed({ failed }: UpdateMemory, version: string): string[] {
  return [...failed.filter((other) => other !== version), version].slice(-MOST_FAILED);
}
