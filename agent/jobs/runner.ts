import type { Role } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, errorRecord, type IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { Sql } from '../runtime/sql.ts';
import type { JobContext, JobHandler } from './job-handler.ts';
import type { ClaimedJob, JobStore, LaneDemand, LeaseEnd } from './job-store.ts';
import { leaseEndOf, outcomeOf, type StopReason, stopError } from './running-job.ts';

/** Kinds of work that share one limit (uploads and downloads are counted apart). */
export interface Lane {
  role: Role;
  kinds: readonly string[];
  /** Slots of this lane now; read at every poll, so that a changed setting applies at once. */
  limit: () => number;
}

/** What the node can work on at this instant. */
export interface Reach {
  /** Roles it holds and whose health needs are met. */
  roles: ReadonlySet<Role>;
  /** Storages mounted here and healthy. */
  storageIds: readonly string[];
  /** Term of a trusted leadership, for MAIN jobs. */
  term: number | null;
  visibilityTimeoutS: number;
}

/** What a runner needs. */
export interface JobRunnerOptions {
  store: JobStore;
  handlers: readonly JobHandler[];
  lanes: readonly Lane[];
  reach(): Reach;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** Pause between two looks at the queue while slots are free; at most 4 looks a second. */
  pollMs?: number;
  /** Renewals run at least this often; they are also how a job learns that it was cancelled. */
  renewMs?: number;
  /** A job that reports no life for this long is stopped and tried again. */
  stallMs?: number;
  /** Pause between two looks for leases of this run that it knows nothing of. */
  strayMs?: number;
}

/** A job in this process. */
interface Running {
  claimed: ClaimedJob;
  lane: Lane;
  abort: AbortController;
  stopped: StopReason | null;
  progress: number;
  note: string;
  lastLifeMs: number;
  /** Wall clock; a label. */
  startedMs: number;
  finished: Promise<void>;
}

/** A running job as the node's status shows it. */
export interface RunningJobView {
  jobId: string;
  role: Role;
  kind: string;
  progress: number;
  note: string;
  /** What the queue holds about it, unparsed. */
  payload: unknown;
  /** When this attempt began here, milliseconds since the epoch. */
  startedMs: number;
}

/** How long `stop` waits for handlers to give up before their leases are left to the rescue. */
const STOP_GRACE_MS = 8_000;
const DEFAULTS = { pollMs: 250, renewMs: 2_000, stallMs: 10 * 60_000, strayMs: 10_000 };

/** Claims, runs, renews and ends jobs of one node (README.md of this folder). */
export class JobRunner implements Service {
  readonly #options: Required<JobRunnerOptions>;
  readonly #handlers: ReadonlyMap<string, JobHandler>;
  readonly #running = new Map<string, Running>();
  readonly #life = new AbortController();
  #loops: Promise<void>[] = [];
  #wakeUp: (() => void) | null = null;
  #claimTrouble = '';
  #nextStrayMs = 0;

  constructor(options: JobRunnerOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#handlers = new Map(options.handlers.map((handler) => [`${handler.role} ${handler.kind}`, handler]));
  }

