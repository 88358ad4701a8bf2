import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { cancelJob, prioritiseJob, retryJob } from '../../../agent/db/queries/operator-jobs.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { SILENCE } from '../../support/fault-proxy.ts';
import type { Fault } from './chaos-plan.ts';
import { countOpenJobs, enqueueBatch, type Order } from './ledger.ts';
import { machineMs } from './node-notes.ts';
import type { QueueNode } from './queue-nodes.ts';
import type { QueueServer } from './queue-server.ts';

const BATCH = 250;
/** More is enqueued when fewer jobs than this wait: enqueueing goes on nearly to the end of the run. */
const BACKLOG = 600;
/** Counting is not free beside tens of thousands of jobs. */
const LOOK_MS = 250;
/** Jobs of each sort that one visit of an operator touches. */
const BY_HAND = 20;
const jobRow = z.object({ job_id: z.string() });

/** What a chaos run needs. */
export interface ChaosOptions {
  server: QueueServer;
  nodes: readonly QueueNode[];
  orders: readonly Order[];
  /** The fault that comes next; null for none. */
  nextFault: () => Fault | null;
  faultEveryMs: number;
  /** Server connections of the pooler. */
  poolSize: number;
  random: () => number;
}

/** Jobs and faults at the same time, until all jobs have ended. */
export class Chaos {
  /** Ids of the jobs that somebody asked to cancel. */
  readonly cancelled = new Set<string>();
  readonly faults: Fault[] = [];
  readonly #options: ChaosOptions;
  /** Of those who order and change jobs; the nodes have their own. */
  readonly #database: Database;
  readonly #underWay = new Set<Promise<void>>();
  #isFed = false;
  #isOver = false;
  /** The server is away for a while: a second restart at a time would be one. */
  #isRestarting = false;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#database = createDatabase({ uri: options.server.pooled, log: silentLogger, maxConnections: 4 });
  }

  /** Resolves when all jobs have ended, those retried by hand included; throws after `withinMs`. */
  async run(withinMs: number): Promise<void> {
    const deadlineMs = machineMs() + withinMs;
    const feeding = this.#feed();
    const raging = this.#rage();
    try {
      await this.#untilEnded(deadlineMs, () => this.#isFed);
      this.#isOver = true;
      await raging;
      await Promise.all(this.#underWay);
      await this.#untilEnded(deadlineMs, () => true);
    } finally {
      this.#isOver = true;
      await Promise.all([feeding, raging, ...this.#underWay]);
      await this.#database.close();
    }
  }

  async #feed(): Promise<void> {
    const { orders } = this.#options;
    for (let from = 0; from < orders.length && !this.#isOver; from += BATCH) {
      await enqueueBatch(this.#database, from, orders.slice(from, from + BATCH));
      while (!this.#isOver && (await this.#waiting()) > BACKLOG) await sleep(LOOK_MS);
    }
    this.#isFed = true;
  }

  async #waiting(): Promise<number> {
    const open = await countOpenJobs(this.#database).catch(() => null);
    return open ?? 0;
  }

  async #untilEnded(deadlineMs: number, isDue: () => boolean): Promise<void> {
    for (;;) {
      const open = isDue() ? await countOpenJobs(this.#database).catch(() => null) : null;
      if (open === 0 && (await this.#retryFailed())) return;
      if (machineMs() > deadlineMs) throw new Error(`not ended in time: ${open} jobs are queued or leased`);
      await sleep(LOOK_MS);
    }
  }

  /** Retries dead letters by hand; true when there is none. */
  async #retryFailed(): Promise<boolean> {
    const failed = await this.#pick("state = 'failed'", 1_000);
    for (const jobId of failed ?? []) await retryJob(this.#database, jobId, () => null).catch(() => false);
    return failed?.length === 0;
  }

  async #rage(): Promise<void> {
    const { nextFault, faultEveryMs } = this.#options;
    while (!this.#isOver) {
      const beganMs = machineMs();
      const fault = nextFault();
      if (!fault) return;
      this.faults.push(fault);
      const striking = this.#strike(fault).finally(() => this.#underWay.delete(striking));
      this.#underWay.add(striking);
      while (!this.#isOver && machineMs() - beganMs < faultEveryMs) await sleep(50);
    }
  }

  async #strike(fault: Fault): Promise<void> {
    const { server, nodes } = this.#options;
    switch (fault.kind) {
      case 'pooler':
        return this.#restart(() => server.restartPooler());
      case 'database':
        return this.#restart(() => server.restartDatabase(fault.how));
      case 'pool-full':
        return this.#fillPool(fault.forMs);
      case 'operator':
        return this.#byHand();
      default: {
        const node = nodes[fault.node];
        if (node) await strikeNode(node, fault);
      }
    }
  }

  async #restart(what: () => Promise<void>): Promise<void> {
    if (this.#isRestarting) return;
    this.#isRestarting = true;
    await what().finally(() => {
      this.#isRestarting = false;
    });
  }

  // Each holds a server connection of the pool as long as its transaction lasts.
  async #fillPool(forMs: number): Promise<void> {
    const { server, poolSize } = this.#options;
    const others = createDatabase({ uri: server.pooled, log: silentLogger, maxConnections: poolSize });
    const hold = () => others.execute('SELECT pg_sleep($1)', [forMs / 1_000]).catch(() => 0);
    await Promise.all(Array.from({ length: poolSize }, hold));
    await others.close();
  }

  async #byHand(): Promise<void> {
    const database = this.#database;
    const { random } = this.#options;
    for (const jobId of (await this.#pick("state IN ('queued', 'leased')", BY_HAND)) ?? []) {
      this.cancelled.add(jobId);
      await cancelJob(database, jobId).catch(() => false);
    }
    for (const jobId of (await this.#pick("state IN ('queued', 'leased')", BY_HAND)) ?? []) {
      await prioritiseJob(database, jobId, 1 + Math.floor(random() * 10)).catch(() => false);
    }
    for (const jobId of (await this.#pick("state IN ('failed', 'cancelled')", BY_HAND)) ?? []) {
      await retryJob(database, jobId, () => null).catch(() => false);
    }
  }

  /** Some jobs in a state, running ones first; null while the database is away. */
  async #pick(which: string, limit: number): Promise<string[] | null> {
    const text = `SELECT job_id::text FROM job WHERE ${which} ORDER BY state, md5(job_id::text || $2) LIMIT $1`;
    const salt = String(this.#options.random());
    const rows = await this.#database.query(text, [limit, salt], jobRow).catch(() => null);
    return rows?.map((row) => row.job_id) ?? null;
  }
}

async function strikeNode(node: QueueNode, fault: Extract<Fault, { node: number }>): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      await node.kill();
      node.start({ isNew: fault.isNew });
      return;
    case 'freeze':
      if (node.isPaused) return;
      node.pause();
      await sleep(fault.forMs);
      node.resume();
      return;
    case 'reset':
      node.network.resetAll();
      return;
    case 'silence':
      await node.network.setFaults(SILENCE);
      await sleep(fault.forMs);
      await node.network.setFaults({});
      return;
    case 'lost-answers':
      await node.network.setFaults({ cut: { down: 'drop' } });
      await sleep(fault.forMs);
      await node.network.setFaults({});
  }
}
