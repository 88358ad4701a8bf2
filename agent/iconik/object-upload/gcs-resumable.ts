import { z } from 'zod';
import { backoffMs } from '../../runtime/backoff.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { type ObjectSource, sendRangeOnce } from './object-source.ts';
import {
  assertUsableUrl,
  isBusyAnswer,
  refusal,
  SHORT_DEADLINE_MS,
  type StoreDeps,
  sendOnce,
  sendRepeatedly,
} from './object-store-http.ts';
import { gcsChunkSize, heldBytes } from './part-plan.ts';

/** What resumable uploads need. */
export interface GcsDeps extends StoreDeps {
  /** Bytes per request; rounded down to a multiple of 256 KiB. */
  chunkSizeBytes: number;
}

/** Sessions begun within one call, before the job's own retry takes over. */
const MAX_STARTS = 2;

const RETRY_SHAPE = { baseMs: 250, capMs: 8_000 };

/** What is kept between attempts. The session URL needs no signature to write with: it is a bearer secret. */
const gcsCheckpointSchema = z.object({
  method: z.literal('gcs-resumable'),
  /** The record's own place, without query: a session for another object must not be taken. */
  place: z.string(),
  sizeBytes: z.number(),
  mtimeNs: z.string(),
  sessionUrl: z.string().min(1),
});

/** What a session says about itself. */
type SessionState = { kind: 'done' } | { kind: 'holds'; bytes: number } | { kind: 'gone' };

/**
 * Uploads a file through a resumable session: what the store already holds is asked for and never sent again, and a
 * finished session answers "done" however often it is asked, so that a lost answer costs one question.
 */
