import type { JobOutcome } from '../jobs/job-handler.ts';
import { coerceError, errorRecord } from '../runtime/errors.ts';
import type { ProbeResult, StorageAccess } from '../storage/storage-access.ts';

const PROBE_TIMEOUT_MS = 5_000;

/** An empty root without marker is taken for the folder under a vanished mount. */
function isThere(probe: ProbeResult): boolean {
  if (probe.kind === 'unreachable' || probe.marker === 'wrong') return false;
  return probe.marker === 'right' || !probe.empty;
}

/**
 * The outcome of a job that a storage kept from its work; null for other trouble. While the storage itself is away it costs
 * no attempt and is looked at again after `awayMs`. When the storage answers, it is the file that hangs or breaks: that
 * costs an attempt, so that it has an end.
 */
export async function outcomeOfStorageTrouble(
  storage: Pick<StorageAccess, 'probe'>,
  thrown: unknown,
  awayMs: number,
): Promise<JobOutcome | null> {
  const error = coerceError(thrown);
  if (error.code !== 'storage-unavailable' && error.code !== 'storage-hung') return null;
  const probe = await storage.probe({ testWrite: false, timeoutMs: PROBE_TIMEOUT_MS });
  if (isThere(probe)) return { kind: 'retry', error: errorRecord(error) };
  return { kind: 'snooze', afterMs: awayMs, why: error.message };
}
