import type { JobState } from '../../../agent/contract/index.ts';

/** What the queue must know of a job, kept by plain bookkeeping. */
export interface ModelJob {
  jobId: string;
  key: string;
  state: JobState;
  token: string | null;
  /** Index of the worker that holds the lease. */
  owner: number | null;
  attempts: number;
  cancelRequested: boolean;
  deferred: boolean;
}

/** A lease that somebody was given at some time, worthless or not. */
export interface GivenLease {
  jobId: string;
  leaseToken: string;
}

export const MAX_ATTEMPTS = 3;

const isActive = (job: ModelJob): boolean => job.state === 'queued' || job.state === 'leased';

/** The rules of the queue, one method for each thing that can be done to it; each answers what the queue must answer. */
export class QueueModel {
  readonly jobs = new Map<string, ModelJob>();

  isTaken(key: string): boolean {
    return [...this.jobs.values()].some((job) => job.key === key && isActive(job));
  }

  add(jobId: string, key: string): void {
    const fresh = { token: null, owner: null, attempts: 0, cancelRequested: false, deferred: false };
    this.jobs.set(jobId, { jobId, key, state: 'queued', ...fresh });
  }

  claimable(slots: number): string[] {
    const ids = [...this.jobs.values()]
      .filter((job) => job.state === 'queued' && !job.deferred && !job.cancelRequested)
      .map((job) => job.jobId);
    return ids.sort((a, b) => Number(a) - Number(b)).slice(0, slots);
  }

  claimed({ jobId, leaseToken }: GivenLease, owner: number): void {
    const job = this.job(jobId);
    Object.assign(job, { state: 'leased', token: leaseToken, owner, attempts: job.attempts + 1 });
  }

  /** Whether the lease is worth anything: its job still carries the token and has not ended. */
  holds({ jobId, leaseToken }: GivenLease): boolean {
    const job = this.jobs.get(jobId);
    return job !== undefined && job.token === leaseToken && isActive(job);
  }

  renewed(lease: GivenLease, token: string, owner: number): void {
    Object.assign(this.job(lease.jobId), { state: 'leased', token, owner, deferred: false });
  }

  end(lease: GivenLease, how: JobState, later: boolean): 'ended' | 'lost' {
    const job = this.jobs.get(lease.jobId);
    if (!job || job.token !== lease.leaseToken) return 'lost';
    if (!isActive(job)) return 'ended';
    Object.assign(job, { state: how, owner: null });
    if (how === 'queued') Object.assign(job, { token: null, deferred: later });
    return 'ended';
  }

  free(which: (job: ModelJob) => boolean): number {
    const freed = [...this.jobs.values()].filter((job) => job.state === 'leased' && which(job));
    for (const job of freed) {
      const state = job.attempts >= MAX_ATTEMPTS ? 'failed' : job.cancelRequested ? 'cancelled' : 'queued';
      Object.assign(job, { state, owner: null, deferred: false, token: state === 'queued' ? job.token : null });
    }
    return freed.length;
  }

  cancel(jobId: string): boolean {
    const job = this.job(jobId);
    if (!isActive(job)) return false;
    job.cancelRequested = true;
    if (job.state === 'queued') Object.assign(job, { state: 'cancelled', deferred: false, token: null });
    return true;
  }

  endCancelled(): void {
    for (const job of this.jobs.values()) {
      if (job.state === 'queued' && job.cancelRequested) Object.assign(job, { state: 'cancelled', token: null });
    }
  }

  retry(jobId: string): 'queued' | 'refused' | 'twin' {
    const job = this.job(jobId);
    if (job.state !== 'failed' && job.state !== 'cancelled') return 'refused';
    if (this.isTaken(job.key)) return 'twin';
    const fresh = { token: null, owner: null, attempts: 0, cancelRequested: false, deferred: false };
    Object.assign(job, { state: 'queued', ...fresh });
    return 'queued';
  }

  release(): void {
    for (const job of this.jobs.values()) job.deferred = false;
  }

  private job(jobId: string): ModelJob {
    const job = this.jobs.get(jobId);
    if (!job) throw new Error(`the queue named job ${jobId}, which nobody has added`);
    return job;
  }
}