export async function uploadResumably(deps: GcsDeps, source: ObjectSource, startUrl: string): Promise<void> {
  let sessionUrl = savedSessionUrl(source, startUrl);
  for (let starts = 0; starts < MAX_STARTS; starts += 1) {
    sessionUrl ??= await startSession(deps, source, startUrl);
    if ((await sendAll(deps, source, sessionUrl)) === 'done') return;
    sessionUrl = null;
  }
  const message = `The object store dropped the upload session of ${source.args.path} ${MAX_STARTS} times; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

/** Whether an earlier attempt has begun a session for this file, which is to go on then. */
export function hasSavedSession(source: ObjectSource, startUrl: string): boolean {
  return savedSessionUrl(source, startUrl) !== null;
}

function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function savedSessionUrl(source: ObjectSource, startUrl: string): string | null {
  assertUsableUrl(startUrl);
  const parsed = gcsCheckpointSchema.safeParse(source.args.checkpoint);
  if (!parsed.success) return null;
  const { place, sizeBytes, mtimeNs, sessionUrl } = parsed.data;
  const isOurs =
    place === placeOf(startUrl) && sizeBytes === source.expected.sizeBytes && mtimeNs === source.expected.mtimeNs;
  return isOurs ? sessionUrl : null;
}

/** Google hands sessions from one of its own hosts to another; nobody else may. */
function isSameStore(sessionUrl: string, startUrl: string): boolean {
  const [session, start] = [new URL(sessionUrl), new URL(startUrl)];
  const isGoogles = (url: URL) => url.protocol === 'https:' && url.host.endsWith('.googleapis.com');
  return session.origin === start.origin || (isGoogles(session) && isGoogles(start));
}

async function startSession(deps: GcsDeps, source: ObjectSource, startUrl: string): Promise<string> {
  const { args } = source;
  const what = 'start the upload session';
  const headers = { 'x-goog-resumable': 'start', 'content-length': '0', 'content-type': args.contentType };
  const send = { what, url: startUrl, method: 'POST' as const, headers, deadlineMs: SHORT_DEADLINE_MS };
  const answer = await sendRepeatedly(deps, { ...send, signal: args.signal });
  if (answer.status !== 200 && answer.status !== 201) throw refusal(what, startUrl, answer);
  const location = answer.headers.location;
  if (!location || !URL.canParse(location, startUrl)) {
    const message = 'The object store began an upload session without saying where; it will be asked again.';
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  }
  const sessionUrl = new URL(location, startUrl).href;
  if (!isSameStore(sessionUrl, startUrl)) {
    const message = `${new URL(startUrl).host} began an upload session at ${new URL(sessionUrl).host}; what iconik did not name gets no file. Check the storage in iconik, or a proxy on the way.`;
    throw new IsgError('upload-refused', message, { retry: 'permanent' });
  }
  const value: z.infer<typeof gcsCheckpointSchema> = {
    method: 'gcs-resumable',
    place: placeOf(startUrl),
    ...source.expected,
    sessionUrl,
  };
  await args.saveCheckpoint(value);
  return sessionUrl;
}

/** Drops a saved session. 499 is how GCS says yes. Throws when the store cannot be asked. */
export async function cancelSavedSession(
  deps: StoreDeps,
  saved: { checkpoint: unknown; signal: AbortSignal },
): Promise<void> {
  const parsed = gcsCheckpointSchema.safeParse(saved.checkpoint);
  if (!parsed.success) return;
  const send = { what: 'cancel the upload session', url: parsed.data.sessionUrl, method: 'DELETE' as const };
  const headers = { 'content-length': '0' };
  await sendOnce(deps, { ...send, headers, deadlineMs: SHORT_DEADLINE_MS, signal: saved.signal });
}

/** Sends chunks from where the store stands until it has all. Tries count anew whenever the store has got further. */
async function sendAll(deps: GcsDeps, source: ObjectSource, sessionUrl: string): Promise<'done' | 'gone'> {
  const { args } = source;
  let state = await askState(deps, source, sessionUrl);
  let failures = 0;
  while (state.kind === 'holds') {
    args.onProgress?.(state.bytes);
    const before = state.bytes;
    const step = await trySendChunk(deps, source, { sessionUrl, offsetBytes: before });
    if (step.kind === 'error') {
      failures += 1;
      if (failures >= deps.attempts) throw step.error;
      await deps.clock.sleep(backoffMs(failures, RETRY_SHAPE, deps.random), args.signal);
      state = await askState(deps, source, sessionUrl);
    } else {
      state = step;
    }
    if (state.kind !== 'holds' || state.bytes > before) failures = 0;
    else if (step.kind !== 'error') failures = stepWithoutGain(source, failures, deps.attempts);
  }
  if (state.kind === 'done') args.onProgress?.(args.sizeBytes);
  return state.kind;
}

/** A store that accepts chunk after chunk without keeping any would otherwise be fed for ever. */
function stepWithoutGain(source: ObjectSource, failures: number, attempts: number): number {
  if (failures + 1 < attempts) return failures + 1;
  const message = `The object store keeps no bytes of ${source.args.path} that it is sent; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

async function askState(deps: GcsDeps, source: ObjectSource, sessionUrl: string): Promise<SessionState> {
  const { args } = source;
  // For an empty file the question is itself the request that makes the object appear.
  if (args.sizeBytes === 0) await args.confirmLease();
  const what = 'ask how much of the file has arrived';
  const headers = { 'content-range': `bytes */${args.sizeBytes}`, 'content-length': '0' };
  const send = { what, url: sessionUrl, method: 'PUT' as const, headers, deadlineMs: SHORT_DEADLINE_MS };
  const answer = await sendRepeatedly(deps, { ...send, signal: args.signal });
  // A session that refuses even this question is of no use any more; a new one will show whether we are let in at all.
  if (answer.status >= 400) return { kind: 'gone' };
  return stateOf(answer, { what, url: sessionUrl, sizeBytes: args.sizeBytes });
}

async function trySendChunk(
  deps: GcsDeps,
  source: ObjectSource,
  chunk: { sessionUrl: string; offsetBytes: number },
): Promise<SessionState | { kind: 'error'; error: IsgError }> {
  const { args } = source;
  const { offsetBytes, sessionUrl: url } = chunk;
  const lengthBytes = Math.min(gcsChunkSize(deps.chunkSizeBytes), args.sizeBytes - offsetBytes);
  const endBytes = offsetBytes + lengthBytes;
  // The last chunk makes the object appear.
  if (endBytes === args.sizeBytes) await args.confirmLease();
  const span = lengthBytes === 0 ? '*' : `${offsetBytes}-${endBytes - 1}`;
  const headers = { 'content-range': `bytes ${span}/${args.sizeBytes}` };
  const what = 'upload the next bytes';
  const onBytes = (sentBytes: number) => args.onProgress?.(offsetBytes + sentBytes);
  const send = { what, range: { offsetBytes, lengthBytes }, request: { url, method: 'PUT' as const, headers } };
  try {
    const answer = await sendRangeOnce(deps, source, { ...send, signal: args.signal, onBytes });
    if (isBusyAnswer(answer)) return { kind: 'error', error: refusal(what, url, answer) };
    return stateOf(answer, { what, url, sizeBytes: args.sizeBytes });
  } catch (thrown) {
    args.signal.throwIfAborted();
    const error = coerceError(thrown);
    if (error.retry === 'permanent' || !/^(upload-refused|unexpected)$/.test(error.code)) throw error;
    return { kind: 'error', error };
  }
}

function stateOf(answer: HttpAnswer, about: { what: string; url: string; sizeBytes: number }): SessionState {
  if (answer.status === 200 || answer.status === 201) return { kind: 'done' };
  if (answer.status === 404 || answer.status === 410) return { kind: 'gone' };
  if (answer.status !== 308) throw refusal(about.what, about.url, answer);
  const bytes = heldBytes(answer.headers.range);
  if (bytes !== null && bytes <= about.sizeBytes) return { kind: 'holds', bytes };
  const message = 'The object store says it holds a range that this file does not have; the upload begins anew later.';
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}
