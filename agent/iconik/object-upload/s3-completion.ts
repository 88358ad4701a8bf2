import { backoffMs } from '../../runtime/backoff.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { isBusyAnswer, isExpiredAnswer, refusal, sendOnce } from './object-store-http.ts';
import { recordCalls } from './record-calls.ts';
import { completeBody, errorCodeOf, isCompleteAnswer } from './s3-answers.ts';
import {
  bareEtag,
  compositeEtag,
  multipartUrls,
  type S3Deps,
  type S3Session,
  type S3Upload,
  saveSession,
  saysGone,
} from './s3-session.ts';
import { lookAtObject } from './stored-object.ts';

/** S3 may take minutes to put a large object together and keeps the connection open meanwhile, milliseconds. */
const COMPLETE_DEADLINE_MS = 5 * 60_000;

const RETRY_SHAPE = { baseMs: 500, capMs: 8_000 };

const PARTS_REFUSED = new Set(['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall']);

/** `gone`: neither the upload nor the object is there. `parts-refused`: the store does not hold what we thought. */
export type CompletionOutcome = 'done' | 'gone' | 'parts-refused';

/**
 * Asks the store to put the object together. The answer may be lost after the store has done it; then the repeated
 * request says "no such upload", which counts as done only when the object itself can be seen to be ours (`isStored`).
 */
export async function completeSession(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<CompletionOutcome> {
  // Kept before the request: after it the store lists no parts any more, and only their ETags can prove the object ours.
  await saveSession(upload, session);
  const { args } = upload.source;
  for (let attempt = 1; ; attempt += 1) {
    const step = await tryComplete(deps, upload, session);
    if (step.kind === 'outcome') return step.outcome;
    if (step.kind === 'gone') return (await isStored(deps, upload, session)) ? 'done' : 'gone';
    if (attempt >= deps.attempts) throw step.error;
    await deps.clock.sleep(backoffMs(attempt, RETRY_SHAPE, deps.random), args.signal);
  }
}

type CompleteStep =
  | { kind: 'outcome'; outcome: CompletionOutcome }
  | { kind: 'gone' }
  | { kind: 'again'; error: IsgError };

async function tryComplete(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<CompleteStep> {
  const { args } = upload.source;
  const what = 'put the parts together';
  const { complete_url: url } = await multipartUrls(deps, upload, { session, type: 'complete_url' });
  if (!url) {
    const message = 'iconik gave no URL to complete the multipart upload with; it will be asked again.';
    return { kind: 'again', error: new IsgError('upload-refused', message, { retry: 'transient' }) };
  }
  await args.confirmLease();
  const answer = await sendComplete(deps, { url, what, body: completeBody([...session.finished.values()]), upload });
  if (answer instanceof IsgError) return { kind: 'again', error: answer };
  return judgeCompletion(answer, { what, url });
}

async function sendComplete(
  deps: S3Deps,
  send: { url: string; what: string; body: string; upload: S3Upload },
): Promise<HttpAnswer | IsgError> {
  const { signal } = send.upload.source.args;
  const headers = { 'content-type': 'application/xml' };
  try {
    const { what, url, body } = send;
    return await sendOnce(deps, { what, url, body, headers, method: 'POST', deadlineMs: COMPLETE_DEADLINE_MS, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    const error = coerceError(thrown);
    if (error.retry === 'permanent') throw error;
    return error;
  }
}

function judgeCompletion(answer: HttpAnswer, about: { what: string; url: string }): CompleteStep {
  if (saysGone(answer)) return { kind: 'gone' };
  const code = errorCodeOf(answer.body);
  if (code !== null && PARTS_REFUSED.has(code)) return { kind: 'outcome', outcome: 'parts-refused' };
  if (answer.status === 200 && isCompleteAnswer(answer.body)) return { kind: 'outcome', outcome: 'done' };
  const error = refusal(about.what, about.url, answer);
  // 200 with an error inside, or with a body cut short, leaves open what happened; the same request settles it.
  if (answer.status === 200 || isBusyAnswer(answer) || isExpiredAnswer(answer)) {
    const unsettled = new IsgError('upload-refused', error.message, { retry: 'transient', fields: error.fields });
    return { kind: 'again', error: unsettled };
  }
  throw error;
}

/**
 * Whether the object at the record's place is the one this session describes: same length and the composite ETag that
 * S3 computes from these very parts. Anything that cannot be verified counts as no.
 */
export async function isStored(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<boolean> {
  const parts = [...session.finished.values()];
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const expected = compositeEtag(parts);
  if (expected === null || sizeBytes !== upload.source.expected.sizeBytes) return false;
  try {
    const { signal } = upload.source.args;
    const url = await recordCalls(deps.api, upload.record).downloadUrl(signal);
    const seen = url ? await lookAtObject(deps, url, signal) : null;
    return seen !== null && seen.sizeBytes === sizeBytes && bareEtag(seen.headers.etag ?? '') === expected;
  } catch (thrown) {
    upload.source.args.signal.throwIfAborted();
    if (coerceError(thrown).retry === 'permanent') return false;
    throw thrown;
  }
}
