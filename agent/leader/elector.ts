import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import {
  type Attempt,
  type ElectionCommand,
  type ElectionEvent,
  type ElectionState,
  type ElectionTimes,
  initialElection,
  type LeaseRow,
  lapseMs,
  nextElection,
  trustedUntil,
} from './election-state.ts';
import { RunningLeaderWork, SETTLE_LIMIT_MS } from './leader-work.ts';
import type { LeaderWork } from './leadership.ts';
import type { LeadershipRenewer } from './leadership-renewer.ts';
import type { LeaseStore } from './lease-store.ts';
import { LoopRenewer } from './loop-renewer.ts';

/** Whether this node may stand for election now; `why` says in words what forbids it. */
export type Eligibility = { eligible: true } | { eligible: false; why: string };

/** What an elector needs. */
export interface ElectorOptions {
  store: LeaseStore;
  runId: string;
  times: ElectionTimes;
  clock: Clock;
  random: () => number;
  log: Logger;
  eligibility(): Eligibility;
  /** Keeps the lease of our leadership; absent: on the main loop. */
  renewer?: LeadershipRenewer;
  /** Leader-only work, started with each leadership. */
  work: readonly LeaderWork[];
  /** Highest term this installation ever stored (its data folder), and where to store a new one. */
  highestTerm: { get(): number; set(term: number): void };
  /** Told at each change: the term of the trusted leadership, or null. */
  onChange: (term: number | null) => void;
  /** How long ended leader work may take to settle before it is left behind. */
  settleLimitMs?: number;
}

/** What others may know of the election. */
export interface ElectionView {
  state: ElectionState['state'];
  /** Term of our trusted leadership. */
  term: number | null;
  /** Run that holds the lease, as last read. */
  holderRunId: string | null;
  /** Whether the lease, as last read, is free. */
  released: boolean;
  /** Term of the lease, as last read; null before the first read. */
  leaseTerm: number | null;
  /** How long the lease has stood still before our eyes; beyond the ttl its holder is silent. */
  silentMs: number;
  /** Milliseconds since the lease was last read or renewed; infinite before the first time. */
  readAgoMs: number;
}

