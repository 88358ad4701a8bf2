import type { UnclaimedWork } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { type JobTrouble, unclaimedTrouble } from './job-trouble.ts';

/** The leadership under which upkeep runs; `Leadership` fits. */
export interface UpkeepTerm {
  readonly term: number;
  readonly runId: string;
  readonly signal: AbortSignal;
  assertTrusted(): void;
}

/** What upkeep does in the database. */
export interface UpkeepStore {
  /** Deletes a batch of jobs that ended long ago; answers how many, and whether there may be more. Fenced by the term. */
  deleteEnded(holder: UpkeepTerm): Promise<{ deleted: number; hasMore: boolean }>;
  /** Work that has been due for `minutes` without any node taking work of its kind. */
  unclaimed(minutes: number): Promise<UnclaimedWork[]>;
}

/** What upkeep needs. */
export interface UpkeepOptions {
  store: UpkeepStore;
  clock: Clock;
  log: Logger;
  /** Pause between two rounds, milliseconds; default a minute. */
  everyMs?: number;
}

/** Work that nobody takes for this long is told. Longer than restarts and upgrades of a node take. */
const UNCLAIMED_MINUTES = 10;

/** The leader's care for the queue: old jobs go, and work that no node takes becomes visible. */
export class JobUpkeep {
  readonly name = 'job-upkeep';
  readonly #options: UpkeepOptions;
  #troubles: readonly JobTrouble[] = [];
  #told = '';

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Work that nobody takes, in words; empty on nodes that do not lead. */
  troubles(): readonly JobTrouble[] {
    return this.#troubles;
  }

  /** Runs until the leadership ends. */
  async run(holder: UpkeepTerm): Promise<void> {
    const { clock, log, everyMs = 60_000 } = this.#options;
    while (!holder.signal.aborted) {
      try {
        await this.#watch();
        await this.#tidy(holder);
      } catch (thrown) {
        if (!holder.signal.aborted) log.warn('Upkeep of the job queue failed', { error: coerceError(thrown).message });
      }
      await clock.sleep(everyMs, holder.signal).catch(() => {});
    }
    this.#troubles = [];
  }

  async #watch(): Promise<void> {
    const { store, log } = this.#options;
    this.#troubles = (await store.unclaimed(UNCLAIMED_MINUTES)).map(unclaimedTrouble);
    const words = this.#troubles.map(({ subject }) => subject).join(', ');
    if (words !== this.#told && words !== '') {
      for (const { reason, remedy } of this.#troubles) log.warn(`${reason} ${remedy}`);
    }
    this.#told = words;
  }

  // In small steps with pauses: nobody waits for it, and the fence is never held for long.
  async #tidy(holder: UpkeepTerm): Promise<void> {
    const { store, clock, log } = this.#options;
    let total = 0;
    while (!holder.signal.aborted) {
      const { deleted, hasMore } = await store.deleteEnded(holder);
      total += deleted;
      if (!hasMore) break;
      await clock.sleep(100, holder.signal).catch(() => {});
    }
    if (total > 0) log.info(`Removed ${total} jobs that ended long ago`, { removed: total });
  }
}
