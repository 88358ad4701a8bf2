import { beat, type WorkerStatus } from '../../../db/queries/worker.ts';
import type { WarmConnection } from '../../../db/warm-connection.ts';
import { coerceError, IsgError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { BeatAnswer } from '../../heartbeat.ts';
import type { PulseMemory } from '../pulse-memory.ts';
import type { Lanes } from './lanes.ts';

/** What the heartbeat needs. */
export interface BeatPulseOptions {
  memory: PulseMemory;
  lanes: Lanes;
  self: { workerId: string; runId: string; name: string };
  beatMs: number;
  nowMs: () => number;
  /** Whether the main loop lives. */
  mayRenew: () => boolean;
  log: Logger;
  onAnswer: (answer: BeatAnswer) => void;
}

/** After a beat that failed; the next one goes over another connection. */
const RETRY_MS = 250;
/** How long a beat that is asked for now waits for a connection. */
const LANE_PATIENCE_MS = 3_000;

const stopped = () => new IsgError('stopped', 'The heartbeat of this node has ended.', { retry: 'permanent' });

/** Sends the heartbeat with the status that the main loop said last. */
export class BeatPulse {
  readonly #options: BeatPulseOptions;
  readonly #underWay = new Set<Promise<unknown>>();
  #status: WorkerStatus = { roles: [], availability: 'degraded', reason: 'The node is starting.', health: [] };
  #isOn = false;
  #isStopped = false;
  #isBeating = false;
  #dueMs = Number.NEGATIVE_INFINITY;
  #trouble = '';

  constructor(options: BeatPulseOptions) {
    this.#options = options;
  }

  say(status: WorkerStatus): void {
    this.#status = status;
  }

  start(): void {
    this.#isOn = !this.#isStopped;
  }

  /** Beats when that is due; called at each tick and freed connection. */
  step(): void {
    const { nowMs, beatMs, mayRenew, lanes } = this.#options;
    const atMs = nowMs();
    if (!this.#isOn || this.#isBeating || atMs < this.#dueMs || !mayRenew()) return;
    const lane = lanes.take();
    if (!lane) return;
    this.#isBeating = true;
    // Keeps its pace: a tick that came late does not shift all that follow.
    this.#dueMs = Math.max(this.#dueMs + beatMs, atMs + beatMs / 2);
    void this.#beatOnce(lane);
  }

  async #beatOnce(lane: WarmConnection): Promise<void> {
    try {
      this.#options.onAnswer(await this.#beat(lane));
      this.#trouble = '';
    } catch (thrown) {
      this.#dueMs = this.#options.nowMs() + RETRY_MS;
      const { message } = coerceError(thrown);
      if (message !== this.#trouble)
        this.#options.log.warn('The heartbeat does not reach the database', { error: message });
      this.#trouble = message;
    } finally {
      this.#isBeating = false;
    }
  }

  /** One beat at once. Throws `database-…` when it is not confirmed, `stopped` once the beats have ended. */
  async beatNow(): Promise<BeatAnswer> {
    if (this.#isStopped) throw stopped();
    return this.#beat(this.#options.lanes.take() ?? (await this.#freeLane()));
  }

  /** Ends the beats; resolved when none is under way. */
  async stop(): Promise<void> {
    this.#isOn = false;
    this.#isStopped = true;
    await Promise.allSettled(this.#underWay);
  }

  async #beat(lane: WarmConnection): Promise<BeatAnswer> {
    const { memory, self, nowMs } = this.#options;
    // After the goodbye that follows the stop, a beat would bring this node back to life in the eyes of the others.
    if (this.#isStopped) throw stopped();
    const startedMs = nowMs();
    const beating = beat(lane, self, this.#status);
    this.#underWay.add(beating);
    try {
      const answer = await beating;
      memory.confirmBeat(startedMs);
      return { startedMs, ...answer };
    } finally {
      this.#underWay.delete(beating);
    }
  }

  async #freeLane(): Promise<WarmConnection> {
    const { lanes, nowMs } = this.#options;
    const untilMs = nowMs() + LANE_PATIENCE_MS;
    while (nowMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const lane = lanes.take();
      if (lane) return lane;
    }
    throw new IsgError('database-unreachable', 'No connection to the database could be made in time.', {
      retry: 'transient',
    });
  }
}