/** Runs the election of one node (README.md): performs what the reducer commands and feeds back what happened. */
export class Elector implements Service {
  readonly #options: ElectorOptions;
  readonly #renewer: LeadershipRenewer;
  readonly #life = new AbortController();
  #state: ElectionState = initialElection;
  #loop: Promise<void> | null = null;
  #leadership: { work: RunningLeaderWork; term: number } | null = null;
  #wakeUp: (() => void) | null = null;
  #lastHolder: { runId: string | null; released: boolean; term: number | null; atMs: number } = {
    runId: null,
    released: true,
    term: null,
    atMs: Number.NEGATIVE_INFINITY,
  };
  #trouble = '';
  #saidTtlMs: number | null = null;
  #aside: { untilMs: number; why: string } | null = null;

  constructor(options: ElectorOptions) {
    this.#options = options;
    this.#renewer = options.renewer ?? new LoopRenewer(options);
    this.#renewer.onTrouble(() => this.#wakeUp?.());
  }

  async start(): Promise<void> {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  /** Steps down, waits for leader work to settle, releases the lease. */
  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  view(): ElectionView {
    const { runId, released, term, atMs } = this.#lastHolder;
    return {
      state: this.#state.state,
      term: this.trustedTerm(),
      holderRunId: runId,
      released,
      leaseTerm: term,
      silentMs: this.#state.state === 'following' ? (this.#state.stood?.stoodMs ?? 0) : 0,
      readAgoMs: this.#options.clock.monotonicMs() - atMs,
    };
  }

  /** Term under which this node may act at this instant, or null. */
  trustedTerm(): number | null {
    const state = this.#state;
    if (state.state !== 'leading') return null;
    return this.#options.clock.monotonicMs() < this.#trustedUntilMs(state) ? state.term : null;
  }

  // Read anew at each question: a main loop that was blocked knows at once what was renewed, or refused, meanwhile.
  #trustedUntilMs({ term, trustedUntilMs }: Extract<ElectionState, { state: 'leading' }>): number {
    const { confirmedMs, isRefused, failure } = this.#renewer.standing(term);
    if (isRefused || failure !== null) return Number.NEGATIVE_INFINITY;
    if (confirmedMs === null) return trustedUntilMs;
    return Math.max(
      trustedUntilMs,
      trustedUntil({ startedMs: confirmedMs, endedMs: confirmedMs }, this.#options.times),
    );
  }

  /** Gives up the leadership, or does not stand for it, for a while; `why` stands in the history of leaderships. */
  stepAside(why: string, forMs: number): void {
    this.#aside = { untilMs: this.#options.clock.monotonicMs() + forMs, why };
    this.wake();
  }

  /** Looks now: whether this node may lead has changed. */
  wake(): void {
    if (this.#state.state === 'leading') this.#wakeUp?.();
  }

  /** Whether this node would stand at this instant; says what is against it, also that it has stepped aside. */
  eligibility(): Eligibility {
    const aside = this.#aside;
    if (aside && this.#options.clock.monotonicMs() < aside.untilMs) return { eligible: false, why: aside.why };
    // Taken over without it, the leadership would end at once, again and again, and keep healthy nodes from leading.
    if (!this.#renewer.isReady())
      return { eligible: false, why: 'the thread that renews leases is just being started' };
    return this.#options.eligibility();
  }

  async #run(): Promise<void> {
    while (!this.#life.signal.aborted) {
      await this.#cycle();
      await this.#pause();
    }
    await this.#dispatch({ kind: 'not-eligible', why: 'the node is stopping' });
  }

  async #pause(): Promise<void> {
    const woken = new AbortController();
    this.#wakeUp = () => woken.abort();
    const signal = AbortSignal.any([woken.signal, this.#life.signal]);
    await this.#options.clock.sleep(this.#waitMs(), signal).catch(() => {});
    this.#wakeUp = null;
  }

  #waitMs(): number {
    const { times, random, clock } = this.#options;
    if (this.#state.state !== 'leading') {
      const lookMs = times.lookMs * (0.7 + 0.6 * random());
      const { lease, stood } = this.#state.state === 'following' ? this.#state : { lease: null, stood: null };
      const lapsesMs = lease && stood ? stood.sinceMs + lapseMs(lease, times) - clock.monotonicMs() : lookMs;
      // The look that proves the lapse comes when it can, not up to a look later.
      return lapsesMs > 0 ? Math.min(lookMs, lapsesMs + 1) : lookMs;
    }
    return Math.max(0, Math.min(times.renewMs, this.#trustedUntilMs(this.#state) - clock.monotonicMs()));
  }

  async #cycle(): Promise<void> {
    const eligibility = this.eligibility();
    if (this.#state.state === 'leading') {
      if (!eligibility.eligible) return this.#dispatch({ kind: 'not-eligible', why: eligibility.why });
      return this.#watch(this.#state);
    }
    const read = await this.#attempt(() => this.#options.store.read());
    if (read.kind === 'unanswered') return;
    const { runId, released, term } = read.value;
    this.#lastHolder = { runId, released, term, atMs: read.attempt.endedMs };
    this.#compareTtl(read.value);
    await this.#dispatch({
      kind: 'lease-read',
      lease: read.value,
      attempt: read.attempt,
      eligible: eligibility.eligible,
    });
  }

  // Two settings make no two leaders, because the longer one counts; but failover takes longer than people expect.
  #compareTtl({ ttlMs = null, runId }: LeaseRow): void {
    const own = this.#options.times.ttlMs;
    if (ttlMs === null || ttlMs === own || runId === this.#options.runId || ttlMs === this.#saidTtlMs) return;
    this.#saidTtlMs = ttlMs;
    const message = `The setting leader-ttl-ms differs between nodes: ${own} here, ${ttlMs} at the node that led last. The longer one counts, so failover may take longer. Set the same value on all nodes.`;
    this.#options.log.warn(message, { ownMs: own, otherMs: ttlMs });
  }

  // What the renewer says of our leadership becomes an event; whichever comes first, its word or the end of trust, counts.
  async #watch(state: Extract<ElectionState, { state: 'leading' }>): Promise<void> {
    const { clock } = this.#options;
    const { confirmedMs, isRefused, failure } = this.#renewer.standing(state.term);
    if (isRefused) return this.#dispatch({ kind: 'renewal-refused' });
    if (failure !== null) return this.#dispatch({ kind: 'not-eligible', why: failure });
    const endedMs = clock.monotonicMs();
    if (endedMs >= this.#trustedUntilMs(state)) return this.#dispatch({ kind: 'trust-ended' });
    if (confirmedMs === null) return;
    this.#lastHolder = { runId: this.#options.runId, released: false, term: state.term, atMs: confirmedMs };
    await this.#dispatch({ kind: 'renewed', attempt: { startedMs: confirmedMs, endedMs } });
  }

  // A holder by a late answer asks once, and waits no longer than the lease can last.
  async #verify(term: number): Promise<void> {
    const { clock, store, times } = this.#options;
    const over = new AbortController();
    const tooLate = clock.sleep(times.ttlMs, over.signal).then(
      () => ({ kind: 'unanswered' }) as const,
      () => ({ kind: 'unanswered' }) as const,
    );
    const answer = await Promise.race([this.#attempt(() => store.renew(term, times.ttlMs)), tooLate]);
    over.abort();
    // Nothing to keep yet: it follows again.
    if (answer.kind === 'unanswered') return this.#dispatch({ kind: 'trust-ended' });
    await this.#dispatch(answer.value ? { kind: 'renewed', attempt: answer.attempt } : { kind: 'renewal-refused' });
  }

  async #attempt<T>(
    call: () => Promise<T>,
  ): Promise<{ kind: 'answered'; value: T; attempt: Attempt } | { kind: 'unanswered' }> {
    const { clock, log } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const value = await call();
      this.#trouble = '';
      return { kind: 'answered', value, attempt: { startedMs, endedMs: clock.monotonicMs() } };
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble) log.warn('The leader lease could not be read or written', { error: message });
      this.#trouble = message;
      return { kind: 'unanswered' };
    }
  }

  /** The one place that assigns state. */
  async #dispatch(event: ElectionEvent): Promise<void> {
    const from = this.#state;
    const { state, commands } = nextElection(from, event, this.#options.times);
    this.#state = state;
    if (from.state !== state.state)
      this.#options.log.debug('Election', { from: from.state, to: state.state, event: event.kind });
    for (const command of commands) await this.#perform(command);
  }

  async #perform(command: ElectionCommand): Promise<void> {
    switch (command.kind) {
      case 'take-over':
        return this.#takeOver(command);
      case 'renew':
        return this.#verify(command.term);
      case 'begin-work':
        return this.#beginWork(command.term);
      case 'end-work':
        return this.#endWork(command.why);
      case 'release':
        await this.#attempt(() => this.#options.store.release(command.term, command.why));
    }
  }

  async #takeOver({ lease, why }: Extract<ElectionCommand, { kind: 'take-over' }>): Promise<void> {
    const { store, highestTerm, times } = this.#options;
    const take = { highestSeen: highestTerm.get(), why, ttlMs: times.ttlMs };
    const answer = await this.#attempt(() => store.takeOver(lease, take));
    if (answer.kind === 'unanswered') return this.#dispatch({ kind: 'take-over-unanswered' });
    if (answer.value === null) return this.#dispatch({ kind: 'take-over-lost' });
    await this.#dispatch({ kind: 'take-over-won', term: answer.value, attempt: answer.attempt });
  }

  async #beginWork(term: number): Promise<void> {
    const { work, runId, clock, log, onChange, settleLimitMs = SETTLE_LIMIT_MS } = this.#options;
    this.#renewer.begin(term);
    this.#rememberTerm(term);
    log.info(`This node leads the cluster (term ${term})`, { term });
    const of = { term, runId, isTrusted: () => this.trustedTerm() === term };
    this.#leadership = { work: new RunningLeaderWork(of, { work, clock, log, settleLimitMs }), term };
    onChange(term);
  }

  // Only a database restored from a backup needs the file; a full disk must not end the agent.
  #rememberTerm(term: number): void {
    try {
      this.#options.highestTerm.set(term);
    } catch (thrown) {
      this.#options.log.warn('The term could not be written to the data folder', {
        error: coerceError(thrown).message,
      });
    }
  }

  async #endWork(why: string): Promise<void> {
    const leadership = this.#leadership;
    if (!leadership) return;
    this.#options.log.info(`This node leads no longer: ${why}`, { term: leadership.term });
    this.#renewer.end();
    const settled = leadership.work.end();
    this.#leadership = null;
    this.#options.onChange(null);
    await this.#dispatch({ kind: (await settled) ? 'work-settled' : 'work-left-behind' });
  }
}
