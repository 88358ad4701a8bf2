import type { RequestPace } from '../../iconik/request-budget.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coerceError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import { demandOf, type HeldShare, nextShareStep, planShares, type ShareRow } from './share-plan.ts';
import type { ShareLedger, ShareStore } from './share-store.ts';

/** A worker as the membership sees it. */
export interface ShareMember {
  runId: string;
  isAlive: boolean;
  leads: boolean;
}

/** What sharing the budget needs. */
export interface RequestShareOptions {
  store: ShareStore;
  runId: string;
  /** Requests a second of all nodes of the credential together; the same number on all of them. */
  perSecond: number;
  pace: RequestPace;
  members(): readonly ShareMember[];
  /** Milliseconds since the database last confirmed that this run is alive. */
  confirmedAgoMs(): number;
  isLeader(): boolean;
  clock: Clock;
  log: Logger;
  /** Between two looks at the ledger, milliseconds; default 1000. */
  lookMs?: number;
}

/** A run that is not confirmed for this long sends next to nothing: after 6 s (heartbeat-lapse-ms) others take its share. */
const TRUST_MS = 5_000;
/** Without a share (starting, cut off from the database): enough to tell iconik how this node is. Not part of the budget. */
const WITHOUT_SHARE_PER_SECOND = 1;
/** Looks whose load counts, so that a short rest gives nothing away. */
const REMEMBERED_LOOKS = 5;
/** A run that no worker row names any more is gone after as many looks. */
const GONE_AFTER_LOOKS = 8;

/** This node's share of the requests that its credential may send: taken, lent and taken back through the ledger. */
export class RequestShare implements Service {
  readonly #options: Required<RequestShareOptions>;
  readonly #life = new AbortController();
  readonly #absentLooks = new Map<string, number>();
  readonly #loads: number[] = [];
  #last: { admitted: number; atMs: number };
  #held = 0;
  #told: HeldShare | null = null;
  #throttles: number | null = null;
  #loop: Promise<void> | null = null;
  #trouble = '';

