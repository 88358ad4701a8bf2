import type { AppState } from '../../preload/contract/app-state.ts';

/** Older data than this say how old they are (ui brief, principle 1). */
const FRESH_MS = 5_000;

/** How far the snapshot may be believed now. */
export type Freshness =
  /** From a running agent, at most 5 s old. */
  | { kind: 'live' }
  /** From a running agent that has sent nothing new for a while. */
  | { kind: 'old'; ageMs: number }
  /** The agent does not run or does not answer; the snapshot says what was, not what is. `ageMs` null = no snapshot. */
  | { kind: 'down'; ageMs: number | null }
  /** The agent runs and has not sent its first snapshot yet. */
  | { kind: 'none' };

/** Judges the age of what the window shows. */
export function freshness(state: AppState, nowMs: number): Freshness {
  const ageMs = state.snapshot === null ? null : Math.max(0, nowMs - state.snapshot.atMs);
  if (state.agent.state !== 'running') return { kind: 'down', ageMs };
  if (ageMs === null) return { kind: 'none' };
  return ageMs > FRESH_MS ? { kind: 'old', ageMs } : { kind: 'live' };
}

/** Whether statuses may be shown as they are; otherwise they are the last known ones, and "unknown" now. */
export function isBelievable(fresh: Freshness): boolean {
  return fresh.kind === 'live' || fresh.kind === 'old';
}
