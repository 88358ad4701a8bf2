import { type EndedBackend, terminateBlockers, thisTransaction } from '../db/queries/leader-block.ts';
import * as queries from '../db/queries/leader-lease.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Database } from '../runtime/sql.ts';
import type { LeaseRow } from './election-state.ts';
import type { LeaseStore, TakeOverWords } from './lease-store.ts';

/** A take-over waits at most this long for leader writes of the old term that hold the fence. */
const PATIENCE_MS = 300;
/** Blocked once already, it waits longer, and ends what still blocks it after `PATIENCE_MS`. */
const SECOND_PATIENCE_MS = 800;
const LIMITS = { statementTimeoutMs: 1_000, idleTimeoutMs: 1_000 };

const LOCK_NOT_AVAILABLE = '55P03';

/** What a lease store may be given besides. */
export interface PgLeaseStoreOptions {
  clock?: Clock;
  /** Told of each backend that was ended because it blocked a take-over. */
  onEnded?: (backend: EndedBackend) => void;
}

/** The lease in PostgreSQL, for one run of one worker. */
export function createPgLeaseStore(
  database: Database,
  self: { runId: string; workerId: string; name: string },
  options: PgLeaseStoreOptions = {},
): LeaseStore {
  const takeOver = new TakeOver(database, self, options);
  return {
    read: () => queries.readLease(database, self.runId),
    takeOver: (seen, take) => takeOver.attempt(seen, take),
    renew: (term, ttlMs) => queries.renewLease(database, term, self.runId, ttlMs),
    release: (term, why, successorRunId) =>
      queries.releaseLease(database, { term, runId: self.runId, why, successorRunId: successorRunId ?? null }),
  };
}

/** Take-overs of one run; remembers whether the last one was blocked by somebody's locks. */
class TakeOver {
  readonly #database: Database;
  readonly #self: { runId: string; workerId: string; name: string };
  readonly #clock: Clock;
  readonly #onEnded: (backend: EndedBackend) => void;
  #wasBlocked = false;

  constructor(
    database: Database,
    self: { runId: string; workerId: string; name: string },
    { clock = systemClock, onEnded = () => {} }: PgLeaseStoreOptions,
  ) {
    this.#database = database;
    this.#self = self;
    this.#clock = clock;
    this.#onEnded = onEnded;
  }

  async attempt(seen: LeaseRow, take: TakeOverWords): Promise<number | null> {
    try {
      const term = this.#wasBlocked ? await this.#impatiently(seen, take) : await this.#politely(seen, take);
      this.#wasBlocked = false;
      return term;
    } catch (thrown) {
      this.#wasBlocked = coerceError(thrown).fields.sqlState === LOCK_NOT_AVAILABLE;
      throw thrown;
    }
  }

  #politely(seen: LeaseRow, take: TakeOverWords): Promise<number | null> {
    return this.#database.transaction((sql) => queries.takeOverLease(sql, this.#values(seen, take)), {
      ...LIMITS,
      lockTimeoutMs: PATIENCE_MS,
    });
  }

  // The blockers can only be asked for while we wait, so another connection asks, by the number of our backend.
  async #impatiently(seen: LeaseRow, take: TakeOverWords): Promise<number | null> {
    const over = new AbortController();
    let watch: Promise<void> = Promise.resolve();
    try {
      return await this.#database.transaction(
        async (sql) => {
          const waiting = await thisTransaction(sql);
          watch = this.#endBlockers(waiting, over.signal);
          return queries.takeOverLease(sql, this.#values(seen, take));
        },
        { ...LIMITS, lockTimeoutMs: SECOND_PATIENCE_MS },
      );
    } finally {
      over.abort();
      await watch;
    }
  }

  async #endBlockers(waiting: Parameters<typeof terminateBlockers>[1], signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(PATIENCE_MS, signal);
      const ended = await terminateBlockers(this.#database, waiting, queries.TAKE_OVER_MARK);
      for (const backend of ended) this.#onEnded(backend);
    } catch {
      // ignored because the take-over itself says what became of it, and the next one tries again
    }
  }

  #values(seen: LeaseRow, take: TakeOverWords): queries.TakeOver {
    return { seenTerm: seen.term, seenRenewals: seen.renewals, ...take, ...this.#self };
  }
}
