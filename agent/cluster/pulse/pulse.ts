import type { LeaseRenewer } from '../../jobs/lease-renewer.ts';
import type { LeadershipRenewer } from '../../leader/leadership-renewer.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import type { Heartbeat } from '../heartbeat.ts';
import { ThreadHeartbeat } from './thread-heartbeat.ts';
import { ThreadHost } from './thread-host.ts';
import { ThreadLeadership } from './thread-leadership.ts';
import { ThreadLeases } from './thread-leases.ts';

/** What a pulse needs. */
export interface PulseOptions {
  /** The cluster's database; a secret. */
  uri: string;
  self: { workerId: string; runId: string; name: string };
  /** Settings of the leadership, milliseconds. */
  times: { ttlMs: number; renewMs: number; marginMs: number };
  log: Logger;
  beatMs?: number;
}

/**
 * What keeps this node alive in the eyes of the others, in a thread of its own (README.md): renewal of the leadership,
 * heartbeat, renewal of job leases. Start it before membership, elector and runner, and stop it after them.
 */
export class Pulse implements Service {
  readonly leadership: LeadershipRenewer;
  readonly heartbeat: Heartbeat;
  /** For the job runner. */
  readonly leases: LeaseRenewer;
  readonly #host: ThreadHost;
  readonly #ready: Promise<void>;
  readonly #stopped = Promise.withResolvers<void>();

  constructor({ uri, self, times, log, beatMs = 1_000 }: PulseOptions) {
    const { workerId, runId, name } = self;
    this.#host = new ThreadHost({ uri, self: { workerId, runId, name }, times, beatMs }, log);
    this.leadership = new ThreadLeadership(this.#host);
    this.heartbeat = new ThreadHeartbeat(this.#host);
    this.leases = new ThreadLeases(this.#host);
    this.#ready = new Promise((resolve) => {
      this.#host.listen({ up: resolve, down: () => {}, message: () => {} });
    });
  }

  /** Resolved once the thread runs (its connections may still be on their way), and when it was stopped before that. */
  async start(): Promise<void> {
    this.#host.start();
    await Promise.race([this.#ready, this.#stopped.promise]);
  }

  async stop(): Promise<void> {
    this.#stopped.resolve();
    await this.#host.stop();
  }
}
