import * as jobQueries from '../db/queries/job.ts';
import * as workers from '../db/queries/worker.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';

/** Two steps further apart than this mean that this node, or the database, was away in between. */
const MAX_GAP_MS = 2_000;

/** What a rescue needs. */
export interface JobRescueOptions {
  database: Sql;
  self: Pick<workers.WorkerIdentity, 'workerId' | 'runId'>;
  /** Pause between two rescues of a dead worker that holds nothing any more, and of our own past, milliseconds. */
  lapseMs: number;
  clock: Clock;
  log: Logger;
  /** Term of our trusted leadership, or null. */
  trustedTerm(): number | null;
}

/**
 * Puts jobs back that nobody runs. Each duty runs beside the looks at the other nodes and never twice at a time: one that
 * takes long, or fails, delays neither the next look (a gap between two looks proves nothing) nor the other duties.
 */
export class JobRescue {
  readonly #options: JobRescueOptions;
  readonly #duties = new Map<string, Promise<void>>();
  readonly #troubles = new Map<string, string>();
  /** When a dead worker was last seen to hold no job, by worker. */
  readonly #emptyMs = new Map<string, number>();
  #nextEarlierMs = Number.NEGATIVE_INFINITY;
  /** Since when step has followed step without a gap, and the last one. */
  #steadySinceMs = Number.NEGATIVE_INFINITY;
  #steppedMs = Number.NEGATIVE_INFINITY;

  constructor(options: JobRescueOptions) {
    this.#options = options;
  }

  /** Begins what is due and not under way. `dead` are the workers that this node has seen stand still. Never throws. */
  step(dead: readonly workers.MemberRow[]): void {
    const { database, log } = this.#options;
    const ids = new Set(dead.map((row) => row.worker_id));
    for (const id of this.#emptyMs.keys()) if (!ids.has(id)) this.#emptyMs.delete(id);
    for (const row of dead) this.#begin(`dead ${row.worker_id}`, () => this.#bury(row));
    if (this.#isSteady()) {
      this.#begin('expired', async () => {
        const freed = await jobQueries.freeExpiredJobs(database);
        if (freed > 0) log.warn(`Freed ${freed} jobs whose lease had run out`, { freed });
      });
    }
    this.#begin('cancelled', async () => {
      await jobQueries.endCancelledQueuedJobs(database);
    });
    if (this.#options.clock.monotonicMs() >= this.#nextEarlierMs) this.#begin('earlier runs', () => this.#tidyPast());
  }

  // After an outage all leases may have run out at once. Whoever is back first must leave the others the time to renew.
  #isSteady(): boolean {
    const { clock, lapseMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#steppedMs > MAX_GAP_MS) this.#steadySinceMs = nowMs;
    this.#steppedMs = nowMs;
    return nowMs - this.#steadySinceMs >= lapseMs + MAX_GAP_MS;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#duties.values());
  }

  #begin(duty: string, work: () => Promise<void>): void {
    if (this.#duties.has(duty)) return;
    this.#duties.set(
      duty,
      this.#guarded(duty, work).finally(() => this.#duties.delete(duty)),
    );
  }

  async #guarded(duty: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#troubles.delete(duty);
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#troubles.get(duty)) {
        this.#options.log.warn('Jobs that nobody runs could not be looked for; trying again', { duty, error: message });
      }
      this.#troubles.set(duty, message);
    }
  }

  // A statement of a killed run may still have been on its way when we registered, and have leased jobs for nobody.
  async #tidyPast(): Promise<void> {
    const { database, self, log, clock, lapseMs } = this.#options;
    const freed = await jobQueries.freeJobsOfEarlierRuns(database, self.workerId, self.runId);
    this.#nextEarlierMs = clock.monotonicMs() + lapseMs;
    if (freed > 0) log.info(`Took back ${freed} jobs that an earlier run of this node had leased`, { freed });
  }

  // Again and again: a worker that woke up may have taken jobs back and died before its next heartbeat. What another
  // statement has in hand at this moment is left to it and looked at the next time.
  async #bury(row: workers.MemberRow): Promise<void> {
    const { database, self, log, clock, lapseMs } = this.#options;
    if (clock.monotonicMs() - (this.#emptyMs.get(row.worker_id) ?? Number.NEGATIVE_INFINITY) >= lapseMs) {
      const freed = await jobQueries.freeJobsOfDeadRun(database, row.run_id, row.heartbeat);
      if (freed > 0) log.warn(`Node ${row.name} stopped answering; its ${freed} jobs go back to the queue`, { freed });
      if (!(await jobQueries.holdsJobs(database, row.run_id))) this.#emptyMs.set(row.worker_id, clock.monotonicMs());
    }
    const term = this.#options.trustedTerm();
    if (term === null || row.availability_status === 'unavailable') return;
    await workers.markWorkerDead(
      database,
      { term, runId: self.runId },
      { runId: row.run_id, heartbeat: row.heartbeat },
    );
  }
}