  constructor(options: RequestShareOptions) {
    this.#options = { lookMs: 1_000, ...options };
    const { pace, clock, perSecond } = this.#options;
    this.#last = { admitted: pace.load().admitted, atMs: clock.monotonicMs() };
    pace.follow(() => this.perSecond(), perSecond);
    pace.onThrottle((pauseMs) => void this.#tellThrottled(pauseMs));
  }

  /** Requests a second that this node may send at this instant. */
  perSecond(): number {
    const isTrusted = this.#options.confirmedAgoMs() < TRUST_MS;
    return isTrusted && this.#held > 0 ? this.#held : WITHOUT_SHARE_PER_SECOND;
  }

  /** Takes a share if one is free at once; never throws. */
  async start(): Promise<void> {
    if (this.#loop) return;
    await this.look();
    this.#loop = this.#run();
  }

  /** Gives the share back. */
  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
    this.#held = 0;
    await this.#options.store.leave(this.#options.runId).catch(() => {
      // The database is away: the others strike this run out when its heartbeat has lapsed.
    });
  }

  /** One look at the ledger and the step that follows from it; never throws. */
  async look(): Promise<void> {
    try {
      await this.#step(await this.#options.store.read());
      this.#trouble = '';
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble)
        this.#options.log.warn('The requests to iconik cannot be divided among the nodes', { error: message });
      this.#trouble = message;
    }
  }

  async #run(): Promise<void> {
    const { clock, lookMs } = this.#options;
    const { signal } = this.#life;
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal).catch(() => {});
      if (!signal.aborted) await this.look();
    }
  }

  async #step(ledger: ShareLedger): Promise<void> {
    const { runId, perSecond: budget, store } = this.#options;
    this.#pauseWithOthers(ledger);
    const own = ledger.rows.find((row) => row.runId === runId);
    // What the ledger says is what others count with, be it less (struck out) or more (an answer that was lost).
    this.#held = own?.heldPerSecond ?? 0;
    const demandPerSecond = this.#demand();
    const gone = this.#gone(ledger);
    const standing = ledger.rows.filter((row) => !gone.includes(row.runId));
    const planned = planShares(this.#planRows(standing, demandPerSecond), budget).get(runId) ?? 0;
    const step = nextShareStep({ runId, planned, ledger: standing, budget });
    if (step.kind === 'raise') {
      const share = { runId, demandPerSecond, heldPerSecond: step.toPerSecond };
      const isRaised = await store.raise(share, { version: ledger.version, gone });
      if (isRaised) this.#held = step.toPerSecond;
      if (isRaised) this.#told = share;
      else await this.#tell({ ...share, heldPerSecond: this.#held }, own);
      return;
    }
    // Less is sent from here on, before the others can know of it.
    if (step.kind === 'release') this.#held = step.toPerSecond;
    await this.#tell({ runId, demandPerSecond, heldPerSecond: this.#held }, own);
  }

  /** Writes only what is news. */
  async #tell(share: HeldShare, own: HeldShare | undefined): Promise<void> {
    const isNews =
      !own || own.demandPerSecond !== share.demandPerSecond || own.heldPerSecond > share.heldPerSecond || !this.#told;
    if (!isNews) return;
    await this.#options.store.release(share);
    this.#told = share;
  }

  #planRows(standing: readonly HeldShare[], demandPerSecond: number): ShareRow[] {
    const { members, runId, isLeader } = this.#options;
    const leads = new Set(members().flatMap((member) => (member.leads ? [member.runId] : [])));
    const others = standing
      .filter((row) => row.runId !== runId)
      .map((row) => ({ runId: row.runId, isLeader: leads.has(row.runId), demandPerSecond: row.demandPerSecond }));
    return [...others, { runId, isLeader: isLeader(), demandPerSecond }];
  }

  /** Runs of the ledger that send nothing any more: dead in the eyes of this node, or replaced by a later run for long. */
  #gone(ledger: ShareLedger): string[] {
    const members = new Map(this.#options.members().map((member) => [member.runId, member]));
    const gone: string[] = [];
    for (const { runId } of ledger.rows) {
      if (runId === this.#options.runId) continue;
      const member = members.get(runId);
      const absent = member ? 0 : (this.#absentLooks.get(runId) ?? 0) + 1;
      this.#absentLooks.set(runId, absent);
      if (member?.isAlive === false || absent >= GONE_AFTER_LOOKS) gone.push(runId);
    }
    return gone;
  }

  #demand(): number {
    const { pace, clock, perSecond } = this.#options;
    const { admitted, waiting } = pace.load();
    const nowMs = clock.monotonicMs();
    const seconds = Math.max(0.001, (nowMs - this.#last.atMs) / 1_000);
    const sentPerSecond = (admitted - this.#last.admitted) / seconds;
    this.#last = { admitted, atMs: nowMs };
    this.#loads.push(demandOf({ sentPerSecond, waiting }, perSecond));
    if (this.#loads.length > REMEMBERED_LOOKS) this.#loads.shift();
    return Math.max(...this.#loads);
  }

  #pauseWithOthers({ throttles, pauseMs }: ShareLedger): void {
    const isNews = this.#throttles !== null && throttles > this.#throttles;
    this.#throttles = Math.max(throttles, this.#throttles ?? 0);
    if (isNews) this.#options.pace.pause(pauseMs);
  }

  async #tellThrottled(pauseMs: number): Promise<void> {
    try {
      const number = await this.#options.store.throttled(pauseMs);
      // Our own pause is no news to us; one of another node meanwhile is.
      if (this.#throttles !== null && number === this.#throttles + 1) this.#throttles = number;
    } catch {
      // ignored because each node learns of the limit from its own answers, too
    }
  }
}
