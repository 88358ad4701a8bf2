import { Membership } from '../../../agent/cluster/membership.ts';
import { fencedExecute } from '../../../agent/db/queries/fence.ts';
import type { JobStore } from '../../../agent/jobs/job-store.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { createRecordedJobStore } from '../../../agent/jobs/recorded-job-store.ts';
import { Elector } from '../../../agent/leader/elector.ts';
import type { Leadership } from '../../../agent/leader/leadership.ts';
import type { LeaseStore } from '../../../agent/leader/lease-store.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { createRecordedLeaseStore } from '../../../agent/leader/recorded-lease-store.ts';
import { recordWork } from '../../../agent/leader/recorded-work.ts';
import type { History } from '../../../agent/runtime/history.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { linkDatabase, SimLink } from './sim-link.ts';
import { SimProcess, type VirtualTime } from './virtual-time.ts';
import { WITNESSED_WRITE } from './witness.ts';

/** Durations of the election in simulations: the product's defaults. */
export const ELECTION = { ttlMs: 3_000, renewMs: 750, marginMs: 750, lookMs: 250 };
/** The product's heartbeat-lapse-ms. */
export const LAPSE_MS = 6_000;

/** The surroundings of an alternative lease store. */
export interface LeaseSurroundings {
  runId: string;
  /** Behind the node's link. */
  database: Database;
  /** Without a link: what it is asked happens at once. */
  real: Database;
  wallMs: () => number;
  time: VirtualTime;
  history: History;
}

/** Where a test puts another store in the place of the product's; each answers what it is given by default. */
export interface Alternatives {
  lease?(store: LeaseStore, node: LeaseSurroundings): LeaseStore;
  jobs?(store: JobStore, database: Database): JobStore;
}

/** What a simulated node needs. */
export interface SimNodeOptions {
  name: string;
  time: VirtualTime;
  random: () => number;
  real: Database;
  /** Takes an event, dated with the present instant. */
  say: (run: string, kind: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Called after a statement of this run that may have written. */
  applied: (run: string) => Promise<void>;
  alternatives: Alternatives;
  /** Whether it also sends heartbeats, judges other workers, and runs jobs. */
  works: boolean;
}

/** A node of a simulated cluster: the product's elector, stores, membership and SQL in a process of virtual time. */
export class SimNode {
  readonly runId: string;
  readonly process: SimProcess;
  readonly link: SimLink;
  readonly elector: Elector;
  readonly #options: SimNodeOptions;
  readonly #history: History;
  readonly #database: Database;
  readonly #jobs: JobStore;
  readonly #membership: Membership;
  readonly #held = new Map<string, string>();
  /** Why it may not lead; null when it may. */
  unfit: string | null = null;

  constructor(options: SimNodeOptions) {
    const { time, random, real, say, alternatives } = options;
    this.#options = options;
    this.runId = uuid(random);
    const { runId } = this;
    this.process = new SimProcess(time, { rate: 0.998 + 0.004 * random(), originMs: random() * 1e7 });
    this.link = new SimLink({ time, process: this.process, random, applied: () => options.applied(runId) });
    this.#database = linkDatabase(this.link, real);
    this.#history = { nowMs: () => time.nowMs, say: (kind, facts) => say(runId, kind, facts) };
    const jobs = createPgJobStore(this.#database, { runId, workerId: runId });
    this.#jobs = createRecordedJobStore(alternatives.jobs?.(jobs, this.#database) ?? jobs, this.#history);
    this.elector = this.#createElector();
    this.#membership = this.#createMembership();
  }

  #createElector(): Elector {
    const { random, alternatives, name, real, time } = this.#options;
    const { runId, process } = this;
    const database = this.#database;
    const lease = createPgLeaseStore(database, { runId, workerId: runId, name });
    const wallMs = () => process.clock.wallMs();
    const around = { runId, database, real, wallMs, time, history: this.#history };
    const store = alternatives.lease?.(lease, around) ?? lease;
    const work = { name: 'writes', run: (leadership: Leadership) => this.#lead(leadership) };
    return new Elector({
      store: createRecordedLeaseStore(store, this.#history),
      runId,
      times: ELECTION,
      clock: process.clock,
      random,
      log: silentLogger,
      eligibility: () => (this.unfit === null ? { eligible: true } : { eligible: false, why: this.unfit }),
      work: recordWork([work], this.#history, (ms, signal) => process.clock.sleep(ms, signal)).work,
      highestTerm: { get: () => 0, set: () => {} },
      onChange: () => {},
    });
  }

  #createMembership(): Membership {
    const { runId, process } = this;
    const { name } = this.#options;
    return new Membership({
      database: this.#database,
      self: {
        workerId: runId,
        runId,
        storageGatewayId: runId,
        name,
        host: name,
        machineId: name,
        bootId: name,
        version: '1.0.0',
      },
      lapseMs: LAPSE_MS,
      clock: process.clock,
      log: silentLogger,
      status: () => ({ roles: ['CHECKSUM'], availability: 'available', reason: '', health: [] }),
      trustedTerm: () => this.elector.trustedTerm(),
      onHold: () => {},
    });
  }

  start(): void {
    void this.elector.start();
    if (!this.#options.works) return;
    void this.#membership.start();
    void this.#workOnJobs();
  }

  // Leader work: effects that nothing fences, each right after a check of trust, and fenced writes; slow to settle.
  async #lead(leadership: Leadership): Promise<void> {
    const { random } = this.#options;
    const { clock } = this.process;
    while (!leadership.signal.aborted) {
      try {
        leadership.assertTrusted();
        this.#history.say('effect', { term: leadership.term, what: 'call' });
        await clock.sleep(30 + 200 * random(), leadership.signal);
        await fencedExecute(this.#database, leadership, WITNESSED_WRITE, []);
      } catch {
        // Refused or unanswered: the next turn asks for trust again.
        await clock.sleep(30);
      }
    }
    await clock.sleep(300 * random());
  }

  async #workOnJobs(): Promise<void> {
    const { clock } = this.process;
    for (;;) {
      await clock.sleep(500);
      await this.#oneJob().catch(() => {});
    }
  }

  async #oneJob(): Promise<void> {
    const { random } = this.#options;
    const { clock } = this.process;
    const reach = { storageIds: [], term: null, visibilityTimeoutS: 3_600 };
    const [job] = await this.#jobs.claim([{ role: 'CHECKSUM', kinds: ['checksum'], slots: 1 }], reach);
    if (!job) return;
    this.#held.set(job.jobId, job.leaseToken);
    for (let renewals = Math.floor(random() * 4); renewals > 0; renewals--) {
      await clock.sleep(1_000);
      const item = { jobId: job.jobId, leaseToken: job.leaseToken, progress: 0, note: '' };
      const answer = await this.#jobs.renew([item], reach.visibilityTimeoutS).catch(() => null);
      if (answer?.length === 0) return;
      if (answer?.[0]) job.leaseToken = answer[0].leaseToken;
    }
    await this.#jobs.end(job, { state: 'done', result: {} });
  }
}

/** A UUID from the run's own randomness, so that a seed tells one story. */
function uuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
