import { IsgError } from '../../runtime/errors.ts';
import { sendRangeRepeatedly } from './object-source.ts';
import { isExpiredAnswer, refusal } from './object-store-http.ts';
import { missingParts, type PlannedPart } from './part-plan.ts';
import { runParts, SAVE_EVERY_MS, type SendEnd } from './parts-run.ts';
import { createPartUrls, type PartPlace } from './s3-part-urls.ts';
import { type S3Deps, type S3Session, type S3Upload, saveSession, saysGone } from './s3-session.ts';

/** Why the sending ended: all parts are there, or the store does not know the upload any more. */
export type PartsOutcome = 'sent' | 'gone';

/** Sends every part that the session does not hold yet. Finished parts stay in the session whatever happens. */
export async function sendMissingParts(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<PartsOutcome> {
  const parts = missingParts(upload, session);
  if (parts.length === 0) return 'sent';
  const urls = createPartUrls(deps, upload, session);
  const end = await runParts(deps, upload.source.args, {
    parts,
    save: () => saveSession(upload, session),
    saveEveryMs: SAVE_EVERY_MS.storeLists,
    async send(part, how): Promise<SendEnd> {
      const put = (place: PartPlace) => putPart(deps, upload, { part, place, ...how });
      let place = await urls.of(part, how.signal);
      let answer = await put(place);
      if (isExpiredAnswer(answer)) {
        place = await urls.renew(part, place, how.signal);
        answer = await put(place);
      }
      if (saysGone(answer)) return 'stop';
      if (answer.status !== 200) throw refusal(`upload part ${part.number}`, place.url, answer);
      const etag = answer.headers.etag;
      if (!etag) throw withoutEtag(part);
      session.finished.set(part.number, { number: part.number, etag, sizeBytes: part.lengthBytes });
      return 'sent';
    },
  });
  return end === 'stop' ? 'gone' : 'sent';
}

function withoutEtag(part: PlannedPart): IsgError {
  const message = `The object store confirmed part ${part.number} without an ETag; the upload cannot be put together.`;
  return new IsgError('upload-refused', message, { retry: 'transient' });
}

function putPart(
  deps: S3Deps,
  upload: S3Upload,
  put: { part: PlannedPart; place: PartPlace; signal: AbortSignal; onBytes: (sentBytes: number) => void },
) {
  const { part, place, signal, onBytes } = put;
  const { url, headers } = place;
  return sendRangeRepeatedly(deps, upload.source, {
    what: `upload part ${part.number}`,
    range: { offsetBytes: part.offsetBytes, lengthBytes: part.lengthBytes },
    request: { url, method: 'PUT', headers },
    signal,
    onBytes,
  });
}
