import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import type { GcsPart } from '../api.ts';
import { type GcsComponent, gcsFactsOf } from './gcs-answers.ts';
import {
  type ComponentPlaces,
  type GcsComposeDeps,
  type GcsSession,
  type GcsUpload,
  saveSession,
} from './gcs-session.ts';
import { digestOfRange, sendRangeRepeatedly } from './object-source.ts';
import { isExpiredAnswer } from './object-store-http.ts';
import { missingParts, type PlannedPart } from './part-plan.ts';
import { runParts, SAVE_EVERY_MS, type SendEnd } from './parts-run.ts';
import { lookAtObject } from './stored-object.ts';

/**
 * Sends every component that the store is not known to hold. `refused`: it takes none of this kind of upload, whatever the
 * reason; another way may do. Finished components stay in the session in any case.
 */
export async function sendComponents(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  run: { session: GcsSession; places: ComponentPlaces },
): Promise<'sent' | 'refused'> {
  const { session, places } = run;
  const end = await runParts(deps, upload.source.args, {
    parts: missingParts(upload, session),
    save: () => saveSession(upload, session),
    saveEveryMs: SAVE_EVERY_MS.checkpointDecides,
    async send(part, how): Promise<SendEnd> {
      const place = await places.of(part.number);
      const held = session.mayHoldMore ? await heldComponent(deps, upload, { part, place, signal: how.signal }) : null;
      const component = held ?? (await sendComponent(deps, upload, { part, place, places, ...how }));
      if (component === 'refused') return 'stop';
      session.finished.set(part.number, component);
      return 'sent';
    },
  });
  return end === 'stop' ? 'refused' : 'sent';
}

/** The component as the store holds it from an earlier attempt; null when it cannot be seen or has other bytes. */
async function heldComponent(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  ask: { part: PlannedPart; place: GcsPart; signal: AbortSignal },
): Promise<GcsComponent | null> {
  const { part, place, signal } = ask;
  if (!place.downloadUrl) return null;
  const seen = await lookAtObject(deps, place.downloadUrl, signal).catch(() => {
    signal.throwIfAborted();
    return null;
  });
  if (seen?.sizeBytes !== part.lengthBytes) return null;
  const facts = gcsFactsOf(seen.headers);
  if (facts.md5 === undefined) return null;
  const isSame = facts.md5 === (await digestOfRange(upload.source, part, 'md5', signal));
  return isSame ? { ...facts, number: part.number, sizeBytes: part.lengthBytes } : null;
}

async function sendComponent(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  send: {
    part: PlannedPart;
    place: GcsPart;
    places: ComponentPlaces;
    signal: AbortSignal;
    onBytes: (sentBytes: number) => void;
  },
): Promise<GcsComponent | 'refused'> {
  const { part, place, places, signal, onBytes } = send;
  const what = `upload part ${part.number}`;
  // No header but the length: the signature of such a URL may cover them all, and iconik says of none that it does.
  const put = (url: string): Promise<HttpAnswer> =>
    sendRangeRepeatedly(deps, upload.source, {
      what,
      range: { offsetBytes: part.offsetBytes, lengthBytes: part.lengthBytes },
      request: { url, method: 'PUT', headers: {} },
      signal,
      onBytes,
    });
  let answer = await put(place.url);
  if (isExpiredAnswer(answer)) answer = await put((await places.renew(place)).url);
  if (answer.status !== 200 && answer.status !== 201) return 'refused';
  const facts = gcsFactsOf(answer.headers);
  // Read again, this time from the cache: the sender takes no digest, and a signed URL takes no Content-MD5.
  const isMangled = facts.md5 !== undefined && facts.md5 !== (await digestOfRange(upload.source, part, 'md5', signal));
  if (!isMangled) return { ...facts, number: part.number, sizeBytes: part.lengthBytes };
  const message = `The object store holds other bytes of part ${part.number} than were sent; it will be sent again.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}
