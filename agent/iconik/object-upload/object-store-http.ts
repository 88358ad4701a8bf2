import { type Dispatcher, request } from 'undici';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import { isOutOfReach, OUT_OF_REACH } from '../../runtime/outbound-address.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { errorCodeOf } from './s3-answers.ts';

/** What talking to an object store needs. */
export interface StoreDeps {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Sends by way of a proxy; default: undici's global one. */
  dispatcher?: Dispatcher;
  /** Tries of one request before a transient error goes to the caller. */
  attempts: number;
  /** A send without a byte moved for this long counts as dead, milliseconds. */
  stallMs: number;
}

/** A request without the file's bytes. */
export interface StoreRequest {
  /** Says in messages what was tried: "start the upload". */
  what: string;
  url: string;
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Buffer;
  deadlineMs: number;
  signal: AbortSignal;
}

/** Deadline of a request that the store answers at once, milliseconds. */
export const SHORT_DEADLINE_MS = 30_000;

/** A list of 1,000 parts is about 300 kB; what is longer is cut and then fails to parse. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

const RETRY_SHAPE = { baseMs: 250, capMs: 8_000 };

/** A store may ask for a longer pause than our back-off; more than this is left to the job's own retry. */
const MAX_RETRY_AFTER_MS = 30_000;

/** Digests: bytes were mangled on their way, which another try settles. Tokens of B2: it goes on with another upload URL. */
const BUSY_CODES = new Set([
  'RequestTimeout',
  'SlowDown',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'BadDigest',
  'Md5Mismatch',
  'expired_auth_token',
  'bad_auth_token',
]);
const EXPIRED_CODES = new Set(['ExpiredToken', 'RequestExpired', 'AccessDenied', 'RequestTimeTooSkewed']);

/** Errors about our own side: trying the object store again cannot help, whoever called decides. */
const OWN_SIDE =
  /^(storage-|file-|iconik-|lease-lost|leadership-lost|outside-storage|disk-full|cancelled|stopped|database-)/;

/** Where a URL points, without its query: signed URLs are bearer secrets. */
function publicPartOf(url: string): string {
  if (!URL.canParse(url)) return '(unreadable URL)';
  return new URL(url).host;
}

/** Throws `upload-refused` unless the text is an http(s) URL of an address that a server can have; checked here so that no error of a library quotes it. */
export function assertUsableUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'https:' || parsed?.protocol === 'http:') {
    if (isOutOfReach(parsed)) throw outOfReach(parsed.host);
    return;
  }
  throw new IsgError('upload-refused', 'iconik gave an upload URL that is not http or https; nothing was sent.', {
    retry: 'permanent',
  });
}

function outOfReach(host: string): IsgError {
  const message = `${host} is, or stands for, an address that is no server's (link-local, or none at all); nothing was sent. Check the storage in iconik, or the name server.`;
  return new IsgError('upload-refused', message, { retry: 'permanent' });
}

/** Whether the answer means "try again later" (busy, slow, broken for now). */
export function isBusyAnswer(answer: HttpAnswer): boolean {
  if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return true;
  return answer.status >= 400 && BUSY_CODES.has(errorCodeOf(answer.body) ?? '');
}

/** Whether the answer means that the signature has run out, so that a fresh URL may help. */
export function isExpiredAnswer(answer: HttpAnswer): boolean {
  if (answer.status === 401 || answer.status === 403) return true;
  return answer.status === 400 && EXPIRED_CODES.has(errorCodeOf(answer.body) ?? '');
}

/** The error for an answer that ends the attempt. */
export function refusal(what: string, url: string, answer: HttpAnswer): IsgError {
  const code = errorCodeOf(answer.body);
  const said = code ? `${answer.status} ${code}` : `${answer.status}`;
  const fields = { status: answer.status, ...(code ? { storeCode: code } : {}), host: publicPartOf(url) };
  if (isExpiredAnswer(answer)) {
    const message = `The object store refused to ${what} (${said}): the signed URL has run out or is not valid; a fresh one will be asked for.`;
    return new IsgError('upload-refused', message, { retry: 'transient', fields });
  }
  if (isBusyAnswer(answer)) {
    const message = `The object store could not ${what} now (${said}); the upload goes on later from where it stopped.`;
    return new IsgError('upload-refused', message, { retry: 'transient', fields });
  }
  const message = `The object store refused to ${what} (${said}); the file was not uploaded. Check the destination storage's settings in iconik.`;
  return new IsgError('upload-refused', message, { retry: 'permanent', fields });
}

/** Sends one request, once. Throws `upload-refused` (transient) without an answer, the reason of `signal` when it aborts. */
export async function sendOnce(deps: StoreDeps, send: StoreRequest): Promise<HttpAnswer> {
  assertUsableUrl(send.url);
  send.signal.throwIfAborted();
  const signal = AbortSignal.any([send.signal, AbortSignal.timeout(send.deadlineMs)]);
  try {
    const response = await request(send.url, {
      method: send.method,
      headers: send.headers ?? {},
      body: send.body ?? null,
      signal,
      ...(deps.dispatcher ? { dispatcher: deps.dispatcher } : {}),
    });
    return { status: response.statusCode, headers: flatten(response.headers), body: await readBody(response.body) };
  } catch (thrown) {
    send.signal.throwIfAborted();
    if (thrown instanceof Error && 'code' in thrown && thrown.code === OUT_OF_REACH)
      throw outOfReach(publicPartOf(send.url));
    const why = signal.aborted ? `no answer within ${send.deadlineMs} ms` : coerceError(thrown).message;
    const message = `Could not ${send.what} at ${publicPartOf(send.url)}: ${why}. It will be tried again.`;
    throw new IsgError('upload-refused', message, { retry: 'transient', cause: thrown });
  }
}

/** Sends one request, again when the store is away or busy. The answer may be any other status. */
export function sendRepeatedly(deps: StoreDeps, send: StoreRequest): Promise<HttpAnswer> {
  return repeatWhileBusy(deps, { signal: send.signal, what: send.what, url: send.url }, () => sendOnce(deps, send));
}

/**
 * Runs `step` until the store gives an answer that is not "try again later", with full-jitter waits between. After the
 * last try throws what the last one said, as a transient error. Errors of our own side pass at once.
 */
export async function repeatWhileBusy(
  deps: StoreDeps,
  about: { signal: AbortSignal; what: string; url: string },
  step: () => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryStep(step);
    about.signal.throwIfAborted();
    if (outcome.kind === 'answer' && !isBusyAnswer(outcome.answer)) return outcome.answer;
    if (outcome.kind === 'error' && !isWorthRepeating(outcome.error)) throw outcome.error;
    if (attempt >= deps.attempts) {
      throw outcome.kind === 'error' ? outcome.error : refusal(about.what, about.url, outcome.answer);
    }
    const asked = outcome.kind === 'answer' ? retryAfterMs(outcome.answer) : 0;
    await deps.clock.sleep(Math.max(asked, backoffMs(attempt, RETRY_SHAPE, deps.random)), about.signal);
  }
}

async function tryStep(
  step: () => Promise<HttpAnswer>,
): Promise<{ kind: 'answer'; answer: HttpAnswer } | { kind: 'error'; error: IsgError }> {
  try {
    return { kind: 'answer', answer: await step() };
  } catch (thrown) {
    return { kind: 'error', error: coerceError(thrown) };
  }
}

function isWorthRepeating(error: IsgError): boolean {
  return error.retry === 'transient' && !OWN_SIDE.test(error.code);
}

function retryAfterMs(answer: HttpAnswer): number {
  const seconds = Number(answer.headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0;
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

async function readBody(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
}
