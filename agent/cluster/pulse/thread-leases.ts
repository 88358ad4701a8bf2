import { z } from 'zod';
import type { HeldLease, LeaseNews, LeaseRenewer } from '../../jobs/lease-renewer.ts';
import type { FromThread } from './pulse-messages.ts';
import { LOOK_MS } from './pulse-plan.ts';
import type { ThreadHost, ThreadListener } from './thread-host.ts';

/** A held lease on the main side. */
interface Held {
  holdId: number;
  lease: HeldLease;
  progress: number;
  note: string;
  /** Something was reported since the last flush. */
  isFresh: boolean;
}

/** Renewal of job leases by the thread, as the runner sees it. Reports are gathered and handed over four times a second. */
export class ThreadLeases implements LeaseRenewer, ThreadListener {
  readonly #host: ThreadHost;
  readonly #byJob = new Map<string, Held>();
  /** The thread knows a lease by the number of its hold: an answer about an earlier hold of the same job finds nobody. */
  readonly #byHold = new Map<number, Held>();
  #nextHoldId = 1;
  #visibilityTimeoutS: number | null = null;
  #flushing: NodeJS.Timeout | null = null;
  #listener: (news: LeaseNews) => void = () => {};

  constructor(host: ThreadHost) {
    this.#host = host;
    host.listen(this);
  }

  onNews(listener: (news: LeaseNews) => void): void {
    this.#listener = listener;
  }

  hold(lease: HeldLease): void {
    this.drop(lease.jobId);
    const held: Held = { holdId: this.#nextHoldId++, lease: { ...lease }, progress: 0, note: '', isFresh: false };
    this.#byJob.set(lease.jobId, held);
    this.#byHold.set(held.holdId, held);
    this.#post(held);
  }

  report(jobId: string, progress: number, note: string): void {
    const held = this.#byJob.get(jobId);
    if (!held) return;
    Object.assign(held, { progress, note, isFresh: true });
    this.#flushing ??= setTimeout(() => this.#flush(), LOOK_MS).unref();
  }

  drop(jobId: string): void {
    const held = this.#byJob.get(jobId);
    if (!held) return;
    this.#byJob.delete(jobId);
    this.#byHold.delete(held.holdId);
    this.#host.post({ kind: 'drop', holdId: held.holdId });
  }

  async confirm(jobId: string): Promise<boolean> {
    const held = this.#byJob.get(jobId);
    if (!held) return false;
    this.#flush();
    return z.boolean().parse(await this.#host.call({ kind: 'confirm', holdId: held.holdId }));
  }

  setVisibilityTimeout(seconds: number): void {
    if (seconds === this.#visibilityTimeoutS) return;
    this.#visibilityTimeoutS = seconds;
    this.#host.post({ kind: 'visibility', seconds });
  }

  up(): void {
    if (this.#visibilityTimeoutS !== null) this.#host.post({ kind: 'visibility', seconds: this.#visibilityTimeoutS });
    for (const held of this.#byHold.values()) this.#post(held);
  }

  // Leases last minutes: the next thread takes them up.
  down(): void {}

  message(message: FromThread): void {
    if (message.kind !== 'lease' && message.kind !== 'token') return;
    const held = this.#byHold.get(message.holdId);
    if (!held) return;
    const { jobId } = held.lease;
    if (message.kind === 'lease') this.#listener({ kind: message.news, jobId });
    else {
      held.lease.leaseToken = message.leaseToken;
      this.#listener({ kind: 'token', jobId, leaseToken: message.leaseToken });
    }
  }

  #flush(): void {
    if (this.#flushing) clearTimeout(this.#flushing);
    this.#flushing = null;
    const fresh = [...this.#byHold.values()].filter(({ isFresh }) => isFresh);
    for (const held of fresh) held.isFresh = false;
    const reports = fresh.map(({ holdId, progress, note }) => ({ holdId, progress, note }));
    if (reports.length > 0) this.#host.post({ kind: 'reports', reports });
  }

  #post({ holdId, lease, progress, note }: Held): void {
    const { jobId, leaseToken, stallMs } = lease;
    this.#host.post({ kind: 'hold', holdId, jobId, leaseToken, stallMs, progress, note });
  }
}
