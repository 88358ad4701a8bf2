import type { Leadership } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';

/** A wait that can be cut short, for one waiter. A wake that comes while nobody waits counts for the next wait. */
export class WakeableWait {
  readonly #clock: Clock;
  #woken = false;
  #cut: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the current wait, or the next one, at once. */
  wake(): void {
    this.#woken = true;
    this.#cut?.();
  }

  /** Resolves after `ms`, when woken, or when the signal fires; never rejects. Answers whether it was woken. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#woken && !signal.aborted) {
      const end = new AbortController();
      const cut = () => end.abort();
      this.#cut = cut;
      signal.addEventListener('abort', cut, { once: true });
      // The rejection of a cut sleep says nothing: the caller looks at its signal itself.
      await this.#clock.sleep(ms, end.signal).catch(() => undefined);
      signal.removeEventListener('abort', cut);
      this.#cut = null;
    }
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}

/** How often the list of storages is compared with the running loops. */
const STORAGES_EVERY_MS = 1000;

/** What a set of loops needs. */
export interface StorageLoops {
  leadership: Leadership;
  clock: Clock;
  /** Ids of the storages now; may change at any time. */
  storageIds(): readonly string[];
  /**
   * The loop of one storage: runs until its signal fires, then resolves. It handles its own failures; one that throws
   * all the same is told to `onCrash` and started anew at the next comparison.
   */
  loop(storageId: string, signal: AbortSignal): Promise<void>;
  onCrash(storageId: string, thrown: unknown): void;
}

/**
 * Runs one independent loop per storage for the length of a leadership, so that none waits for another. Follows the list
 * of storages. Resolves when the leadership has ended and all loops have.
 */
export async function runStorageLoops(loops: StorageLoops): Promise<void> {
  const { signal } = loops.leadership;
  const running = new Map<string, { stop: AbortController; done: Promise<void> }>();
  const begin = (storageId: string) => {
    const stop = new AbortController();
    const done = loops
      .loop(storageId, AbortSignal.any([signal, stop.signal]))
      .catch((thrown: unknown) => loops.onCrash(storageId, thrown))
      .finally(() => running.delete(storageId));
    running.set(storageId, { stop, done });
  };
  while (!signal.aborted) {
    const wanted = new Set(loops.storageIds());
    for (const [storageId, { stop }] of running) if (!wanted.has(storageId)) stop.abort();
    for (const storageId of wanted) if (!running.has(storageId)) begin(storageId);
    await loops.clock.sleep(STORAGES_EVERY_MS, signal).catch(() => undefined);
  }
  await Promise.all([...running.values()].map(({ done }) => done));
}

/** Runs `work` over all items, at most `limit` at a time. `work` must not throw. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
}
