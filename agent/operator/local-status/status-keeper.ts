import { systemClock } from '../../runtime/clock.ts';
import { coerceError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeObserver, RunningNode } from '../operated-node.ts';
import { type IdleNode, idleSnapshot, type NodeIdentity, runningSnapshot } from '../snapshot.ts';
import { type MetricsListener, startMetricsListener } from './metrics-listener.ts';
import { type LogStanding, metricsOf } from './metrics-text.ts';
import { writeStatus } from './status-file.ts';

/** How often the file is written. */
const WRITE_MS = 5_000;
/** The database is not asked for it: figures of the whole cluster are the window's. */
const NO_FIGURES = { cluster: null, storages: new Map(), throughput: [] };

/** What a keeper needs. */
export interface StatusKeeperOptions {
  identity: NodeIdentity;
  log: Logger;
  logStanding: () => LogStanding;
  /** Undefined = no metrics are served. */
  metricsPort: number | undefined;
  onListening?: (port: number) => void;
}

/** Watches a node, with or without a window, for who asks on this machine. Costs one small file every few seconds. */
export class StatusKeeper implements NodeObserver {
  readonly #options: StatusKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #metrics: MetricsListener | null;
  #running: RunningNode | null = null;
  #isStopping = false;
  #idle: IdleNode = { phase: 'waiting-for-iconik', reason: 'The node is starting.', isDuplicate: false };
  #trouble = '';

  constructor(options: StatusKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#write(), WRITE_MS).unref();
    const { metricsPort: port, log, onListening } = options;
    const take = () => metricsOf(this.#snapshot(), options.logStanding(), options.identity.version);
    this.#metrics =
      port === undefined ? null : startMetricsListener({ port, take, log, ...(onListening && { onListening }) });
    this.#write();
  }

  waiting(what: 'iconik' | 'database', reason: string): void {
    this.#idle = { phase: `waiting-for-${what}`, reason, isDuplicate: false };
  }

  running(node: RunningNode): void {
    this.#running = node;
    this.#isStopping = false;
  }

  changed(): void {
    // what changed is in the next file
  }

  stopping(): void {
    this.#isStopping = true;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isStopping = true;
    this.#write();
    await this.#metrics?.close();
  }

  #snapshot() {
    const { identity } = this.#options;
    const atMs = systemClock.wallMs();
    if (!this.#running) return idleSnapshot(identity, this.#idle, atMs);
    const { node, self } = this.#running;
    return runningSnapshot({
      identity: { ...identity, workerId: self.workerId },
      view: node.view(),
      runId: self.runId,
      figures: NO_FIGURES,
      isStopping: this.#isStopping,
      atMs,
    });
  }

  #write(): void {
    try {
      const { identity, logStanding } = this.#options;
      writeStatus(identity.dataDir, { pid: process.pid, snapshot: this.#snapshot(), log: logStanding() });
      this.#trouble = '';
    } catch (thrown) {
      // said once: a full disk has more important things to say
      const { message } = coerceError(thrown);
      if (message !== this.#trouble) this.#options.log.warn(`The status file cannot be written: ${message}`);
      this.#trouble = message;
    }
  }
}

/** One observer for several. */
export function observers(each: readonly NodeObserver[]): NodeObserver {
  return {
    waiting: (what, reason) => {
      for (const one of each) one.waiting(what, reason);
    },
    running: (node) => {
      for (const one of each) one.running(node);
    },
    changed: () => {
      for (const one of each) one.changed();
    },
    stopping: () => {
      for (const one of each) one.stopping();
    },
  };
}
