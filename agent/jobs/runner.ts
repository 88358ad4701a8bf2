import type { EndVerdict, LaneDemand, Lease, LeaseEnd, Role } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { ActiveJob } from './active-job.ts';
import { ClaimLoop } from './claim-loop.ts';
import { endSurely } from './end-surely.ts';
import { InLoopRenewer } from './in-loop-renewer.ts';
import type { JobHandler, JobOutcome } from './job-handler.ts';
import type { ClaimedJob, JobStore, UnfitJob } from './job-store.ts';
import { type Lane, laneDemand, probingLane, type Reach } from './lane.ts';
import type { LeaseNews, LeaseRenewer } from './lease-renewer.ts';
import { Quarantine, type QuarantinedRole } from './quarantine.ts';
import { leaseEndOf, refusedEnd } from './running-job.ts';

export type { Lane, Reach } from './lane.ts';

/** What a runner needs. */
export interface JobRunnerOptions {
  store: JobStore;
  handlers: readonly JobHandler[];
  lanes: readonly Lane[];
  reach(): Reach;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** Keeps the leases alive; default: from this loop. */
  renewer?: LeaseRenewer;
  /** Pause between two looks at the queue while slots are free and nothing ends; on average at most 4 looks a second. */
  pollMs?: number;
  /** Renewals run at least this often (default renewer); they are also how a job learns that it was cancelled. */
  renewMs?: number;
  /** A job that reports no life for this long is stopped and tried again, unless its handler says otherwise. */
  stallMs?: number;
  /** Pause between two looks for leases of this run that it knows nothing of. */
  strayMs?: number;
  /** How long a handler may ignore that it was told to stop before its slot is used again. */
  abandonMs?: number;
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
/** A kind of which a job could not be read is not claimed for this long, so that a node that can read it gets it. */
const UNFIT_MS = 60_000;
/** How long a job that cannot run here now is kept from being claimed again. */
const GIVE_BACK_MS = 2_000;
const DEFAULTS = { pollMs: 250, renewMs: 2_000, stallMs: 10 * 60_000, strayMs: 10_000, abandonMs: 60_000 };

type Options = JobRunnerOptions & typeof DEFAULTS & { renewer: LeaseRenewer };

function complete(options: JobRunnerOptions): Options {
  const given = { ...DEFAULTS, ...options };
  return { ...given, renewer: options.renewer ?? new InLoopRenewer(given) };
}

/** Claims, runs and ends jobs of one node (README.md of this folder). */
export class JobRunner implements Service {
  readonly #options: Options;
  readonly #handlers: ReadonlyMap<string, JobHandler>;
  readonly #active = new Map<string, ActiveJob>();
  readonly #finishing = new Map<ActiveJob, Promise<void>>();
  readonly #quarantine: Quarantine;
  readonly #loop: ClaimLoop;
  /** Until when a kind is left to others, monotonic; by `role kind`. */
  readonly #leftMs = new Map<string, number>();
  /** Counts the looks at the queue. */
  #turn = 0;
  #isStopping = false;

  constructor(options: JobRunnerOptions) {
    this.#options = complete(options);
    this.#handlers = new Map(options.handlers.map((handler) => [`${handler.role} ${handler.kind}`, handler]));
    this.#quarantine = new Quarantine(this.#options);
    this.#loop = new ClaimLoop({
      ...this.#options,
      demand: (ending) => this.#demand(ending),
      reach: () => this.#reach(),
      known: () => [...this.#active.keys()],
      begin: (claimed) => this.#begin(claimed),
      unfit: (job) => this.#leave(job),
    });
    this.#options.renewer.onNews((news) => this.#hear(news));
  }

