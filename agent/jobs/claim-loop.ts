import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClaimReach, EndVerdict, LaneDemand, Lease, LeaseEnd } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, type IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ClaimedJob, JobStore, UnfitJob } from './job-store.ts';
import { beside } from './lane.ts';

/** What a claim loop needs; functions answer for this instant. */
export interface ClaimLoopOptions {
  store: JobStore;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** Pause between two looks at the queue while slots are free, milliseconds. */
  pollMs: number;
  /** Pause between two looks for leases of this run that it knows nothing of, milliseconds. */
  strayMs: number;
  /** Free slots, those included that the jobs in `ending` hold. */
  demand(ending: ReadonlySet<Lease>): LaneDemand[];
  reach(): ClaimReach;
  /** Ids of all jobs in this process. */
  known(): string[];
  begin(claimed: ClaimedJob): void;
  /** Told of a job that was leased and cannot be read; its lease is to be ended. */
  unfit(job: UnfitJob): void;
}

interface PendingEnd {
  claimed: Lease;
  end: LeaseEnd;
  attempts: number;
  settle: PromiseWithResolvers<EndVerdict>;
}

/** A statement on its way. */
interface Sent {
  ends: readonly PendingEnd[];
  lanes: readonly LaneDemand[];
}

/** Most ends, and most claims of a lane, in one statement; and how many are worth a statement beside others. */
const LOAD = 500;
/** With so many statements on their way none is sent beside them; more were not faster. */
const AT_ONCE = 3;
/** Pause after a statement that failed, milliseconds. */
const RETRY_MS = 500;
/** Tries to store an end once the node stops. */
const STOP_ATTEMPTS = 3;
/** Jobs whose waiting time is over are looked for this often, milliseconds. */
const DEFERRED_MS = 500;

