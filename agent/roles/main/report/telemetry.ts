import type { IconikApi } from '../../../iconik/api.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Service } from '../../../runtime/service.ts';
import { createFailureLog } from '../queues/failure-log.ts';
import { WakeableWait } from '../queues/storage-loops.ts';
import { logLineFields } from './log-lines.ts';

/** What iconik is told of a worker's state (reference C.6). */
export type NodeStatus = 'LIVE' | 'WARNING' | 'ERROR' | 'STOPPED';

/** What telemetry needs. */
export interface TelemetryDeps {
  iconik: Pick<IconikApi, 'gateways'>;
  clock: Clock;
  log: Logger;
  storageGatewayId: string;
  /** UUID of the installation. */
  workerId: string;
  version: string;
  host: { name: string; ip: string; info: string };
  /** How the agent's start went, and when (wall clock, milliseconds since the epoch; a label). */
  start: { status: 'SUCCESS' | 'FAILED'; message: string; atMs: number };
  /** The state of this node now. */
  nodeStatus(): NodeStatus;
  isLeader(): boolean;
  /** The newest log lines, oldest first. */
  lines(): readonly string[];
  errorLines(): readonly string[];
  /** Time between messages, milliseconds; default 10 000. */
  intervalMs?: number;
}

/** The telemetry of this worker. */
export interface Telemetry extends Service {
  /** Tells iconik at once if status or leadership have changed since the last message; cheap. */
  wake(): void;
}

const INTERVAL_MS = 10_000;
/** How often status and leadership are compared with what was told, for changes that nobody announced. */
const LOOK_MS = 500;
/** One message may take this long; the next one is a newer snapshot anyway. */
const POST_DEADLINE_MS = 10_000;
/** How long the agent's stop waits for its last message. */
const STOP_DEADLINE_MS = 2000;

/**
 * Makes the telemetry of this worker, leader or not: a snapshot every interval and at each change of status or
 * leadership, and STOPPED at the end, which takes at most 2 s. Never the reason for anything else to fail.
 */
export function createTelemetry(deps: TelemetryDeps): Telemetry {
  return new TelemetryLoop(deps);
}

class TelemetryLoop implements Telemetry {
  readonly #deps: TelemetryDeps;
  readonly #wait: WakeableWait;
  #stop: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    this.#wait = new WakeableWait(deps.clock);
  }

  async start(): Promise<void> {
    if (this.#stop) return;
    this.#stop = new AbortController();
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    const stop = this.#stop;
    if (!stop) return this.#running;
    this.#stop = null;
    stop.abort();
    const loop = this.#running;
    this.#running = this.#sayStopped(loop);
    return this.#running;
  }

  wake(): void {
    this.#wait.wake();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const intervalMs = this.#deps.intervalMs ?? INTERVAL_MS;
    const failures = createFailureLog(this.#deps.log);
    let told = '';
    let noted = '';
    let dueAtMs = clock.monotonicMs();
    while (!signal.aborted) {
      const status = this.#deps.nodeStatus();
      const isLeader = this.#deps.isLeader();
      const now = `${status} ${isLeader}`;
      // After a failure a change waits for the next interval like everything else.
      const changed = now !== told && failures.failures('telemetry') === 0;
      if (changed || clock.monotonicMs() >= dueAtMs) {
        dueAtMs = clock.monotonicMs() + intervalMs;
        try {
          await this.#post(status, isLeader, AbortSignal.any([signal, AbortSignal.timeout(POST_DEADLINE_MS)]));
          told = now;
          noted = '';
          failures.worked('telemetry');
        } catch (thrown) {
          if (!signal.aborted) {
            failures.failed('telemetry', 'iconik is not told how this node is; the work goes on', thrown);
            // iconik keeps one state per worker, no history: what it missed is told by the log (agent/cache/README.md).
            if (now !== told && now !== noted)
              this.#deps.log.info(`iconik could not be told that this node is ${status}`, { status, isLeader });
            noted = now;
          }
        }
      }
      await this.#wait.wait(Math.min(LOOK_MS, intervalMs), signal);
    }
  }

  /** The last word: sent after the loop's last message has been given up, so that nothing of ours overtakes it. */
  async #sayStopped(loop: Promise<void>): Promise<void> {
    const deadline = AbortSignal.timeout(STOP_DEADLINE_MS);
    const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }));
    const send = async () => {
      await loop;
      if (!deadline.aborted) await this.#post('STOPPED', false, deadline);
    };
    const sent = send().catch((thrown: unknown) => {
      this.#deps.log.info(`iconik was not told that this node stopped: ${coerceError(thrown).message}`);
    });
    await Promise.race([sent, late]);
  }

  #post(status: NodeStatus, isLeader: boolean, signal: AbortSignal): Promise<void> {
    const deps = this.#deps;
    const body = {
      worker_id: deps.workerId,
      storage_gateway_id: deps.storageGatewayId,
      status,
      version: deps.version,
      host_name: deps.host.name,
      host_ip: deps.host.ip,
      host_info: deps.host.info,
      is_leader: isLeader,
      start_status: deps.start.status,
      start_status_message: deps.start.message,
      start_last_date: new Date(deps.start.atMs).toISOString(),
      ...logLineFields(deps.lines(), deps.errorLines()),
    };
    return deps.iconik.gateways.postTelemetry(deps.storageGatewayId, body, { signal });
  }
}
