import { setTimeout as sleep } from 'node:timers/promises';
import { cancelledOf, renewJobs } from '../../../db/queries/job.ts';
import { BUSY_PAUSE_MS, BUSY_TRIES, rowBusy } from '../../../jobs/lease-renewer.ts';
import { coerceError, IsgError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import { ageJobs, type HeldJob, jobRenewMs } from '../pulse-plan.ts';

/** What the renewal of job leases needs. */
export interface JobPulseOptions {
  database: Sql;
  owner: { runId: string; workerId: string };
  nowMs: () => number;
  /** Whether the main loop lives. */
  mayRenew: () => boolean;
  log: Logger;
  onNews: (holdId: number, news: 'cancel-requested' | 'lost' | 'stalled') => void;
  onToken: (holdId: number, leaseToken: string) => void;
}

/** Before iconik's entity has said otherwise. */
const DEFAULT_VISIBILITY_S = 3_600;

/** Users who abort a job see it end within two seconds, most of which pass before iconik's event is read. */
const CANCEL_LOOK_MS = 500;

/** Renews all held job leases in one statement at a time. */
export class JobPulse {
  readonly #options: JobPulseOptions;
  readonly #held = new Map<number, HeldJob>();
  /** Holds whose confirmation is under way: it, not a renewal at the same time, says whether they are lost. */
  readonly #confirming = new Set<number>();
  #visibilityTimeoutS = DEFAULT_VISIBILITY_S;
  #renewal: Promise<void> | null = null;
  #dueMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  #lookMs = Number.NEGATIVE_INFINITY;
  #trouble = '';

  constructor(options: JobPulseOptions) {
    this.#options = options;
  }

  hold(lease: Pick<HeldJob, 'holdId' | 'jobId' | 'leaseToken' | 'stallMs' | 'progress' | 'note'>): void {
    this.#held.set(lease.holdId, { ...lease, lifelessMs: 0, isStalled: false });
  }

  /** A sign of life. */
  report({ holdId, progress, note }: { holdId: number; progress: number; note: string }): void {
    const job = this.#held.get(holdId);
    if (job) Object.assign(job, { progress, note, lifelessMs: 0 });
  }

  drop(holdId: number): void {
    this.#held.delete(holdId);
  }

  setVisibilityTimeout(seconds: number): void {
    this.#visibilityTimeoutS = seconds;
  }

  /** Ages the jobs by the time in which the main loop lived, then renews when that is due; called at each tick. */
  step(livedMs: number): void {
    const { nowMs, mayRenew, onNews } = this.#options;
    for (const { holdId } of ageJobs(this.#held.values(), livedMs)) onNews(holdId, 'stalled');
    void this.#lookForCancelled();
    if (this.#renewal || !mayRenew() || nowMs() < this.#dueMs) return;
    const jobs = [...this.#held.values()].filter(({ isStalled }) => !isStalled);
    if (jobs.length === 0) return;
    this.#dueMs = nowMs() + jobRenewMs(this.#visibilityTimeoutS);
    this.#renewal = this.#renewAll(jobs).finally(() => {
      this.#renewal = null;
    });
  }

  // What fails here is not said: the renewal meets the same trouble, and tells of cancellations, too.
  async #lookForCancelled(): Promise<void> {
    const { database, mayRenew, nowMs, onNews } = this.#options;
    if (this.#isLooking || this.#held.size === 0 || nowMs() < this.#lookMs || !mayRenew()) return;
    this.#isLooking = true;
    this.#lookMs = nowMs() + CANCEL_LOOK_MS;
    try {
      const held = new Map([...this.#held.values()].map((job) => [job.jobId, job.holdId]));
      for (const jobId of await cancelledOf(database, [...held.keys()])) {
        const holdId = held.get(jobId);
        if (holdId !== undefined && this.#held.has(holdId)) onNews(holdId, 'cancel-requested');
      }
    } catch {
      // ignored because the renewal says it
    } finally {
      this.#isLooking = false;
    }
  }

  /** Renews one lease now; true when it is still ours. Throws `database-…` when no answer came. */
  async confirm(holdId: number): Promise<boolean> {
    this.#confirming.add(holdId);
    try {
      return await this.#confirm(holdId);
    } finally {
      this.#confirming.delete(holdId);
    }
  }

  async #confirm(holdId: number, busyTries = 0): Promise<boolean> {
    const job = this.#held.get(holdId);
    if (!job) return false;
    if (!this.#options.mayRenew()) throw notRenewed('the main loop of the agent stands still');
    if (job.isStalled) throw notRenewed('its job showed no life');
    job.lifelessMs = 0;
    const asked = job.leaseToken;
    const found = await this.#renew([job]);
    if (found === 'renewed') return true;
    if (found === 'busy') {
      if (busyTries + 1 >= BUSY_TRIES) throw rowBusy();
      await sleep(BUSY_PAUSE_MS);
      return this.#confirm(holdId, busyTries + 1);
    }
    // A renewal under way at the same time may have taken the job back under a new token.
    await this.#renewal;
    if (!this.#held.has(holdId)) return false;
    if (job.leaseToken !== asked) return this.#confirm(holdId);
    this.#lose(job);
    return false;
  }

  async #renewAll(jobs: readonly HeldJob[]): Promise<void> {
    try {
      await this.#renew(jobs);
      this.#trouble = '';
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble) this.#options.log.warn('Job leases could not be renewed yet', { error: message });
      this.#trouble = message;
    }
  }

  /** Renews and tells the news: `missing` when a lease was not found, else `busy` when others had a row in hand. */
  async #renew(jobs: readonly HeldJob[]): Promise<'renewed' | 'busy' | 'missing'> {
    const { database, owner } = this.#options;
    const asked = jobs.map((job) => ({ job, token: job.leaseToken }));
    const items = jobs.map(({ jobId, leaseToken, progress, note }) => ({ jobId, leaseToken, progress, note }));
    const answers = await renewJobs(database, items, { ...owner, visibilityTimeoutS: this.#visibilityTimeoutS });
    const answered = new Map(answers.map((answer) => [answer.jobId, answer]));
    for (const { job, token } of asked) {
      const answer = answered.get(job.jobId);
      if (answer) this.#tell(job, token, answer);
      // One that got a newer token meanwhile, or is just being confirmed, is not lost by this answer.
      if (!answer && job.leaseToken === token && !this.#confirming.has(job.holdId)) this.#lose(job);
    }
    if (asked.some(({ job }) => !answered.has(job.jobId))) return 'missing';
    return answers.some(({ isBusy }) => isBusy) ? 'busy' : 'renewed';
  }

  #tell(job: HeldJob, token: string, answer: { leaseToken: string; cancelRequested: boolean }): void {
    if (!this.#held.has(job.holdId)) return;
    if (job.leaseToken === token && answer.leaseToken !== token) {
      job.leaseToken = answer.leaseToken;
      this.#options.onToken(job.holdId, answer.leaseToken);
    }
    if (answer.cancelRequested) this.#options.onNews(job.holdId, 'cancel-requested');
  }

  #lose(job: HeldJob): void {
    if (this.#held.delete(job.holdId)) this.#options.onNews(job.holdId, 'lost');
  }
}

function notRenewed(why: string): IsgError {
  return new IsgError('database-unreachable', `The lease is renewed no longer: ${why}.`, { retry: 'transient' });
}