  async start(): Promise<void> {
    if (this.#loops.length === 0 && !this.#life.signal.aborted) this.#loops = [this.#claimLoop(), this.#renewLoop()];
  }

  /** Stops claiming, asks every handler to stop and gives their jobs back to the queue. */
  async stop(): Promise<void> {
    this.#life.abort();
    this.#wakeUp?.();
    for (const job of this.#running.values()) stopJob(job, 'stopping');
    await Promise.all(this.#loops);
    const grace = new AbortController();
    const all = Promise.all([...this.#running.values()].map((job) => job.finished));
    await Promise.race([all, this.#options.clock.sleep(STOP_GRACE_MS, grace.signal).catch(() => {})]);
    grace.abort();
  }

  /** The jobs in this process. */
  running(): RunningJobView[] {
    return [...this.#running.values()].map(({ claimed, progress, note, startedMs }) => ({
      jobId: claimed.jobId,
      role: claimed.role,
      kind: claimed.kind,
      progress,
      note,
      payload: claimed.payload,
      startedMs,
    }));
  }

  /** Looks at the queue now instead of at the next poll. */
  wake(): void {
    this.#wakeUp?.();
  }

  /** Gives back what runs under an ended leadership. */
  leadershipEnded(): void {
    for (const job of this.#running.values()) if (job.claimed.role === 'MAIN') stopJob(job, 'leadership-ended');
  }

  async #claimLoop(): Promise<void> {
    while (!this.#life.signal.aborted) {
      try {
        await this.#freeStray();
        await this.#claimOnce();
        this.#claimTrouble = '';
      } catch (thrown) {
        const { message } = coerceError(thrown);
        if (message !== this.#claimTrouble) this.#options.log.warn('The job queue does not answer', { error: message });
        this.#claimTrouble = message;
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const { clock, pollMs, random } = this.#options;
    const woken = new AbortController();
    this.#wakeUp = () => woken.abort();
    const signal = AbortSignal.any([woken.signal, this.#life.signal]);
    await clock.sleep(pollMs * (0.8 + 0.4 * random()), signal).catch(() => {});
    this.#wakeUp = null;
  }

  // The answer to a claim (or to a renewal that took a job back) can get lost after the database has committed it: nobody
  // would run that job until its lease runs out. Between claims, what is leased here and not known is such a stray.
  async #freeStray(): Promise<void> {
    const { store, clock, strayMs, log } = this.#options;
    if (clock.monotonicMs() < this.#nextStrayMs) return;
    const freed = await store.freeStray([...this.#running.keys()]);
    this.#nextStrayMs = clock.monotonicMs() + strayMs;
    if (freed > 0) log.warn(`Gave back ${freed} jobs that were leased without this node's knowing`, { freed });
  }

  async #claimOnce(): Promise<void> {
    const reach = this.#options.reach();
    const lanes = this.#demand(reach);
    if (lanes.length === 0) return;
    for (const claimed of await this.#options.store.claim(lanes, reach)) this.#begin(claimed);
  }

  #demand(reach: Reach): LaneDemand[] {
    const demanded: LaneDemand[] = [];
    for (const lane of this.#options.lanes) {
      if (!reach.roles.has(lane.role) || (lane.role === 'MAIN' && reach.term === null)) continue;
      const taken = [...this.#running.values()].filter((job) => job.lane === lane).length;
      const slots = lane.limit() - taken;
      if (slots > 0) demanded.push({ role: lane.role, kinds: lane.kinds, slots });
    }
    return demanded;
  }

  #begin(claimed: ClaimedJob): void {
    const { lanes, clock, log } = this.#options;
    const lane = lanes.find(({ role, kinds }) => role === claimed.role && kinds.includes(claimed.kind));
    const earlier = this.#running.get(claimed.jobId);
    // Freed while this process was away and claimed before it could be taken back: the new lease is given back as a stray.
    if (earlier) stopJob(earlier, 'lease-lost');
    if (!lane || earlier) {
      log.warn('Claimed a job that fits no lane or runs here already', { jobId: claimed.jobId, kind: claimed.kind });
      return;
    }
    const job: Running = {
      claimed,
      lane,
      abort: new AbortController(),
      stopped: null,
      progress: 0,
      note: '',
      lastLifeMs: clock.monotonicMs(),
      startedMs: clock.wallMs(),
      finished: Promise.resolve(),
    };
    this.#running.set(claimed.jobId, job);
    // Claimed just before the node began to stop, or its leadership ended: asked to stop like the others.
    if (this.#life.signal.aborted) stopJob(job, 'stopping');
    if (claimed.role === 'MAIN' && this.#options.reach().term === null) stopJob(job, 'leadership-ended');
    job.finished = this.#run(job);
  }

  async #run(job: Running): Promise<void> {
    try {
      await this.#runToEnd(job);
    } catch (thrown) {
      const { message } = coerceError(thrown);
      this.#options.log.error('The end of a job could not be stored', { jobId: job.claimed.jobId, error: message });
    } finally {
      this.#running.delete(job.claimed.jobId);
      this.#wakeUp?.();
    }
  }

  async #runToEnd(job: Running): Promise<void> {
    const { claimed } = job;
    const handler = this.#handlers.get(`${claimed.role} ${claimed.kind}`);
    if (!handler) throw new Error(`a lane names ${claimed.role} ${claimed.kind}, but no handler does`);
    const startedMs = this.#options.clock.monotonicMs();
    const outcome = await outcomeOf(handler, claimed, (payload) => {
      job.abort.signal.throwIfAborted();
      return handler.run(this.#contextOf(job, payload));
    });
    const end = leaseEndOf(outcome, { ...claimed, stopped: job.stopped }, this.#options.random);
    const alongside = 'alongside' in outcome && outcome.kind === end.state ? outcome.alongside : undefined;
    const result = job.stopped === 'lease-lost' ? 'lost' : await this.#endSurely(job, end, alongside);
    this.#logEnd(job, result === 'lost' ? null : end, Math.round(this.#options.clock.monotonicMs() - startedMs));
  }

  #logEnd(job: Running, end: LeaseEnd | null, durationMs: number): void {
    const { role, kind, jobId, attempts } = job.claimed;
    const fields = { role, kind, jobId, attempts, durationMs };
    if (end === null) this.#options.log.warn('Job given up: its lease went to another node', fields);
    else if (end.state === 'done') this.#options.log.info('Job done', fields);
    else this.#options.log.warn(`Job ${end.state}`, { ...fields, error: 'error' in end ? end.error : null });
  }

  // The result of finished work is not thrown away because the database is away: it is offered until the database says
  // that the lease is gone, or the node stops.
  async #endSurely(job: Running, end: LeaseEnd, alongside?: (sql: Sql) => Promise<void>): Promise<'ended' | 'lost'> {
    const { store, clock, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await store.end(job.claimed, end, alongside);
      } catch (thrown) {
        const error = coerceError(thrown);
        const giveUp = error.retry === 'permanent' || this.#life.signal.aborted;
        if (giveUp && attempt >= 3) return this.#endWithout(job, end, error);
        log.warn('The end of a job is not stored yet; trying again', {
          jobId: job.claimed.jobId,
          error: error.message,
        });
        await clock.sleep(500);
      }
    }
  }

  // What the database refuses for good (a follow-up it does not take) must not keep the job leased, nor run it for ever.
  async #endWithout(job: Running, end: LeaseEnd, error: IsgError): Promise<'ended' | 'lost'> {
    if (error.retry === 'transient' || end.state === 'queued') throw error;
    return this.#options.store.end(job.claimed, { state: 'failed', error: errorRecord(error) });
  }

  #contextOf(job: Running, payload: unknown): JobContext<unknown> {
    const { clock, log, store } = this.#options;
    const { role, kind, jobId } = job.claimed;
    return {
      job: job.claimed,
      payload,
      log: log.child({ role, kind, jobId }),
      signal: job.abort.signal,
      progress: (fraction, note) => {
        job.progress = Math.min(1, Math.max(0, fraction));
        if (note !== undefined) job.note = note.slice(0, 200);
        job.lastLifeMs = clock.monotonicMs();
      },
      saveCheckpoint: async (value) => {
        job.lastLifeMs = clock.monotonicMs();
        if (!(await store.saveCheckpoint(job.claimed, value))) throw lose(job);
        job.claimed.checkpoint = value;
      },
      confirmLease: () => this.#confirm(job),
    };
  }

  async #confirm(job: Running): Promise<void> {
    const { store, reach, clock } = this.#options;
    const renewed = await store.renew([renewalOf(job)], reach().visibilityTimeoutS);
    const mine = renewed.find((item) => item.jobId === job.claimed.jobId);
    if (!mine) throw lose(job);
    job.claimed.leaseToken = mine.leaseToken;
    job.lastLifeMs = clock.monotonicMs();
    if (mine.cancelRequested) stopJob(job, 'cancelled');
    job.abort.signal.throwIfAborted();
  }

  async #renewLoop(): Promise<void> {
    const { clock, log, reach, renewMs } = this.#options;
    while (!this.#life.signal.aborted) {
      const everyMs = Math.min(renewMs, (reach().visibilityTimeoutS * 1_000) / 4);
      await clock.sleep(everyMs, this.#life.signal).catch(() => {});
      await this.#renewOnce().catch((thrown) =>
        log.warn('Leases could not be renewed yet', { error: coerceError(thrown).message }),
      );
    }
  }

  async #renewOnce(): Promise<void> {
    const { clock, reach, stallMs, store } = this.#options;
    const oldestMs = clock.monotonicMs() - stallMs;
    for (const job of this.#running.values()) if (job.lastLifeMs < oldestMs) stopJob(job, 'stalled');
    const asked = [...this.#running.values()]
      .filter((job) => !job.stopped)
      .map((job) => ({ job, token: job.claimed.leaseToken }));
    if (asked.length === 0) return;
    const answer = await store.renew(
      asked.map(({ job }) => renewalOf(job)),
      reach().visibilityTimeoutS,
    );
    const answered = new Map(answer.map((item) => [item.jobId, item]));
    for (const { job, token } of asked) {
      const mine = answered.get(job.claimed.jobId);
      // Confirmed under a newer token while this renewal was on its way: neither lost nor to be set back.
      if (job.claimed.leaseToken !== token) continue;
      if (!mine) stopJob(job, 'lease-lost');
      else {
        job.claimed.leaseToken = mine.leaseToken;
        if (mine.cancelRequested) stopJob(job, 'cancelled');
      }
    }
  }
}

function stopJob(job: Running, reason: StopReason): void {
  if (job.stopped) return;
  job.stopped = reason;
  job.abort.abort(stopError(reason));
}

function lose(job: Running): IsgError {
  stopJob(job, 'lease-lost');
  return stopError('lease-lost');
}

const renewalOf = (job: Running) => ({
  jobId: job.claimed.jobId,
  leaseToken: job.claimed.leaseToken,
  progress: job.progress,
  note: job.note,
});
