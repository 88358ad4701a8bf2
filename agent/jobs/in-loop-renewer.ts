import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { JobStore } from './job-store.ts';
import {
  BUSY_PAUSE_MS,
  BUSY_TRIES,
  type HeldLease,
  type LeaseNews,
  type LeaseRenewer,
  rowBusy,
} from './lease-renewer.ts';

/** What a renewer in the main loop needs. */
export interface InLoopRenewerOptions {
  store: Pick<JobStore, 'renew'>;
  clock: Clock;
  log: Logger;
  /** Longest time between two renewals, milliseconds; default 2000. */
  renewMs?: number;
}

interface Held extends HeldLease {
  progress: number;
  note: string;
  lastLifeMs: number;
  stalled: boolean;
}

const RENEW_MS = 2_000;

/** Renews leases from the loop the jobs run in. Runs while it holds any; what blocks that loop delays the renewals. */
export class InLoopRenewer implements LeaseRenewer {
  readonly #options: Required<InLoopRenewerOptions>;
  readonly #held = new Map<string, Held>();
  #listener: (news: LeaseNews) => void = () => {};
  #visibilityTimeoutS = 3_600;
  #pause = new AbortController();
  #isRunning = false;
  #underWay: Promise<void> | null = null;
  #trouble = '';
  #readMs: number | null = null;

  constructor(options: InLoopRenewerOptions) {
    this.#options = { renewMs: RENEW_MS, ...options };
  }

  onNews(listener: (news: LeaseNews) => void): void {
    this.#listener = listener;
  }

  hold(lease: HeldLease): void {
    const lastLifeMs = this.#turnMs();
    this.#held.set(lease.jobId, { ...lease, progress: 0, note: '', lastLifeMs, stalled: false });
    if (!this.#isRunning) void this.#run();
  }

  report(jobId: string, progress: number, note: string): void {
    const held = this.#held.get(jobId);
    if (held) Object.assign(held, { progress, note, lastLifeMs: this.#options.clock.monotonicMs() });
  }

  drop(jobId: string): void {
    this.#held.delete(jobId);
    if (this.#held.size === 0) this.#pause.abort();
  }

  async confirm(jobId: string): Promise<boolean> {
    const held = this.#held.get(jobId);
    if (!held) return false;
    // A renewal under way may have taken the job back under a new token: asked with the old one, it would count as lost.
    await this.#underWay?.catch(() => {
      // ignored because the loop deals with it
    });
    if (this.#held.get(jobId) !== held) return false;
    for (let asked = 1; await this.#renew([held]); asked++) {
      if (asked >= BUSY_TRIES) throw rowBusy();
      await this.#options.clock.sleep(BUSY_PAUSE_MS);
    }
    held.lastLifeMs = this.#options.clock.monotonicMs();
    return this.#held.get(jobId) === held;
  }

  setVisibilityTimeout(seconds: number): void {
    this.#visibilityTimeoutS = seconds;
  }

  // Hundreds of leases are held in one go, and reading a clock that counts sleep takes longer than all the rest of it.
  #turnMs(): number {
    if (this.#readMs === null) {
      this.#readMs = this.#options.clock.monotonicMs();
      queueMicrotask(() => {
        this.#readMs = null;
      });
    }
    return this.#readMs;
  }

  async #run(): Promise<void> {
    const { clock, renewMs, log } = this.#options;
    this.#isRunning = true;
    while (this.#held.size > 0) {
      this.#pause = new AbortController();
      const everyMs = Math.min(renewMs, (this.#visibilityTimeoutS * 1_000) / 4);
      await clock.sleep(everyMs, this.#pause.signal).catch(() => {});
      if (this.#pause.signal.aborted) continue;
      try {
        this.#underWay = this.#renewAll();
        await this.#underWay;
        this.#trouble = '';
      } catch (thrown) {
        const { message } = coerceError(thrown);
        if (message !== this.#trouble) log.warn('Leases could not be renewed yet', { error: message });
        this.#trouble = message;
      }
    }
    this.#isRunning = false;
  }

  async #renewAll(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    for (const held of this.#held.values()) {
      if (held.stalled || nowMs - held.lastLifeMs < held.stallMs) continue;
      held.stalled = true;
      this.#listener({ kind: 'stalled', jobId: held.jobId });
    }
    const living = [...this.#held.values()].filter(({ stalled }) => !stalled);
    if (living.length > 0) await this.#renew(living);
  }

  /** Answers whether a row was in the hands of another transaction. */
  async #renew(asked: readonly Held[]): Promise<boolean> {
    const items = asked.map(({ jobId, leaseToken, progress, note }) => ({ jobId, leaseToken, progress, note }));
    const renewed = await this.#options.store.renew(items, this.#visibilityTimeoutS);
    const answers = new Map(renewed.map((answer) => [answer.jobId, answer]));
    for (const [at, held] of asked.entries()) {
      // Dropped, or confirmed under a newer token, while this renewal was on its way: it says nothing any more.
      if (this.#held.get(held.jobId) !== held || held.leaseToken !== items[at]?.leaseToken) continue;
      this.#tell(held, answers.get(held.jobId));
    }
    return renewed.some(({ isBusy }) => isBusy);
  }

  #tell(held: Held, answer: { leaseToken: string; cancelRequested: boolean } | undefined): void {
    const { jobId } = held;
    if (!answer) {
      this.drop(jobId);
      this.#listener({ kind: 'lost', jobId });
      return;
    }
    if (answer.leaseToken !== held.leaseToken) {
      held.leaseToken = answer.leaseToken;
      this.#listener({ kind: 'token', jobId, leaseToken: answer.leaseToken });
    }
    if (answer.cancelRequested) this.#listener({ kind: 'cancel-requested', jobId });
  }
}
