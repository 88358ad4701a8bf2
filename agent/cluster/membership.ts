import * as jobQueries from '../db/queries/job.ts';
import * as workers from '../db/queries/worker.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { Sql } from '../runtime/sql.ts';
import { observeCounter, type Standstill } from '../runtime/standstill.ts';
import { type BeatAnswer, type Heartbeat, LoopHeartbeat } from './heartbeat.ts';
import { JobRescue } from './job-rescue.ts';

/** Reads further apart than this prove nothing about the time between them. */
const MAX_GAP_MS = 2_000;

/** Tries to register, a beat apart, before the start is given up. */
const ENTER_ATTEMPTS = 60;

/** A worker as this node sees it. */
export interface Member extends workers.MemberRow {
  /** False once this node has itself seen the heartbeat stand still for the lapse time. */
  alive: boolean;
}

/** What a membership needs. */
export interface MembershipOptions {
  database: Sql;
  self: workers.WorkerIdentity;
  /** Time a heartbeat must stand still before its worker counts as dead, milliseconds. */
  lapseMs: number;
  clock: Clock;
  log: Logger;
  /** Sends the heartbeats; absent: on the main loop. */
  heartbeat?: Heartbeat;
  /** What this node says of itself now. */
  status(): workers.WorkerStatus;
  /** Term of our trusted leadership, or null. */
  trustedTerm(): number | null;
  /** Told when the hold of the gateway id is won or lost. */
  onHold(holds: boolean): void;
  beatMs?: number;
}

/**
 * This node among the others: registers, tells the heartbeat what to say, holds its gateway id against duplicates, sees
 * others die and frees their jobs. It may be late without harm: only the heartbeat is in a hurry. Every judgement on another node rests on its counter standing still by our own monotonic clock.
 */
export class Membership implements Service {
  readonly #options: Required<Omit<MembershipOptions, 'heartbeat'>>;
  readonly #heartbeat: Heartbeat;
  readonly #life = new AbortController();
  readonly #stood = new Map<string, Standstill>();
  readonly #rescue: JobRescue;
  #holdStood: Standstill | null = null;
  #holder: workers.GatewayHold | null = null;
  #holds = false;
  #tookHoldMs = Number.NEGATIVE_INFINITY;
  #members: Member[] = [];
  #loop: Promise<void> | null = null;
  /** The last registration after the first; the goodbye waits for it. */
  #registration: Promise<void> = Promise.resolve();
  #trouble = '';

  constructor(options: MembershipOptions) {
    const { heartbeat, ...rest } = options;
    this.#options = { beatMs: 1_000, ...rest };
    this.#heartbeat = heartbeat ?? new LoopHeartbeat(this.#options);
    this.#rescue = new JobRescue(this.#options);
    this.#heartbeat.onAnswer((answer) => void this.#heard(answer).catch((thrown) => this.#sayNotRegistered(thrown)));
  }

