import type { Clock } from '../../../runtime/clock.ts';

/** A pause that a hint can cut short. A hint that comes while nobody waits makes the next pause end at once. */
export interface Wake {
  /** Ends the current or the next pause. */
  now(): void;
  /** Resolves after `ms`, at a hint, or when the signal fires; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** A pause of this process. */
export function createWake(clock: Pick<Clock, 'sleep'>): Wake {
  let isHinted = false;
  let current: AbortController | undefined;
  return {
    now() {
      isHinted = true;
      current?.abort();
    },
    async wait(ms, signal) {
      if (!isHinted && !signal.aborted) {
        current = new AbortController();
        // The rejection only says that the pause was cut short.
        await clock.sleep(ms, AbortSignal.any([signal, current.signal])).catch(() => undefined);
        current = undefined;
      }
      isHinted = false;
    },
  };
}