/**
 * The one conversation of a node with the queue. All jobs that ended while a statement was on its way go into the next
 * one, together with the claim for the slots they free. One statement at a time, because more would only wait for each
 * other; but a full load of ends goes with one of its own beside those on their way: then the server works on the one
 * while the jobs of the other run. While none is on its way everything that is leased here is known here.
 */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  #pending: PendingEnd[] = [];
  #isClaiming = true;
  #isOver = false;
  #isWoken = false;
  #wakeUp: (() => void) | null = null;
  #trouble = '';
  #lookTrouble = '';
  #nextStrayMs = 0;
  #nextDeferredMs = 0;
  #loop: Promise<void> | null = null;
  readonly #sent = new Set<Sent>();
  /** Leases whose ends are on their way. */
  readonly #ending = new Set<Lease>();
  /** The statements beside the loop's own, one after the other, while there are full loads. */
  readonly #beside = new Set<Promise<void>>();
  /** A look for strays is due or under way: nothing is sent beside the loop's own statements. */
  #isLooking = false;
  /** The last claim brought a full load. */
  #isRich = false;
  /** The last statement left slots for another full load. */
  #hasRoom = false;
  /** Resolve when no statement is on its way any more. */
  #quiet: (() => void)[] = [];

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Looks at the queue now instead of at the next poll. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  /**
   * Ends a lease with the next statement. The result of finished work is not thrown away because the database is away:
   * it is offered again until the database answers, or the node stops (then it throws what the database threw). Throws a
   * permanent error when the database refuses this end for good.
   */
  end(claimed: Lease, end: LeaseEnd): Promise<EndVerdict> {
    const settle = Promise.withResolvers<EndVerdict>();
    this.#pending.push({ claimed, end, attempts: 0, settle });
    if (this.#pending.length >= LOAD) this.#sendBeside();
    this.wake();
    return settle.promise;
  }

  /** Claims nothing more; ends are still stored. Resolves when no claim is on its way any more. */
  async stopClaiming(): Promise<void> {
    this.#isClaiming = false;
    await this.#untilQuiet();
  }

  /** Resolves when every end given so far is stored, or was tried often enough. */
  async close(): Promise<void> {
    this.#isClaiming = false;
    this.#isOver = true;
    this.wake();
    await this.#loop;
  }

  #sendBeside(): void {
    if (this.#isOver || !this.#mayGoBeside()) return;
    const sending: Promise<void> = this.#sendLoads().finally(() => this.#beside.delete(sending));
    this.#beside.add(sending);
  }

  #mayGoBeside(): boolean {
    return !this.#isLooking && this.#sent.size > 0 && this.#sent.size < AT_ONCE && this.#hasLoad();
  }

  async #sendLoads(): Promise<void> {
    while (this.#mayGoBeside()) {
      await this.#guardedRound();
      // What it brought may be over in the same turn.
      await nextTurn();
    }
  }

  #hasLoad(): boolean {
    return this.#pending.length >= LOAD || (this.#isClaiming && this.#isRich && this.#hasRoom);
  }

  async #untilQuiet(): Promise<void> {
    if (this.#sent.size > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  async #run(): Promise<void> {
    while (!this.#isOver || this.#pending.length > 0 || this.#beside.size > 0) {
      const again = await this.#guardedRound();
      if (this.#trouble === '') await this.#lookAround();
      if (again) continue;
      if (this.#isOver && this.#pending.length === 0) await Promise.all(this.#beside);
      else await this.#pause();
    }
  }

  async #guardedRound(): Promise<boolean> {
    try {
      const again = await this.#round();
      this.#trouble = '';
      return again;
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble) this.#options.log.warn('The job queue does not answer', { error: message });
      this.#trouble = message;
      await this.#options.clock.sleep(RETRY_MS);
      return true;
    }
  }

  // Handlers that end in the same turn go together.
  async #pause(): Promise<void> {
    const { clock, pollMs, random } = this.#options;
    if (!this.#isWoken) {
      const woken = new AbortController();
      // Once, and with a reason: a job costs less than the error that an abort makes up by itself.
      this.#wakeUp = () => {
        this.#wakeUp = null;
        woken.abort('woken');
      };
      await clock.sleep(pollMs * (0.8 + 0.4 * random()), woken.signal).catch(() => {});
      this.#wakeUp = null;
    }
    this.#isWoken = false;
    await nextTurn();
  }

  // The answer to a claim (or to a renewal that took a job back) can get lost after the database has committed it: nobody
  // would run that job until its lease runs out. Between claims, what is leased here and not known is such a stray.
  // It comes after the round and for itself: no end waits for it, whatever it meets.
  async #lookAround(): Promise<void> {
    if (!this.#isClaiming) return;
    try {
      await this.#releaseAndFree();
      this.#lookTrouble = '';
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#lookTrouble) {
        this.#options.log.warn('Deferred and stray jobs could not be looked for', { error: message });
      }
      this.#lookTrouble = message;
    }
  }

  async #releaseAndFree(): Promise<void> {
    const { store, clock, strayMs, log } = this.#options;
    if (clock.monotonicMs() >= this.#nextDeferredMs) {
      if ((await store.releaseDeferred()) > 0) this.wake();
      this.#nextDeferredMs = clock.monotonicMs() + DEFERRED_MS;
    }
    if (clock.monotonicMs() < this.#nextStrayMs) return;
    // The statement beside the loop's own is not waited for: the look comes after it, before another one is sent beside.
    this.#isLooking = true;
    if (this.#sent.size > 0) return;
    const freed = await store.freeStray(this.#options.known()).finally(() => {
      this.#isLooking = false;
    });
    this.#nextStrayMs = clock.monotonicMs() + strayMs;
    if (freed > 0) log.warn(`Gave back ${freed} jobs that were leased without this node's knowing`, { freed });
  }

  /** One statement, if there is anything to say. True when the next one should follow at once. */
  async #round(): Promise<boolean> {
    const options = this.#options;
    const ends = this.#takePending();
    const lanes = this.#isClaiming ? this.#demand() : [];
    if (ends.length === 0 && lanes.length === 0) return false;
    const asked = ends.map(({ claimed: { jobId, leaseToken }, end }) => ({ lease: { jobId, leaseToken }, end }));
    const sent: Sent = { ends, lanes };
    this.#sent.add(sent);
    this.#sendBeside();
    try {
      const { claimed, unfit, verdicts } = await options.store.exchange(asked, lanes, options.reach());
      for (const [at, pending] of ends.entries()) this.#settle(pending, asked[at]?.lease.leaseToken, verdicts);
      for (const job of claimed) options.begin(job);
      for (const job of unfit ?? []) options.unfit(job);
      this.#isRich = claimed.length >= LOAD;
      return claimed.length > 0;
    } catch (thrown) {
      await this.#keep(ends, coerceError(thrown));
      throw thrown;
    } finally {
      this.#sent.delete(sent);
      for (const { claimed } of ends) this.#ending.delete(claimed);
      if (this.#sent.size === 0) for (const resolve of this.#quiet.splice(0)) resolve();
    }
  }

  // Beside a statement on its way: the jobs that it ends hold no slots, the slots that it claims are taken.
  #demand(): LaneDemand[] {
    const taken = [...this.#sent].flatMap(({ lanes }) => lanes);
    const open = this.#options.demand(this.#ending).flatMap((lane) => beside(lane, taken) ?? []);
    this.#hasRoom = open.some(({ slots, takenByProfile }) => !takenByProfile && slots >= 2 * LOAD);
    return open.map((lane) => (lane.takenByProfile ? lane : { ...lane, slots: Math.min(LOAD, lane.slots) }));
  }

  // At most one end per job: a job leased anew may have those of two leases.
  #takePending(): PendingEnd[] {
    const taken = new Map<string, PendingEnd>();
    const left: PendingEnd[] = [];
    for (const pending of this.#pending) {
      const { jobId } = pending.claimed;
      if (taken.size < LOAD && !taken.has(jobId)) taken.set(jobId, pending);
      else left.push(pending);
    }
    this.#pending = left;
    for (const { claimed } of taken.values()) this.#ending.add(claimed);
    if (left.length > 0) this.#isWoken = true;
    return [...taken.values()];
  }

  #settle(pending: PendingEnd, token: string | undefined, verdicts: ReadonlyMap<string, EndVerdict>): void {
    const verdict = verdicts.get(pending.claimed.jobId) ?? 'lost';
    // Freed and taken back while the statement was on its way: ended under the new token by the next one.
    const isTakenBack = verdict === 'lost' && pending.claimed.leaseToken !== token;
    if (isTakenBack) this.#pending.push(pending);
    else pending.settle.resolve(verdict);
  }

  async #keep(ends: readonly PendingEnd[], error: IsgError): Promise<void> {
    // A row in the hands of another transaction must hold up its own end only: not the others, and no claim.
    if (error.code === 'database-conflict') {
      const ending: Promise<void> = this.#endOneByOne(ends).finally(() => this.#beside.delete(ending));
      this.#beside.add(ending);
      return;
    }
    for (const pending of ends) {
      pending.attempts += 1;
      // One end that the database does not take must not hold up the others.
      if (error.retry !== 'permanent' && !this.#isClaiming && pending.attempts >= STOP_ATTEMPTS)
        pending.settle.reject(error);
      else if (error.retry !== 'permanent' || !(await this.#endAlone(pending))) this.#pending.push(pending);
    }
  }

  async #endOneByOne(ends: readonly PendingEnd[]): Promise<void> {
    for (let left = ends; left.length > 0; ) {
      const again: PendingEnd[] = [];
      for (const pending of left) if (!(await this.#endAlone(pending))) again.push(pending);
      left = again;
      if (left.length > 0) await this.#options.clock.sleep(RETRY_MS);
    }
  }

  /** False when it is to be tried again. */
  async #endAlone(pending: PendingEnd): Promise<boolean> {
    try {
      pending.settle.resolve(await this.#options.store.end(pending.claimed, pending.end));
    } catch (thrown) {
      const error = coerceError(thrown);
      if (error.retry === 'transient' && this.#isClaiming) return false;
      pending.settle.reject(error);
    }
    return true;
  }
}