  /** Registers this run and frees what earlier runs of the installation held; throws when the database stays away. */
  async start(): Promise<void> {
    if (this.#loop || this.#life.signal.aborted) return;
    await this.#enter();
    this.#heartbeat.start();
    this.#loop = this.#run();
  }

  // The database answered a moment ago: one that is slow or restarts just now is waited for. All of it may be repeated.
  async #enter(): Promise<void> {
    const { database, self, log, clock, beatMs } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        await workers.registerWorker(database, self);
        const freed = await jobQueries.freeJobsOfEarlierRuns(database, self.workerId, self.runId);
        if (freed > 0) log.info(`Took back ${freed} jobs that an earlier run of this node had leased`, { freed });
        await this.#beat();
        return await this.#cycle();
      } catch (thrown) {
        const error = coerceError(thrown);
        if (error.retry === 'permanent' || attempt >= ENTER_ATTEMPTS) throw error;
        log.warn('This node could not register yet; trying again', { error: error.message });
        await clock.sleep(beatMs, this.#life.signal);
      }
    }
  }

  /** Stops the heartbeat and says goodbye, so that nobody has to wait for it to lapse. */
  async stop(): Promise<void> {
    this.#life.abort();
    if (!this.#loop) return;
    await Promise.all([this.#loop, this.#heartbeat.stop()]);
    await this.#rescue.idle();
    await this.#registration.catch(() => {
      // ignored because whoever asked for it has said so
    });
    await workers.leaveCluster(this.#options.database, this.#options.self).catch(() => {
      // The database is away: the heartbeat lapses by itself.
    });
  }

  members(): readonly Member[] {
    return this.#members;
  }

  /** Whether this run holds its gateway id; false means duplicate (or not known yet). */
  holds(): boolean {
    return this.#holds;
  }

  /** Who holds the gateway id when we do not. */
  holder(): workers.GatewayHold | null {
    return this.#holds ? null : this.#holder;
  }

  /** Milliseconds since the database last confirmed our heartbeat. */
  confirmedAgoMs(): number {
    return this.#options.clock.monotonicMs() - this.#heartbeat.confirmedMs();
  }

  /** Sends a heartbeat now, so that others learn of a changed status at once. */
  async beatNow(): Promise<void> {
    await this.#guarded(() => this.#beat());
  }

  async #run(): Promise<void> {
    const { clock, beatMs } = this.#options;
    let nextMs = clock.monotonicMs() + beatMs;
    while (!this.#life.signal.aborted) {
      await clock.sleep(Math.max(0, nextMs - clock.monotonicMs()), this.#life.signal).catch(() => {});
      // From begin to begin: slow answers must not widen the gap between two looks.
      nextMs = clock.monotonicMs() + beatMs;
      if (!this.#life.signal.aborted) await this.#guarded(() => this.#cycle());
    }
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#trouble = '';
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble) this.#options.log.warn('The other nodes cannot be looked at', { error: message });
      this.#trouble = message;
    }
  }

  async #cycle(): Promise<void> {
    this.#heartbeat.say(this.#options.status());
    if (!this.#holds) await this.#contest();
    this.#rescue.step(await this.#look());
  }

  async #beat(): Promise<void> {
    this.#heartbeat.say(this.#options.status());
    await this.#heard(await this.#heartbeat.beatNow());
  }

  // A beat that was sent before we took the gateway id knows nothing of it.
  async #heard({ startedMs, registered, holds }: BeatAnswer): Promise<void> {
    if (holds || startedMs > this.#tookHoldMs) this.#setHolds(holds);
    // After the goodbye, or beside it, a registration would bring this run back to life in the eyes of the others.
    if (registered || this.#life.signal.aborted) return;
    this.#registration = workers.registerWorker(this.#options.database, this.#options.self);
    await this.#registration;
  }

  #sayNotRegistered(thrown: unknown): void {
    const error = coerceError(thrown).message;
    this.#options.log.warn('Another run has the row of this worker, and it could not be taken back yet', { error });
  }

  #setHolds(holds: boolean): void {
    if (holds === this.#holds) return;
    this.#holds = holds;
    this.#options.onHold(holds);
  }

  async #contest(): Promise<void> {
    const { database, self, clock, lapseMs, log } = this.#options;
    const startedMs = clock.monotonicMs();
    const hold = await workers.readHold(database, self.storageGatewayId);
    this.#holder = hold;
    if (hold) {
      const read = { value: `${hold.run_id}/${hold.heartbeat}`, startedMs, endedMs: clock.monotonicMs() };
      this.#holdStood = observeCounter(this.#holdStood, read, MAX_GAP_MS);
      const lapsed = this.#holdStood.stoodMs >= lapseMs;
      if (!lapsed && !isOwnPast(hold, self)) return;
    }
    if (!(await workers.takeHold(database, self, hold))) return;
    log.info('This node holds its storage gateway id', { storageGatewayId: self.storageGatewayId });
    this.#tookHoldMs = clock.monotonicMs();
    this.#setHolds(true);
  }

  /** Reads all heartbeats; answers the dead. Nothing else happens in between: the next look must not be late. */
  async #look(): Promise<workers.MemberRow[]> {
    const { database, clock, self, lapseMs } = this.#options;
    const startedMs = clock.monotonicMs();
    const rows = await workers.readMembers(database);
    const endedMs = clock.monotonicMs();
    const members: Member[] = [];
    const buried: workers.MemberRow[] = [];
    for (const row of rows) {
      const read = { value: `${row.run_id}/${row.heartbeat}`, startedMs, endedMs };
      const stood = observeCounter(this.#stood.get(row.worker_id) ?? null, read, MAX_GAP_MS);
      this.#stood.set(row.worker_id, stood);
      const dead = row.run_id !== self.runId && stood.stoodMs >= lapseMs;
      members.push({ ...row, alive: !dead && row.availability_status !== 'unavailable' });
      if (dead) buried.push(row);
    }
    this.#members = members;
    return buried;
  }
}

/**
 * Whether the hold is this installation's own past: same data folder (whose lock we have), machine, host and boot. Only
 * then is it certain without waiting that the other run is gone; a cloned data folder on another machine does not pass.
 */
function isOwnPast(hold: workers.GatewayHold, self: workers.WorkerIdentity): boolean {
  return (
    hold.worker_id === self.workerId &&
    hold.machine_id === self.machineId &&
    hold.host === self.host &&
    hold.boot_id === self.bootId
  );
}
