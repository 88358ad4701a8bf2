import type { DrillState } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import {
  COMPLETED,
  chooseSuccessor,
  DRILL_LIMIT_MS,
  type DrillMember,
  notCompleted,
  type OpenDrill,
  partIn,
  TURN_MS,
  whyUnfit,
} from './drill-state.ts';
import type { DrillReport, DrillStore } from './drill-store.ts';
import { SETTLE_LIMIT_MS } from './leader-work.ts';
import type { Leadership, LeaderWork } from './leadership.ts';
import type { NamedSuccessor } from './lease-store.ts';

/** What a drill needs. */
export interface FailoverDrillOptions {
  store: DrillStore;
  runId: string;
  members: () => readonly DrillMember[];
  /** Names the run that goes first at a release that comes soon; null takes it back. */
  nameSuccessor: (named: NamedSuccessor | null) => void;
  /** Gives up the leadership and does not stand for it for a while. */
  stepAside: (why: string, forMs: number) => void;
  /** Longest time until the elector sees that it is to step aside, milliseconds. */
  asideMs: number;
  clock: Clock;
  log: Logger;
  /** Told when there is something new to show. */
  onChange: () => void;
  turnMs?: number;
}

const POLL_MS = 250;
const RETRY_MS = 1_000;

/**
 * The failover drill of one node, both sides of it: begins one while the node leads, and, as work of a leader, plays this
 * node's part in one that is open. What goes wrong ends the drill and never the leadership.
 */
export class FailoverDrill implements LeaderWork {
  readonly name = 'failover drill';
  readonly #options: Required<FailoverDrillOptions>;
  readonly #life = new AbortController();
  #leadership: Leadership | null = null;
  #last: DrillState | null = null;

  constructor(options: FailoverDrillOptions) {
    this.#options = { turnMs: TURN_MS, ...options };
  }

  /** The drill that this run asked for last; null when it asked for none. */
  last(): DrillState | null {
    return this.#last;
  }

  /** Why none can begin now; null when one can. */
  refusal(): string | null {
    if (this.#leadership === null) return 'This node does not lead; a drill begins at the leading node.';
    if (this.#last?.phase === 'handing-over' || this.#last?.phase === 'handing-back') return 'A drill goes on already.';
    const choice = chooseSuccessor(this.#options.members(), this.#options.runId);
    return 'why' in choice ? choice.why : null;
  }

  /**
   * Begins a drill and answers who is to lead meanwhile; how it goes on shows in `last()`. Throws with the reason when none
   * can begin.
   */
  async begin(): Promise<{ successor: string }> {
    const { store, members, runId, clock, log } = this.#options;
    const why = this.refusal();
    const leadership = this.#leadership;
    const choice = chooseSuccessor(members(), runId);
    if (why !== null || leadership === null || 'why' in choice)
      throw new IsgError('unexpected', `No failover drill was begun. ${why ?? ''}`.trim(), { retry: 'transient' });
    const { successor } = choice;
    const before = this.#last;
    this.#show({ phase: 'handing-over', toName: successor.name, why: '', startedMs: clock.wallMs(), ...NO_TIMES });
    try {
      const drillId = await store.begin(leadership, successor);
      log.info(`Failover drill: the leadership is handed to ${successor.name} and back`, { drillId });
      this.#handTo(successor.runId, `failover drill: ${successor.name} leads for a moment`);
      void this.#follow(drillId);
    } catch (thrown) {
      // It may have been written although no answer came; left open, it would keep the next leader busy.
      await store.endBegun(leadership, notCompleted('its begin was not confirmed')).catch(() => {});
      this.#show(before);
      throw thrown;
    }
    return { successor: successor.name };
  }

  /** This node's part in an open drill, at the begin of a leadership; then waits for its end. */
  async run(leadership: Leadership): Promise<void> {
    this.#leadership = leadership;
    try {
      await this.#playPart(leadership);
      await untilAborted(leadership.signal);
    } finally {
      if (this.#leadership === leadership) this.#leadership = null;
    }
  }

  /** Stops watching the drill that this run asked for. */
  stop(): void {
    this.#life.abort();
  }

  async #playPart(leadership: Leadership): Promise<void> {
    const { store, clock, log, runId } = this.#options;
    const player = { runId, term: leadership.term, turnOf: null as string | null };
    while (!leadership.signal.aborted) {
      try {
        const drill = await store.open();
        const part = drill === null ? { kind: 'none' as const } : partIn(drill, player);
        if (drill !== null && part.kind === 'turn') {
          player.turnOf = drill.drillId;
          await this.#takeTurn(leadership, drill);
        }
        if (drill !== null && part.kind === 'end') await this.#end(leadership, drill, part.outcome);
        return;
      } catch (thrown) {
        log.debug('The state of failover drills could not be read or written', { error: coerceError(thrown).message });
        await clock.sleep(RETRY_MS, leadership.signal).catch(() => {});
      }
    }
  }

  async #takeTurn(leadership: Leadership, drill: OpenDrill): Promise<void> {
    const { store, clock, members, turnMs } = this.#options;
    if (!drill.isHandedOver) await store.markHandedOver(leadership, drill.drillId);
    if (!drill.isTurnOver) await clock.sleep(turnMs, leadership.signal);
    const initiator = members().find(({ runId }) => runId === drill.fromRun);
    const unfit = whyUnfit(initiator);
    if (unfit !== null) {
      const who = initiator?.name ?? 'the node that asked for it';
      return this.#end(
        leadership,
        drill,
        notCompleted(`the leadership was not handed back to ${who}, because ${unfit}`),
      );
    }
    await store.markTurnOver(leadership, drill.drillId);
    this.#handTo(drill.fromRun, `failover drill: ${initiator?.name} leads again`);
  }

  // The name holds until the release that follows from stepping aside, and for none that comes later for another reason.
  #handTo(runId: string, why: string): void {
    const { nameSuccessor, stepAside, asideMs } = this.#options;
    nameSuccessor({ runId, forMs: asideMs + SETTLE_LIMIT_MS });
    stepAside(why, asideMs);
  }

