import type { Clock } from '../runtime/clock.ts';
import type { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { JobContext, JobHandler, JobOutcome } from './job-handler.ts';
import type { ClaimedJob, JobStore } from './job-store.ts';
import type { Lane } from './lane.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import { outcomeOf, type StopReason, stopError } from './running-job.ts';

/** What a job in this process works with. */
export interface ActiveJobDeps {
  store: JobStore;
  renewer: LeaseRenewer;
  clock: Clock;
  log: Logger;
  /** How long a handler may go on after it was told to stop before it is given up, milliseconds. */
  abandonMs: number;
}

/** One claimed job in this process, from its claim to the end of its handler. */
export class ActiveJob {
  readonly claimed: ClaimedJob;
  readonly lane: Lane;
  /** Wall clock; a label. */
  readonly startedMs: number;
  readonly #deps: ActiveJobDeps;
  /** Made when somebody wants to listen, or to be told: hundreds of short jobs a second never do. */
  #abort: AbortController | null = null;
  /** Settled when the handler is over or given up, whichever comes first. */
  readonly #outcome = Promise.withResolvers<JobOutcome>();
  /** Ends the wait for a handler that was told to stop. */
  #patience: AbortController | null = null;
  #stopped: StopReason | null = null;
  #progress = 0;
  #note = '';
  /** The handler is over: news of the lease means nothing any more. */
  #isOver = false;

  constructor(claimed: ClaimedJob, lane: Lane, deps: ActiveJobDeps) {
    this.claimed = claimed;
    this.lane = lane;
    this.startedMs = deps.clock.wallMs();
    this.#deps = deps;
  }

  get stopped(): StopReason | null {
    return this.#stopped;
  }

  get progress(): number {
    return this.#progress;
  }

  get note(): string {
    return this.#note;
  }

  /** Asks the handler to stop; the first reason counts. */
  stop(reason: StopReason): void {
    if (this.#stopped || this.#isOver) return;
    this.#stopped = reason;
    this.#controller().abort(stopError(reason));
    void this.#abandon();
  }

  #controller(): AbortController {
    this.#abort ??= new AbortController();
    return this.#abort;
  }

  #throwIfStopped(): void {
    this.#abort?.signal.throwIfAborted();
  }

  /**
   * Runs the handler to its end, or to `abandonMs` after it was told to stop: one that does not listen is left to itself,
   * its lease worthless, its slot free. Never throws.
   */
  run(handler: JobHandler): Promise<JobOutcome> {
    const work = outcomeOf(handler, this.claimed, (payload) => {
      this.#throwIfStopped();
      return handler.run(this.#context(payload));
    });
    // Not by a race, which costs as much as all the rest of a trivial job.
    work.then(
      (outcome) => this.#end(outcome),
      (thrown: unknown) => {
        this.#isOver = true;
        this.#outcome.reject(thrown);
      },
    );
    return this.#outcome.promise;
  }

  #end(outcome: JobOutcome): void {
    this.#isOver = true;
    this.#patience?.abort();
    this.#outcome.resolve(outcome);
  }

  async #abandon(): Promise<void> {
    const { clock, abandonMs, log } = this.#deps;
    this.#patience = new AbortController();
    try {
      await clock.sleep(abandonMs, this.#patience.signal);
    } catch {
      // ignored because the handler has stopped
      return;
    }
    const { role, kind, jobId } = this.claimed;
    log.error('A job did not stop when it was told to; it is left to itself and its slot is used again', {
      role,
      kind,
      jobId,
      reason: this.#stopped,
      waitedMs: abandonMs,
    });
    this.#end({ kind: 'retry', error: { code: 'stopped', retry: 'transient', message: ABANDONED } });
  }

  #context(payload: unknown): JobContext<unknown> {
    const { role, kind, jobId } = this.claimed;
    return new HandlerContext(this.claimed, payload, {
      log: () => this.#deps.log.child({ role, kind, jobId }),
      signal: () => this.#controller().signal,
      progress: (fraction, note) => this.#progressed(fraction, note),
      saveCheckpoint: (value) => this.#save(value),
      confirmLease: () => this.#confirm(),
    });
  }

  #report(): void {
    this.#deps.renewer.report(this.claimed.jobId, this.#progress, this.#note);
  }

  #progressed(fraction: number, note: string | undefined): void {
    if (this.#isOver) return;
    // One job's nonsense in the statement that renews all leases of the node would have it refused.
    if (Number.isFinite(fraction)) this.#progress = Math.min(1, Math.max(0, fraction));
    if (note !== undefined) this.#note = note.slice(0, 200).toWellFormed().replaceAll('\0', '');
    this.#report();
  }

  async #save(value: unknown): Promise<void> {
    if (this.#isOver) throw stopError(this.#stopped ?? 'lease-lost');
    this.#report();
    if (!(await this.#deps.store.saveCheckpoint(this.claimed, value)) && !(await this.#saveAnew(value)))
      throw this.#lose();
    this.claimed.checkpoint = value;
  }

  // The job may have been taken back under a new token whose news is still on its way.
  async #saveAnew(value: unknown): Promise<boolean> {
    const { store, renewer } = this.#deps;
    return (await renewer.confirm(this.claimed.jobId)) && (await store.saveCheckpoint(this.claimed, value));
  }

  async #confirm(): Promise<void> {
    this.#throwIfStopped();
    if (this.#isOver || !(await this.#deps.renewer.confirm(this.claimed.jobId))) throw this.#lose();
    this.#throwIfStopped();
    if (this.#isOver) throw this.#lose();
  }

  #lose(): IsgError {
    this.stop('lease-lost');
    return stopError('lease-lost');
  }
}

/** What a context asks of its job. */
interface Asks extends Pick<JobContext<unknown>, 'progress' | 'saveCheckpoint' | 'confirmLease'> {
  log(): Logger;
  signal(): AbortSignal;
}

// A class, because an object made with getters in place takes 2 µs, and hundreds of jobs begin in one turn. Log and signal are
// made when they are first asked for: most short jobs never do.
class HandlerContext implements JobContext<unknown> {
  readonly job: ClaimedJob;
  readonly payload: unknown;
  readonly progress: Asks['progress'];
  readonly saveCheckpoint: Asks['saveCheckpoint'];
  readonly confirmLease: Asks['confirmLease'];
  readonly #asks: Asks;
  #log: Logger | null = null;

  constructor(job: ClaimedJob, payload: unknown, asks: Asks) {
    this.job = job;
    this.payload = payload;
    this.progress = asks.progress;
    this.saveCheckpoint = asks.saveCheckpoint;
    this.confirmLease = asks.confirmLease;
    this.#asks = asks;
  }

  get log(): Logger {
    this.#log ??= this.#asks.log();
    return this.#log;
  }

  get signal(): AbortSignal {
    return this.#asks.signal();
  }
}

const ABANDONED =
  'The job was told to stop and did not; this attempt was given up. It is tried again, here or on another node.';
