import type { IconikApi } from '../api.ts';
import { formerUpload } from './gcs-session.ts';
import { SHORT_DEADLINE_MS, type StoreDeps, sendOnce } from './object-store-http.ts';
import { GCS_MAX_COMPONENTS } from './part-plan.ts';
import type { AbandonedUpload } from './upload-object.ts';

/** Requests to remove something that are under way at once. */
const REMOVALS_AT_ONCE = 8;

/** Groups are removed whatever content they were composed with. */
const ANY_TYPE = 'application/octet-stream';

type CleanUpDeps = StoreDeps & { api: IconikApi };

/** Components, and groups of them, that nobody needs any more. */
interface Leftovers {
  assetId: string;
  fileId: string;
  parts: number;
  signal: AbortSignal;
}

/**
 * Removes the components of an upload and their groups. By their own URLs first, whose meaning is certain; what cannot be
 * removed so is left to iconik's call for it. May be repeated. Trouble is ignored because nothing depends on it; throws only
 * the reason of `signal`.
 */
export async function removeComponents(deps: CleanUpDeps, left: Leftovers): Promise<void> {
  const { assetId, fileId, parts, signal } = left;
  const groups = parts > GCS_MAX_COMPONENTS ? Math.ceil(parts / GCS_MAX_COMPONENTS) : null;
  try {
    if (await removeByUrl(deps, left, await deleteUrls(deps, left, groups ?? 0))) return;
  } catch {
    signal.throwIfAborted();
  }
  await deps.api.files.gcsCleanUp(assetId, fileId, { parts, groups }, { signal }).catch(() => signal.throwIfAborted());
}

async function deleteUrls(deps: CleanUpDeps, left: Leftovers, groups: number): Promise<(string | null)[]> {
  const { assetId, fileId, parts, signal } = left;
  const places = await deps.api.files.gcsPartUrls(assetId, fileId, { partsNum: parts }, { signal });
  const urls = places.map(({ deleteUrl }) => deleteUrl);
  for (let group = 1; group <= groups; group += 1) {
    const ask = { group, contentType: ANY_TYPE };
    urls.push((await deps.api.files.gcsComposeUrl(assetId, fileId, ask, { signal })).deleteUrl);
  }
  return urls;
}

/** Whether all are gone. */
async function removeByUrl(deps: CleanUpDeps, left: Leftovers, urls: readonly (string | null)[]): Promise<boolean> {
  const queue = [...urls];
  let areGone = true;
  const work = async (): Promise<void> => {
    for (let url = queue.shift(); url !== undefined; url = queue.shift()) {
      if (url === null || !(await isRemoved(deps, left, url))) areGone = false;
    }
  };
  await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, () => work()));
  return areGone;
}

async function isRemoved(deps: CleanUpDeps, { signal }: Leftovers, url: string): Promise<boolean> {
  const what = 'remove a part of the upload';
  const answer = await sendOnce(deps, { what, url, method: 'DELETE', deadlineMs: SHORT_DEADLINE_MS, signal });
  return answer.status === 200 || answer.status === 204 || answer.status === 404;
}

/** Removes what a saved upload has sent. Throws only the reason of `signal`. */
export async function removeSavedComponents(deps: CleanUpDeps, upload: AbandonedUpload): Promise<void> {
  const former = formerUpload(upload.checkpoint);
  if (former) await removeComponents(deps, { assetId: upload.assetId, ...former, signal: upload.signal });
}
