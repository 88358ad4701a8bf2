import type { IconikApi } from '../../../iconik/api.ts';
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
  /** Uniform in [0, 1). */
  random(): number;
  /** Time between looks at the events, milliseconds, before jitter; default 2000. */
  pollIntervalMs?: number;
  /** Longest time between looks into a queue without a hint, milliseconds; default 30 000. */
  reconcileIntervalMs?: number;
}

/** Leader work on events and queues. */
export interface QueueWork extends LeaderWork {
  /** Looks into events and all queues of a storage at once. Does nothing on a node that does not lead. */
  wake(storageId: string): void;
  /** Events acknowledged without effect since the start, by type. */
  ignoredEvents(): ReadonlyMap<string, number>;
}

const POLL_INTERVAL_MS = 2000;
const RECONCILE_INTERVAL_MS = 30_000;
/** Types counted one by one; more of them are strange enough to be counted together. */
const COUNTED_TYPES = 100;

/** Makes the work that turns iconik's events and queues into jobs (README.md of this folder). */
export function createQueueWork(deps: QueueWorkDeps): QueueWork {
  const log = deps.log.child({ role: 'MAIN', work: 'queues' });
  const waits = new Map<string, WakeableWait>();
  const ignored = new Map<string, number>();
  const countIgnored = (type: string, note: string) => {
    const key = ignored.has(type) || ignored.size < COUNTED_TYPES ? type.slice(0, 100) : 'other';
    if (!ignored.has(key)) log.warn(`Gateway event ${key} is acknowledged without effect: ${note}.`);
    ignored.set(key, (ignored.get(key) ?? 0) + 1);
  };
  const pollMs = deps.pollIntervalMs ?? POLL_INTERVAL_MS;
  return {
    name: 'queues',
    wake: (storageId) => waits.get(storageId)?.wake(),
    ignoredEvents: () => ignored,
    run: (leadership) => {
      const failures = createFailureLog(log);
      const reconcileIntervalMs = deps.reconcileIntervalMs ?? RECONCILE_INTERVAL_MS;
      const roundDeps = { ...deps, log, failures, reconcileIntervalMs, countIgnored };
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
            woken = await wait.wait(pollMs * (0.75 + deps.random() / 2), signal);
          }
          if (waits.get(storageId) === wait) waits.delete(storageId);
        },
      });
    },
  };
}
