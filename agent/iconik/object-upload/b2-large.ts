import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { b2ErrorOf, b2StoredOf } from './b2-answers.ts';
import { type B2Place, type B2Sender, mangled, sendToPlaces } from './b2-places.ts';
import {
  type B2Deps,
  type B2Session,
  type B2Upload,
  cancelSavedUpload,
  isStored,
  nextPlace,
  savedSession,
  saveSession,
  startSession,
} from './b2-session.ts';
import { digestOfRange, sendRangeOnce } from './object-source.ts';
import { refusal } from './object-store-http.ts';
import { missingParts, type PlannedPart } from './part-plan.ts';
import { runParts, SAVE_EVERY_MS, type SendEnd } from './parts-run.ts';

/** Large files begun within one call, before the job's own retry takes over. */
const MAX_STARTS = 2;

/** Bounds the answers to one finish that leave its outcome open. */
const FINISH_TRIES = 3;

/**
 * Uploads a file to B2 as a large file (README.md of this folder): goes on with that of an earlier attempt while B2 knows it,
 * sends what is missing, finishes it under a confirmed lease, and begins anew when B2 has lost it.
 */
export async function uploadLargeToB2(deps: B2Deps, upload: B2Upload): Promise<void> {
  const { args } = upload.source;
  let session = savedSession(upload);
  if (!session) await dropFormerUpload(deps, upload);
  for (let starts = 0; starts < MAX_STARTS; starts += 1) {
    session ??= await startSession(deps, upload);
    if ((await sendMissing(deps, upload, session)) === 'sent' && (await finish(deps, upload, session)) === 'done')
      return;
    session = null;
  }
  const message = `B2 dropped the upload of ${args.path} ${MAX_STARTS} times; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

async function dropFormerUpload(deps: B2Deps, { source, record }: B2Upload): Promise<void> {
  const { checkpoint, signal } = source.args;
  // Trouble is ignored because nothing depends on it.
  await cancelSavedUpload(deps.api, { assetId: record.assetId, checkpoint, signal }).catch(() =>
    signal.throwIfAborted(),
  );
}

/** Drops a large file that B2 will not finish. Trouble is ignored because nothing depends on it. */
async function dropSession(deps: B2Deps, { source, record }: B2Upload, session: B2Session): Promise<void> {
  const { signal } = source.args;
  const { assetId, fileId } = record;
  await deps.api.files.cancelB2(assetId, fileId, session.uploadFileId, { signal }).catch(() => signal.throwIfAborted());
}

async function sendMissing(deps: B2Deps, upload: B2Upload, session: B2Session): Promise<'sent' | 'gone'> {
  const parts = missingParts(upload, session);
  const senders = sendersOf(deps, upload, session);
  const end = await runParts(deps, upload.source.args, {
    parts,
    save: () => saveSession(upload, session),
    saveEveryMs: SAVE_EVERY_MS.checkpointDecides,
    async send(part, { lane, signal, onBytes }): Promise<SendEnd> {
      const sender = senders[lane];
      if (!sender) throw new Error(`no sender ${lane}`);
      const sha1 = await digestOfRange(upload.source, part, 'sha1', signal);
      if (sender.place === null && (await isGone(() => sender.next(signal), sender))) return 'stop';
      const answer = await sendPart(deps, upload, { part, sha1, sender, signal, onBytes });
      if (saysGone(answer)) return 'stop';
      const what = `upload part ${part.number}`;
      if (answer.status !== 200) throw refusal(what, sender.place?.url ?? '', answer);
      if (b2StoredOf(answer.body)?.contentSha1 !== sha1) throw mangled(what);
      session.finished.set(part.number, { number: part.number, sha1, sizeBytes: part.lengthBytes });
      return 'sent';
    },
  });
  return end === 'stop' ? 'gone' : 'sent';
}

/** One place per sender: an upload URL that two use at once is refused. */
function sendersOf(deps: B2Deps, upload: B2Upload, session: B2Session): B2Sender[] {
  return Array.from({ length: deps.partsAtOnce }, (_, lane) => ({
    place: lane === 0 ? session.firstPlace : null,
    next: (signal: AbortSignal): Promise<B2Place> => nextPlace(deps, upload, session, signal),
  }));
}

/** Takes a place; true when iconik says that there is no such large file any more. */
async function isGone(next: () => Promise<B2Place>, sender: B2Sender): Promise<boolean> {
  try {
    sender.place = await next();
    return false;
  } catch (thrown) {
    if (!/^iconik-(rejected|not-found)$/.test(coerceError(thrown).code)) throw thrown;
    return true;
  }
}

function sendPart(
  deps: B2Deps,
  upload: B2Upload,
  send: {
    part: PlannedPart;
    sha1: string;
    sender: B2Sender;
    signal: AbortSignal;
    onBytes: (sentBytes: number) => void;
  },
): Promise<HttpAnswer> {
  const { part, sha1, sender, signal, onBytes } = send;
  const what = `upload part ${part.number}`;
  const headers = { 'x-bz-part-number': String(part.number), 'x-bz-content-sha1': sha1 };
  return sendToPlaces(deps, sender, {
    what,
    signal,
    once: ({ url, token }) =>
      sendRangeOnce(deps, upload.source, {
        what,
        range: { offsetBytes: part.offsetBytes, lengthBytes: part.lengthBytes },
        request: { url, method: 'POST', headers: { ...headers, authorization: token } },
        signal,
        onBytes,
      }),
  });
}

/** B2 has one code for many mistakes; only its words tell a large file that was finished or cancelled. */
function saysGone(answer: HttpAnswer): boolean {
  if (answer.status === 404) return true;
  return answer.status === 400 && /no active upload/i.test(b2ErrorOf(answer.body)?.message ?? '');
}

/**
 * Asks iconik to finish the large file. When the answer is lost, or says no, the object itself tells: it has the id of the large
 * file. `gone`: it is neither there nor can it be finished.
 */
async function finish(deps: B2Deps, upload: B2Upload, session: B2Session): Promise<'done' | 'gone'> {
  const { args } = upload.source;
  const { assetId, fileId } = upload.record;
  const sha1s = [...session.finished.values()].sort((a, b) => a.number - b.number).map((part) => part.sha1);
  // Kept before the request: after it B2 takes no parts any more.
  await saveSession(upload, session);
  for (let attempt = 1; ; attempt += 1) {
    await args.confirmLease();
    try {
      const { uploadFileId } = session;
      await deps.api.files.finishB2(assetId, fileId, { uploadFileId, sha1s }, { signal: args.signal });
      return 'done';
    } catch (thrown) {
      args.signal.throwIfAborted();
      if (await isStored(deps, upload, session)) return 'done';
      if (/^iconik-(rejected|not-found|conflict)$/.test(coerceError(thrown).code)) break;
      if (attempt >= FINISH_TRIES) throw thrown;
    }
  }
  await dropSession(deps, upload, session);
  return 'gone';
}