  async #end(leadership: Leadership, drill: OpenDrill, outcome: string): Promise<void> {
    await this.#options.store.end(leadership, drill.drillId, outcome);
    this.#options.log.info(`Failover drill ${outcome}`, { drillId: drill.drillId });
  }

  // Watched from outside, so that the operator learns the end also when this node does not lead again.
  async #follow(drillId: string): Promise<void> {
    const { clock, nameSuccessor } = this.#options;
    const deadlineMs = clock.monotonicMs() + DRILL_LIMIT_MS;
    let why = 'the database did not tell its end in time';
    while (!this.#life.signal.aborted && clock.monotonicMs() < deadlineMs) {
      await clock.sleep(POLL_MS, this.#life.signal).catch(() => {});
      const report = await this.#options.store.report(drillId).catch(() => null);
      if (report === null) continue;
      if (report.outcome !== null) return this.#showEnd(report.outcome, report);
      why = report.isHandedOver
        ? 'the leadership did not come back in time'
        : 'the leadership was not taken over in time';
      const phase = report.isHandedOver ? 'handing-back' : 'handing-over';
      if (this.#last && this.#last.phase !== phase) this.#show({ ...this.#last, phase, ...timesOf(report) });
    }
    nameSuccessor(null);
    this.#showEnd(notCompleted(why), null);
    await this.#endOverdue(drillId, notCompleted(why));
  }

  async #endOverdue(drillId: string, outcome: string): Promise<void> {
    const leadership = this.#leadership;
    if (leadership === null || this.#life.signal.aborted) return;
    await this.#options.store.end(leadership, drillId, outcome).catch(() => {
      // Whoever leads next ends it.
    });
  }

  #showEnd(outcome: string, report: DrillReport | null): void {
    if (this.#last === null) return;
    const phase = outcome === COMPLETED ? 'completed' : 'not-completed';
    const why = outcome.replace(/^not completed: /, '');
    this.#show({ ...this.#last, phase, why: phase === 'completed' ? '' : why, ...(report ? timesOf(report) : {}) });
  }

  #show(state: DrillState | null): void {
    this.#last = state;
    this.#options.onChange();
  }
}

const NO_TIMES = { handOverMs: null, totalMs: null, outGapMs: null, backGapMs: null };
const whole = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
const timesOf = ({ handOverMs, totalMs, outGapMs, backGapMs }: DrillReport) => ({
  handOverMs: whole(handOverMs),
  totalMs: whole(totalMs),
  outGapMs: whole(outGapMs),
  backGapMs: whole(backGapMs),
});

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
