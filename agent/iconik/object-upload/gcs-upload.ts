import type { IconikApi } from '../api.ts';
import { uploadByComponents } from './gcs-compose.ts';
import { type GcsDeps, hasSavedSession, uploadResumably } from './gcs-resumable.ts';
import type { ObjectSource } from './object-source.ts';
import { gcsPartSizeFor } from './part-plan.ts';
import type { PartsDeps } from './parts-run.ts';

/** How long a storage that took no parallel upload is not offered another, milliseconds. */
const REFUSAL_COUNTS_MS = 60 * 60_000;

/**
 * Makes the way to GCS: larger files of file records in parallel components, all others, and where that is refused, through a
 * session, which is the way that iconik documents (reference C.9).
 */
export function createGcsUpload(deps: GcsDeps & PartsDeps & { api: IconikApi; partSizeBytes: number }) {
  const refusedUntilMs = new Map<string, number>();
  return async (source: ObjectSource, startUrl: string): Promise<void> => {
    const { multipart: record, target, sizeBytes } = source.args;
    const storageId = target.storage_id ?? '';
    const mayCompose = (record?.kind ?? 'file') === 'file' && sizeBytes > gcsPartSizeFor(sizeBytes, deps.partSizeBytes);
    const isRefused = deps.clock.monotonicMs() < (refusedUntilMs.get(storageId) ?? 0);
    // One part at once is what a session does better: no components to compose, none that could be left.
    const inParallel = record && mayCompose && !isRefused && deps.partsAtOnce > 1 && !hasSavedSession(source, startUrl);
    if (inParallel) {
      if ((await uploadByComponents(deps, { source, record })) === 'done') return;
      refusedUntilMs.set(storageId, deps.clock.monotonicMs() + REFUSAL_COUNTS_MS);
    }
    await uploadResumably(deps, source, startUrl);
  };
}
