import type { JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';

/** A storage that is away costs no attempt; this is how soon it is looked at again, milliseconds. */
const AWAY_MS = 5_000;

/** Outcome of a job whose storage this node does not reach. */
export function storageAway(why: string): JobOutcome {
  return { kind: 'snooze', afterMs: AWAY_MS, why };
}

/** The outcome for trouble with the storage or that names its own waiting time; null when the runner's rules are right. */
export async function postponement(storage: Pick<StorageAccess, 'probe'>, thrown: unknown): Promise<JobOutcome | null> {
  const error = coerceError(thrown);
  const ofStorage = await outcomeOfStorageTrouble(storage, error, AWAY_MS);
  if (ofStorage) return ofStorage;
  const afterMs = error.fields.retryAfterMs;
  // An intent in doubt is the runner's business: it gives the attempt back.
  if (error.code === 'creation-in-doubt' || typeof afterMs !== 'number') return null;
  return { kind: 'retry', error: errorRecord(error), afterMs };
}
