import type { Clock } from '../runtime/clock.ts';

/**
 * Calls that wait while nothing at all has been answered for this long mean that iconik is lost: a connection that fell
 * silent (a firewall that drops, a cable pulled behind a switch) would else be noticed only at the calls' own time limit.
 * One slow call among others that are answered means nothing.
 */
const SILENCE_MS = 3_500;
/** A longer gap between two looks was a pause of this process (suspend, starved machine); answers may be waiting to be read. */
const MAX_LOOK_GAP_MS = 1_500;

/** Knows how long calls have waited without any answer. */
export interface SilenceWatch {
  /** A call leaves; the function is to be called when it has ended, with whether iconik answered. */
  waits(): (wasHeard: boolean) => void;
  /** Milliseconds of silence once that is too long, else null. Only a watch that is asked at least every 1.5 s counts. */
  tooLongMs(): number | null;
}

/** A watch by the given monotonic clock. */
export function createSilenceWatch(clock: Clock): SilenceWatch {
  let heardMs = Number.NEGATIVE_INFINITY;
  let lookedMs = Number.NEGATIVE_INFINITY;
  /** Start of each call on its way, in the order of the starts. */
  const waiting = new Map<object, number>();
  return {
    waits() {
      const call = {};
      waiting.set(call, clock.monotonicMs());
      return (wasHeard) => {
        waiting.delete(call);
        if (wasHeard) heardMs = clock.monotonicMs();
      };
    },
    tooLongMs() {
      const nowMs = clock.monotonicMs();
      if (nowMs - lookedMs > MAX_LOOK_GAP_MS) heardMs = nowMs;
      lookedMs = nowMs;
      const [oldestMs] = waiting.values();
      if (oldestMs === undefined) return null;
      const silentMs = nowMs - Math.max(oldestMs, heardMs);
      return silentMs < SILENCE_MS ? null : silentMs;
    },
  };
}
