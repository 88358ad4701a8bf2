import { assertSchemaFits } from '../db/migrate.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, type IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { Sql } from '../runtime/sql.ts';
import { newerNodes, type VersionedMember } from './version-standing.ts';

/** What the watch needs. */
export interface VersionWatchOptions {
  database: Sql;
  /** This program's. */
  version: string;
  members(): readonly VersionedMember[];
  clock: Clock;
  log: Logger;
  /** Told once when the database has come to need a newer version; nothing is looked at any more then. */
  onOutdated(error: IsgError): void;
  /** Pause between two looks, milliseconds; default 2,000. */
  everyMs?: number;
}

/**
 * This node's version among the others', while it runs: that newer nodes work beside it changes nothing but what it says. A
 * contracting migration that asks for more than this version ends it: its statements may not fit the tables any more.
 */
export class VersionWatch implements Service {
  readonly #options: Required<VersionWatchOptions>;
  readonly #life = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(options: VersionWatchOptions) {
    this.#options = { everyMs: 2_000, ...options };
  }

  async start(): Promise<void> {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  /** What to say of newer nodes beside this one, with what to do; null when there are none. */
  newer(): { reason: string; remedy: string } | null {
    return newerNodes(this.#options.version, this.#options.members());
  }

  async #run(): Promise<void> {
    const { clock, everyMs, log, onOutdated } = this.#options;
    while (!this.#life.signal.aborted) {
      const error = await this.#look();
      if (error) {
        log.error(`${error.message} It stops, gives its jobs back and hands over what it leads.`);
        return onOutdated(error);
      }
      await clock.sleep(everyMs, this.#life.signal).catch(() => {});
    }
  }

  /** The reason to stop, if there is one. */
  async #look(): Promise<IsgError | null> {
    try {
      await assertSchemaFits(this.#options.database, this.#options.version);
      return null;
    } catch (thrown) {
      const error = coerceError(thrown);
      // ignored otherwise because a database that does not answer is what its own check reports
      return error.code === 'schema-too-new' ? error : null;
    }
  }
}
