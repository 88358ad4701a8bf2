import { createDatabase } from '../../../db/database.ts';
import { createSystemClock, SleepLedger } from '../../../runtime/clock.ts';
import { coerceError, errorRecord } from '../../../runtime/errors.ts';
import { openHistory } from '../../../runtime/history.ts';
import { createLogger, type Logger } from '../../../runtime/logger.ts';
import { PulseMemory } from '../pulse-memory.ts';
import type { FromThread, ThreadData, ToThread } from '../pulse-messages.ts';
import { LOOK_MS, LOOP_PATIENCE_MS, leaseTimes, observeTurns, type Stillness } from '../pulse-plan.ts';
import { BeatPulse } from './beat-pulse.ts';
import { JobPulse } from './job-pulse.ts';
import { Lanes } from './lanes.ts';
import { LeaderPulse } from './leader-pulse.ts';

/** Two for the leadership, and one that a slow heartbeat may keep busy. */
const LANE_COUNT = 3;
const CONNECT_TIMEOUT_MS = 3_000;
/** A statement of a heartbeat or of the leadership is given up after this, and its connection with it. */
const LANE_STATEMENT_MS = 1_500;
/** Job rows can be locked by a completion for a while. */
const JOB_STATEMENT_MS = 5_000;

/** All renewals, driven by a tick and by messages. Lives in the thread; touches the main loop's things only by messages and shared memory. */
export class PulseThread {
  readonly #post: (message: FromThread) => void;
  readonly #memory: PulseMemory;
  readonly #nowMs: () => number;
  readonly #lanes: Lanes;
  readonly #jobsDatabase: ReturnType<typeof createDatabase>;
  readonly #leader: LeaderPulse;
  readonly #beats: BeatPulse;
  readonly #jobs: JobPulse;
  readonly #log: Logger;
  readonly #ticking: NodeJS.Timeout;
  #loop: Stillness;

  /** Begins to connect and to tick. */
  constructor(data: ThreadData, post: (message: FromThread) => void) {
    this.#post = post;
    const clock = createSystemClock(new SleepLedger({ memory: data.sleepLedger }));
    this.#nowMs = () => clock.monotonicMs();
    this.#memory = new PulseMemory(data.memory);
    this.#loop = observeTurns(null, this.#memory.loopTurns(), this.#nowMs());
    this.#log = createLogger([({ level, message, fields }) => post({ kind: 'log', level, message, fields })], () =>
      clock.wallMs(),
    );
    const common = { uri: data.uri, log: this.#log, connectTimeoutMs: CONNECT_TIMEOUT_MS };
    const lanes = { ...common, applicationName: 'isg-pro renewals', statementTimeoutMs: LANE_STATEMENT_MS };
    this.#lanes = new Lanes(LANE_COUNT, lanes, this.#nowMs);
    this.#jobsDatabase = createDatabase({
      ...common,
      applicationName: 'isg-pro job leases',
      statementTimeoutMs: JOB_STATEMENT_MS,
      maxConnections: 2,
    });
    this.#leader = this.#createLeader(data);
    this.#beats = this.#createBeats(data);
    this.#jobs = this.#createJobs(data);
    // The leadership first: it is in the greater hurry.
    this.#lanes.onFree(() => this.#leader.step());
    this.#lanes.onFree(() => this.#beats.step());
    this.#ticking = setInterval(() => this.#tick(), LOOK_MS);
    post({ kind: 'ready' });
  }

  #shared() {
    const mayRenew = () => this.#isLoopAlive();
    return { memory: this.#memory, lanes: this.#lanes, nowMs: this.#nowMs, log: this.#log, mayRenew };
  }

  #createLeader({ self, times }: ThreadData): LeaderPulse {
    const path = process.env.ISG_PRO_HISTORY;
    return new LeaderPulse({
      ...this.#shared(),
      history: path ? openHistory(path, { run: self.runId, node: self.name }) : null,
      runId: self.runId,
      ttlMs: times.ttlMs,
      times: leaseTimes(times),
      onRefused: () => this.#post({ kind: 'refused' }),
    });
  }

  #createBeats({ self, beatMs }: ThreadData): BeatPulse {
    const onAnswer = (answer: Extract<FromThread, { kind: 'beat' }>['answer']) => this.#post({ kind: 'beat', answer });
    return new BeatPulse({ ...this.#shared(), self, beatMs, onAnswer });
  }

  #createJobs({ self }: ThreadData): JobPulse {
    return new JobPulse({
      ...this.#shared(),
      database: this.#jobsDatabase,
      owner: self,
      onNews: (holdId, news) => this.#post({ kind: 'lease', holdId, news }),
      onToken: (holdId, leaseToken) => this.#post({ kind: 'token', holdId, leaseToken }),
    });
  }

  #isLoopAlive(): boolean {
    return this.#loop.stoodMs < LOOP_PATIENCE_MS;
  }

  #tick(): void {
    this.#memory.countThreadTurn();
    const wasAlive = this.#isLoopAlive();
    this.#loop = observeTurns(this.#loop, this.#memory.loopTurns(), this.#nowMs());
    if (wasAlive && !this.#isLoopAlive())
      this.#log.error('The main loop of the agent stands still: nothing is renewed for it any more');
    this.#leader.step();
    this.#beats.step();
    this.#jobs.step(this.#loop.livedMs);
    this.#lanes.exercise();
  }

  /** Takes one message of the main loop. */
  take(message: ToThread): void {
    switch (message.kind) {
      case 'lead':
        this.#leader.step();
        break;
      case 'say':
        this.#beats.say(message.status);
        break;
      case 'start-beats':
        this.#beats.start();
        break;
      case 'hold':
        this.#jobs.hold(message);
        break;
      case 'reports':
        for (const report of message.reports) this.#jobs.report(report);
        break;
      case 'drop':
        this.#jobs.drop(message.holdId);
        break;
      case 'visibility':
        this.#jobs.setVisibilityTimeout(message.seconds);
        break;
      default:
        this.#answer(message.callId, this.#answerTo(message));
    }
  }

  #answerTo(message: Extract<ToThread, { callId: number }>): Promise<unknown> {
    switch (message.kind) {
      case 'beat-now':
        return this.#beats.beatNow();
      case 'stop-beats':
        return this.#beats.stop();
      case 'confirm':
        return this.#jobs.confirm(message.holdId);
      case 'close':
        return this.#close();
    }
  }

  #answer(callId: number, work: Promise<unknown>): void {
    work.then(
      (value) => this.#post({ kind: 'answer', callId, value: value ?? null }),
      (thrown) => this.#post({ kind: 'failed', callId, error: errorRecord(coerceError(thrown)) }),
    );
  }

  async #close(): Promise<void> {
    clearInterval(this.#ticking);
    this.#memory.setLeadTerm(0);
    this.#leader.step();
    await this.#beats.stop();
    await Promise.all([this.#lanes.close(), this.#jobsDatabase.close()]);
  }
}