  async start(): Promise<void> {
    if (!this.#isStopping) this.#loop.start();
  }

  /** Stops claiming, asks every handler to stop and gives their jobs back to the queue. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const claimed = this.#loop.stopClaiming();
    const { clock, renewer } = this.#options;
    const grace = new AbortController();
    const late = clock.sleep(STOP_GRACE_MS, grace.signal).catch(() => {});
    for (const job of this.#active.values()) job.stop('stopping');
    // A claim on its way may still bring jobs: they are told, too, and waited for.
    await Promise.race([claimed.then(() => this.#allFinished()), late]);
    await Promise.race([this.#loop.close(), late]);
    grace.abort();
    for (const jobId of this.#active.keys()) renewer.drop(jobId);
  }

  /** The jobs in this process. */
  running(): RunningJobView[] {
    return [...this.#active.values()].map(({ claimed, progress, note, startedMs }) => ({
      jobId: claimed.jobId,
      role: claimed.role,
      kind: claimed.kind,
      progress,
      note,
      payload: claimed.payload,
      startedMs,
    }));
  }

  /** Roles whose jobs keep failing here in the same way, and that are therefore not fully at work. */
  quarantined(): QuarantinedRole[] {
    return this.#quarantine.view();
  }

  /** Looks at the queue now instead of at the next poll. */
  wake(): void {
    this.#loop.wake();
  }

  /** Gives back what runs under an ended leadership. */
  leadershipEnded(): void {
    for (const job of this.#active.values()) if (job.claimed.role === 'MAIN') job.stop('leadership-ended');
  }

  async #allFinished(): Promise<void> {
    while (this.#finishing.size > 0) await Promise.all(this.#finishing.values());
  }

  #reach(): Reach {
    const reach = this.#options.reach();
    this.#options.renewer.setVisibilityTimeout(reach.visibilityTimeoutS);
    return { priorityOrder: 'larger-first', ...reach };
  }

  #demand(ending: ReadonlySet<Lease>): LaneDemand[] {
    const reach = this.#reach();
    const nowMs = this.#options.clock.monotonicMs();
    const taken = this.#takenByLane(ending);
    const demands = this.#options.lanes.map((lane) => {
      const kinds = lane.kinds.filter((kind) => (this.#leftMs.get(`${lane.role} ${kind}`) ?? nowMs) <= nowMs);
      if (kinds.length === 0) return null;
      if (!reach.roles.has(lane.role) || (lane.role === 'MAIN' && reach.term === null)) return null;
      const allowance = this.#quarantine.allowance(lane.role);
      if (allowance === 'one' && this.#probing(lane.role, taken) !== lane) return null;
      return laneDemand({ ...lane, kinds }, taken.get(lane) ?? [], allowance);
    });
    this.#turn += 1;
    return demands.filter((demand) => demand !== null);
  }

  /** The profiles of the jobs that each lane runs, but for those in `ending`. */
  #takenByLane(ending: ReadonlySet<Lease>): ReadonlyMap<Lane, readonly string[]> {
    const taken = new Map<Lane, string[]>(this.#options.lanes.map((lane) => [lane, []]));
    for (const { claimed, lane } of this.#active.values()) {
      if (!ending.has(claimed)) taken.get(lane)?.push(claimed.profile);
    }
    return taken;
  }

  #probing(role: Role, taken: ReadonlyMap<Lane, readonly string[]>): Lane | null {
    const lanes = this.#options.lanes.filter((lane) => lane.role === role);
    const running = lanes.reduce((sum, lane) => sum + (taken.get(lane)?.length ?? 0), 0);
    return probingLane(lanes, running, this.#turn);
  }

  #begin(claimed: ClaimedJob): void {
    const { lanes, log, renewer, stallMs } = this.#options;
    const lane = lanes.find(({ role, kinds }) => role === claimed.role && kinds.includes(claimed.kind));
    const handler = this.#handlers.get(`${claimed.role} ${claimed.kind}`);
    const earlier = this.#active.get(claimed.jobId);
    // Freed while this process was away and claimed before it could be taken back. The new lease is not kept for the old
    // run, which may take its time to stop: nobody would renew it.
    if (earlier) earlier.stop('lease-lost');
    if (!lane || !handler || earlier) {
      log.warn('Claimed a job that fits no lane or runs here already', { jobId: claimed.jobId, kind: claimed.kind });
      this.#giveBack(claimed, GIVE_BACK_MS);
      return;
    }
    const job = new ActiveJob(claimed, lane, this.#options);
    this.#active.set(claimed.jobId, job);
    const { jobId, leaseToken } = claimed;
    renewer.hold({ jobId, leaseToken, stallMs: handler.stallMs ?? stallMs });
    // Claimed just before the node began to stop, or its leadership ended: asked to stop like the others.
    if (this.#isStopping) job.stop('stopping');
    if (claimed.role === 'MAIN' && this.#options.reach().term === null) job.stop('leadership-ended');
    this.#finishing.set(job, this.#run(job, handler));
  }

  // Made by a newer version, most likely: nodes of that version run it, and this one does other work meanwhile.
  #leave({ role, kind, jobId, leaseToken, reason }: UnfitJob): void {
    const { log, clock } = this.#options;
    log.error('A job of the queue cannot be read by this version; it is left to other nodes', {
      role,
      kind,
      jobId,
      reason,
    });
    this.#leftMs.set(`${role} ${kind}`, clock.monotonicMs() + UNFIT_MS);
    this.#giveBack({ jobId, leaseToken }, 0);
  }

  /** Puts back what was leased and will not run here. What cannot be stored is found as a stray later. */
  #giveBack(lease: Lease, afterMs: number): void {
    this.#loop.end(lease, { state: 'queued', afterMs, error: null, refund: true }).catch((thrown: unknown) => {
      const { message } = coerceError(thrown);
      this.#options.log.warn('A job could not be given back yet', { jobId: lease.jobId, error: message });
    });
  }

  #hear(news: LeaseNews): void {
    const job = this.#active.get(news.jobId);
    if (!job) return;
    if (news.kind === 'token') job.claimed.leaseToken = news.leaseToken;
    else if (news.kind === 'cancel-requested') job.stop('cancelled');
    else job.stop(news.kind === 'lost' ? 'lease-lost' : 'stalled');
  }

  async #run(job: ActiveJob, handler: JobHandler): Promise<void> {
    const { jobId } = job.claimed;
    try {
      const outcome = await job.run(handler);
      this.#quarantine.ended(job.claimed, outcome, job.stopped);
      const end = leaseEndOf(outcome, { ...job.claimed, stopped: job.stopped }, this.#options.random);
      let verdict = await this.#end(job, outcome, end);
      if (verdict === 'lost' && (await this.#isOursStill(job))) verdict = await this.#end(job, outcome, end);
      this.#logEnd(job, verdict === 'lost' ? null : end);
    } catch (thrown) {
      const { message } = coerceError(thrown);
      this.#options.log.error('The end of a job could not be stored', { jobId, error: message });
    } finally {
      this.#options.renewer.drop(jobId);
      this.#active.delete(jobId);
      this.#finishing.delete(job);
    }
  }

  // A renewal may have taken the job back under a new token whose news is still on its way. What cannot be confirmed counts
  // as lost; should it be leased here nevertheless, it is found as a stray.
  async #isOursStill({ claimed, stopped }: ActiveJob): Promise<boolean> {
    if (stopped === 'lease-lost') return false;
    return this.#options.renewer.confirm(claimed.jobId).catch(() => false);
  }

  // Most ends ride along with the next claim. One that commits together with other writes has a transaction of its own,
  // and so has one that the database refused for good: something simpler takes its place, so that the job neither stays leased
  // nor runs for ever.
  async #end(job: ActiveJob, outcome: JobOutcome, end: LeaseEnd): Promise<EndVerdict> {
    if (job.stopped === 'lease-lost') return 'lost';
    const alongside = 'alongside' in outcome && outcome.kind === end.state ? outcome.alongside : undefined;
    try {
      if (!alongside) return await this.#loop.end(job.claimed, end);
      const verdict = await endSurely(this.#options, job.claimed, {
        end,
        alongside,
        isStopping: () => this.#isStopping,
      });
      this.#loop.wake();
      return verdict;
    } catch (thrown) {
      const error = coerceError(thrown);
      if (error.retry === 'transient') throw error;
      return await this.#loop.end(job.claimed, refusedEnd(end, error, job.claimed));
    }
  }

  #logEnd(job: ActiveJob, end: LeaseEnd | null): void {
    const { role, kind, jobId, attempts } = job.claimed;
    // By the wall clock: a label, and far quicker to read than the clock that decides.
    const durationMs = Math.max(0, this.#options.clock.wallMs() - job.startedMs);
    const fields = { role, kind, jobId, attempts, durationMs };
    if (end === null) this.#options.log.warn('Job given up: its lease went to another node', fields);
    else if (end.state === 'done') this.#options.log.info('Job done', fields);
    else this.#options.log.warn(`Job ${end.state}`, { ...fields, error: 'error' in end ? end.error : null });
  }
}
