import { hasPlacedMarker } from '../../../db/queries/deletion.ts';
import type { JobOutcome } from '../../../jobs/job-handler.ts';
import type { ErrorCode } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';

const PROBE_TIMEOUT_MS = 5000;
/** How long a job waits for a storage that is away. */
const AWAY_MS = 30_000;

/** That the job waits until the storage is there. */
export function awaitStorage(why: string): JobOutcome {
  return { kind: 'snooze', afterMs: AWAY_MS, why };
}

/** That an order is not carried out, for good. */
export function refuse(code: ErrorCode, message: string): JobOutcome {
  return { kind: 'failed', error: { code, message, retry: 'permanent' } };
}

/** Null when the storage is there, so that absence on it is real; else the outcome to answer. */
export async function confirmAbsent(deps: { database: Sql }, storage: StorageAccess): Promise<JobOutcome | null> {
  const away = await whyAway(deps, storage);
  return away ? awaitStorage(away) : null;
}

/** Why the root cannot be taken for the storage now; null when it can. An empty mount point proves no absence. */
export async function whyAway(deps: { database: Sql }, storage: StorageAccess): Promise<string | null> {
  const probe = await storage.probe({ testWrite: false, timeoutMs: PROBE_TIMEOUT_MS });
  if (probe.kind === 'unreachable') return `the storage is away: ${probe.detail}`;
  if (probe.marker === 'wrong') return 'another storage is mounted at the mount point';
  if (probe.marker === 'right') return null;
  if (probe.empty || (await hasPlacedMarker(deps.database, storage.storageId)))
    return 'the root of the storage lacks its identity marker; it may not be mounted';
  return null;
}
