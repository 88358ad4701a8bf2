import type { IconikApi, Storage } from '../../../iconik/api.ts';
import type { LeaderWork } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { TranscoderProfiles } from '../transcoders/transcoder-profiles.ts';
import { createFailureLog } from './failure-log.ts';
import { runStorageLoops, WakeableWait } from './storage-loops.ts';
import { StorageQueues } from './storage-queues.ts';

/** What the queue work needs. */
export interface QueueWorkDeps {
  iconik: Pick<IconikApi, 'storages' | 'transcode' | 'files'>;
  transcoders: TranscoderProfiles;
  database: Sql;
  clock: Clock;
  log: Logger;
  /** Ids of the storages of the cluster now. */
  storageIds(): readonly string[];
  /** A storage as iconik describes it now; null when this node does not know it. */
  storage(storageId: string): Storage | null;
  /** iconik orders the restart of the node; called at most once for an event. */
  restart(storageId: string): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** Time between looks at the events of a storage without orders in work, milliseconds, before jitter; default 2000. */
  pollIntervalMs?: number;
  /** The same while orders are in work, which users may abort; default 600. */
  busyPollIntervalMs?: number;
  /** How long a record must be away from iconik's list before its job is cancelled, milliseconds; default 20 000. */
  vanishedMs?: number;
  /** How long a settled record must be away from iconik's lists before it is forgotten, milliseconds; default a minute. */
  forgetMs?: number;
  /** Longest time between looks into a queue without a hint, milliseconds; default 30 000. */
  reconcileIntervalMs?: number;
}

/** Leader work on events and queues. */
export interface QueueWork extends LeaderWork {
  /** Looks into events and all queues of a storage at once. Does nothing on a node that does not lead. */
  wake(storageId: string): void;
  /** Events acknowledged without effect since the start, by type. */
  ignoredEvents(): ReadonlyMap<string, number>;
  /** Orders that left iconik's queues without a word since the start, by queue. */
  vanishedOrders(): ReadonlyMap<string, number>;
}

const POLL_INTERVAL_MS = 2000;
const BUSY_POLL_INTERVAL_MS = 600;
/** Looks at events that all storages with orders in work may take together, a second: a part of the leader's requests. */
const BUSY_LOOKS_PER_S = 6;
const RECONCILE_INTERVAL_MS = 30_000;
/** Types counted one by one; more of them are strange enough to be counted together. */
const COUNTED_TYPES = 100;

/** Makes the work that turns iconik's events and queues into jobs (README.md of this folder). */
export function createQueueWork(deps: QueueWorkDeps): QueueWork {
  const log = deps.log.child({ role: 'MAIN', work: 'queues' });
  const waits = new Map<string, WakeableWait>();
  const ignored = new Map<string, number>();
  const said = new Set<string>();
  const countIgnored = (storageId: string, type: string, note: string) => {
    const short = type.slice(0, 100);
    const key = ignored.has(short) || ignored.size < COUNTED_TYPES ? short : 'other';
    const words = `Gateway event ${key} is acknowledged without effect: ${note}.`;
    if (!said.has(`${storageId} ${words}`)) log.warn(words, { storageId });
    if (said.size < 10 * COUNTED_TYPES) said.add(`${storageId} ${words}`);
    ignored.set(key, (ignored.get(key) ?? 0) + 1);
  };
  const vanished = new Map<string, number>();
  const countVanished = (queue: string, count: number) => vanished.set(queue, (vanished.get(queue) ?? 0) + count);
  const pollMs = deps.pollIntervalMs ?? POLL_INTERVAL_MS;
  const busyMs = () =>
    Math.max(deps.busyPollIntervalMs ?? BUSY_POLL_INTERVAL_MS, (deps.storageIds().length * 1000) / BUSY_LOOKS_PER_S);
  return {
    name: 'queues',
    wake: (storageId) => waits.get(storageId)?.wake(),
    ignoredEvents: () => ignored,
    vanishedOrders: () => vanished,
    run: (leadership) => {
      const failures = createFailureLog(log);
      const reconcileIntervalMs = deps.reconcileIntervalMs ?? RECONCILE_INTERVAL_MS;
      const roundDeps = { ...deps, log, failures, reconcileIntervalMs, countIgnored, countVanished };
      return runStorageLoops({
        leadership,
        clock: deps.clock,
        storageIds: () => deps.storageIds(),
        onCrash: (storageId, thrown) =>
          failures.failed(`loop ${storageId}`, 'The queue loop of a storage broke', thrown),
        async loop(storageId, signal) {
          const wait = new WakeableWait(deps.clock);
          waits.set(storageId, wait);
          const queues = new StorageQueues(roundDeps, storageId, leadership);
          let woken = false;
          while (!signal.aborted) {
            await queues.round(woken, signal);
            const everyMs = queues.hasOpenOrders() ? Math.min(pollMs, busyMs()) : pollMs;
            woken = await wait.wait(everyMs * (0.75 + deps.random() / 2), signal);
          }
          if (waits.get(storageId) === wait) waits.delete(storageId);
        },
      });
    },
  };
}
