import type { Clock } from '../../runtime/clock.ts';
import { coerceError } from '../../runtime/errors.ts';
import type { IconikApi } from '../api.ts';

/** A setting of a storage is believed this long, so that thousands of small files cost one question. */
const BELIEVED_MS = 5 * 60_000;

/** Whether a storage wants an MD5 with each request; false when nobody says which storage it is. */
export type Md5Wish = (storageId: string | null | undefined, signal: AbortSignal) => Promise<boolean>;

/** Looks up `presign_md5_checksum` of S3 storages (reference C.9). A storage that may not be read counts as one without it. */
export function createMd5Wish({ api, clock }: { api: IconikApi; clock: Clock }): Md5Wish {
  const known = new Map<string, { wants: boolean; untilMs: number }>();
  return async (storageId, signal) => {
    if (!storageId) return false;
    const nowMs = clock.monotonicMs();
    const earlier = known.get(storageId);
    if (earlier && nowMs < earlier.untilMs) return earlier.wants;
    const wants = await ask(api, storageId, signal);
    known.set(storageId, { wants, untilMs: nowMs + BELIEVED_MS });
    return wants;
  };
}

async function ask(api: IconikApi, storageId: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { settings } = await api.storages.get(storageId, { signal });
    // A setting of S3 storages; the named ones are those of FILE storages.
    return (settings as Record<string, unknown>).presign_md5_checksum === true;
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.code === 'iconik-forbidden' || error.code === 'iconik-not-found') return false;
    throw error;
  }
}
