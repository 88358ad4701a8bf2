import { z } from 'zod';

// Waiting for results of a watch folder. Pure: what was seen and when comes in, what to do goes out. Times are those of the
// wall clock, because waiting goes on across restarts and on other nodes; a clock that went back starts the wait for quiet anew.

/** What a waiting job remembers between looks, in its checkpoint. */
export const watchStateSchema = z.object({
  linkedAtMs: z.number(),
  /** How each result looked when it was first seen like this. */
  seen: z.record(z.string(), z.object({ sizeBytes: z.number(), mtimeMs: z.number(), sinceMs: z.number() })),
});
/** What a waiting job remembers between looks. */
export type WatchState = z.infer<typeof watchStateSchema>;

/** A result as it looks now. */
export interface SeenFile {
  /** Absolute path. */
  path: string;
  kind: 'proxy' | 'keyframe' | 'keyframe-map';
  sizeBytes: number;
  mtimeMs: number;
}

/** One look. */
export interface Look {
  nowMs: number;
  files: readonly SeenFile[];
}

/** What to do after a look. */
export type WatchStep =
  | { kind: 'wait'; state: WatchState; afterMs: number }
  | { kind: 'ready'; proxy: SeenFile; keyframes: SeenFile[]; keyframeMap: SeenFile | null }
  | { kind: 'timed-out' };

/** Longest time between looks: a result should not lie about. */
const LONGEST_WAIT_MS = 15_000;

/** What was seen before, with what is seen now: unchanged files keep the time since when they look so. */
function remember(state: WatchState, { nowMs, files }: Look): WatchState['seen'] {
  return Object.fromEntries(
    files.map(({ path, sizeBytes, mtimeMs }) => {
      const before = state.seen[path];
      const isSame = before?.sizeBytes === sizeBytes && before.mtimeMs === mtimeMs && before.sinceMs <= nowMs;
      return [path, { sizeBytes, mtimeMs, sinceMs: isSame ? before.sinceMs : nowMs }];
    }),
  );
}

/**
 * The next step: ready when a proxy and all pictures beside it have been quiet for `growMs`, timed out when no proxy appeared
 * within `timeoutMs` of the link; a proxy that still grows then is waited for as long again.
 */
export function nextWatchStep(state: WatchState, look: Look, limits: { growMs: number; timeoutMs: number }): WatchStep {
  const { nowMs } = look;
  const files = look.files.filter(({ sizeBytes }) => sizeBytes > 0);
  // A clock that went back must not make the wait endless.
  const linkedAtMs = Math.min(state.linkedAtMs, nowMs);
  const next: WatchState = { linkedAtMs, seen: remember(state, { nowMs, files }) };
  const proxy = files.filter(({ kind }) => kind === 'proxy').toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
  const isQuiet = files.every(({ path }) => nowMs - (next.seen[path]?.sinceMs ?? nowMs) >= limits.growMs);
  if (proxy && isQuiet) {
    const keyframes = files.filter(({ kind }) => kind === 'keyframe').toSorted((a, b) => (a.path < b.path ? -1 : 1));
    return { kind: 'ready', proxy, keyframes, keyframeMap: files.find(({ kind }) => kind === 'keyframe-map') ?? null };
  }
  const patienceMs = proxy ? limits.timeoutMs * 2 : limits.timeoutMs;
  if (nowMs - linkedAtMs >= patienceMs) return { kind: 'timed-out' };
  return { kind: 'wait', state: next, afterMs: Math.min(limits.growMs, LONGEST_WAIT_MS) };
}
