import { readRegistration } from '../db/queries/worker.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';

/** Who wants to register, and where it runs. */
export interface WorkerClaim {
  workerId: string;
  machineId: string;
  host: string;
}

/** What settling needs. */
export interface SettleOptions {
  database: Sql;
  clock: Clock;
  log: Logger;
  /** Gives the installation another worker id, durably, and answers it. */
  renew: () => Promise<string>;
  /** How long a heartbeat of the other run is waited for; heartbeats come each second. */
  watchMs?: number;
}

const WATCH_MS = 3_500;
const LOOK_MS = 250;

/**
 * The worker id under which this run may register. A copied data folder is told by its place as a rule (cache/installation.ts);
 * this is for the copy of a whole disk, where the place is the same. When the id is registered from another machine and its
 * heartbeat moves before our eyes, two living runs with one id would free each other's jobs: the later one, this one, makes
 * itself a new id. A disk that was moved (no heartbeat from its old machine any more) keeps it. Not noticed: copies with the
 * ids of the machine and its name copied, too, and copies that are started at the same moment.
 */
export async function settleWorkerId(claim: WorkerClaim, options: SettleOptions): Promise<string> {
  const { database, clock, log, renew, watchMs = WATCH_MS } = options;
  const first = await readRegistration(database, claim.workerId);
  const isOurPlace = first?.machine_id === claim.machineId && first.host === claim.host;
  if (first === null || isOurPlace || first.availability_status === 'unavailable') return claim.workerId;
  const endMs = clock.monotonicMs() + watchMs;
  while (clock.monotonicMs() < endMs) {
    await clock.sleep(LOOK_MS);
    const now = await readRegistration(database, claim.workerId);
    if (now === null || (now.run_id === first.run_id && now.heartbeat === first.heartbeat)) continue;
    const workerId = await renew();
    log.warn(
      `Another machine (${first.host}) runs with the worker id of this data folder: the folder was copied. This node takes a new worker id and goes on.`,
      { workerId, copiedFrom: claim.workerId },
    );
    return workerId;
  }
  return claim.workerId;
}
