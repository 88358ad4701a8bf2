import { beat, type WorkerIdentity, type WorkerStatus } from '../db/queries/worker.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';

/** What the database says to a heartbeat. */
export interface BeatAnswer {
  /** When the beat was sent, by the clock of the process, milliseconds. */
  startedMs: number;
  /** False when another run of this installation has taken the worker's row. */
  registered: boolean;
  /** Whether this run holds its storage gateway id. */
  holds: boolean;
}

/**
 * The heartbeat of this run. Implementations: on the main loop (tests), and in a thread that heavy work on the main loop
 * cannot delay.
 */
export interface Heartbeat {
  /** Begins to beat; what is said of the node is what `say` was told last. */
  start(): void;
  /** What the next beats say of this node. */
  say(status: WorkerStatus): void;
  /** One beat now. Throws `database-…` when it is not confirmed. */
  beatNow(): Promise<BeatAnswer>;
  /** Told of each answer; set once. */
  onAnswer(listener: (answer: BeatAnswer) => void): void;
  /** Start of the last beat that the database confirmed, by the clock of the process; minus infinity before the first. */
  confirmedMs(): number;
  /** Ends the beats; resolved when none is under way any more. */
  stop(): Promise<void>;
}

/** What a heartbeat on the main loop needs. */
export interface LoopHeartbeatOptions {
  database: Sql;
  self: WorkerIdentity;
  clock: Clock;
  log: Logger;
  beatMs: number;
}

/** Beats on the main loop; a blocked loop sends no beats. */
export class LoopHeartbeat implements Heartbeat {
  readonly #options: LoopHeartbeatOptions;
  readonly #life = new AbortController();
  #status: WorkerStatus | null = null;
  #listener: (answer: BeatAnswer) => void = () => {};
  #confirmedMs = Number.NEGATIVE_INFINITY;
  #loop: Promise<void> | null = null;
  #trouble = '';

  constructor(options: LoopHeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  say(status: WorkerStatus): void {
    this.#status = status;
  }

  async beatNow(): Promise<BeatAnswer> {
    const { database, self, clock } = this.#options;
    const status = this.#status ?? { roles: [], availability: 'degraded', reason: '', health: [] };
    const startedMs = clock.monotonicMs();
    const answer = await beat(database, self, status);
    this.#confirmedMs = Math.max(this.#confirmedMs, startedMs);
    return { startedMs, ...answer };
  }

  onAnswer(listener: (answer: BeatAnswer) => void): void {
    this.#listener = listener;
  }

  confirmedMs(): number {
    return this.#confirmedMs;
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, beatMs, log } = this.#options;
    while (!this.#life.signal.aborted) {
      await clock.sleep(beatMs, this.#life.signal).catch(() => {});
      if (this.#life.signal.aborted) return;
      try {
        this.#listener(await this.beatNow());
        this.#trouble = '';
      } catch (thrown) {
        const { message } = coerceError(thrown);
        if (message !== this.#trouble) log.warn('The heartbeat does not reach the database', { error: message });
        this.#trouble = message;
      }
    }
  }
}
