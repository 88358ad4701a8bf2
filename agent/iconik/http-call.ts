import { type Dispatcher, request } from 'undici';
import type { Clock } from '../runtime/clock.ts';
import { IsgError } from '../runtime/errors.ts';
import {
  failureOfAbort,
  failureOfStatus,
  failureOfTimeout,
  failureOfTransport,
  failureOfUnreadable,
} from './http-failure.ts';

/** Methods a gateway uses. */
type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One request. */
export interface HttpRequest {
  method: HttpMethod;
  /** Absolute path with trailing slash (`servicePath`). */
  path: string;
  /** Null and undefined values are left out. */
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Sent as JSON when given. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Shorter than the client's own limit, for this call. */
  timeoutMs?: number;
}

/** A successful answer. */
export interface HttpAnswer {
  status: number;
  /** Parsed JSON; undefined for an empty body. */
  body: unknown;
  /** Header RateLimit-Remaining, if any. */
  rateLimitRemaining: number | null;
  /** Header Date, milliseconds since the epoch: the clock of whoever answered, to the second. */
  dateMs: number | null;
}

/**
 * Sends one request, once. Resolves for 200–299, throws the classified `IsgError` for everything else, including no
 * answer within the time limit.
 */
export type HttpCall = (request: HttpRequest) => Promise<HttpAnswer>;

/** What a call needs; the credentials appear in no message. */
export interface HttpCallOptions {
  baseUrl: string;
  appId: string;
  authToken: string;
  dispatcher: Dispatcher;
  clock: Clock;
  callTimeoutMs: number;
}

/** Path of a call: `servicePath('files', ['storages', id])` → `/API/files/v1/storages/<id>/`. */
export function servicePath(service: string, segments: readonly string[]): string {
  return `/API/${service}/v1/${segments.map((segment) => `${encodeURIComponent(segment)}/`).join('')}`;
}

function parseBaseUrl(baseUrl: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new IsgError(
    'config-invalid',
    `iconik-url "${baseUrl}" is not a web address; an example is https://app.iconik.io/.`,
    {
      retry: 'permanent',
    },
  );
}

function urlOf(base: URL, call: HttpRequest): URL {
  const url = new URL(base.pathname.replace(/\/+$/, '') + call.path, base.origin);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function headerText(headers: Record<string, string | string[] | undefined>, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function headerNumber(headers: Record<string, string | string[] | undefined>, name: string): number | null {
  const value = headerText(headers, name)?.trim();
  return value && /^\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}

function headerDate(headers: Record<string, string | string[] | undefined>): number | null {
  const ms = Date.parse(headerText(headers, 'date') ?? '');
  return Number.isNaN(ms) ? null : ms;
}

/** Ends a call at its time limit or when the caller gives up, and remembers which of the two it was. */
function limitCall(options: { clock: Clock; timeoutMs: number; caller: AbortSignal | undefined }) {
  const { clock, timeoutMs, caller } = options;
  const call = new AbortController();
  const timer = new AbortController();
  const limit = { signal: call.signal, timedOut: false, dispose };
  const onCallerAbort = () => call.abort();
  function dispose() {
    timer.abort();
    caller?.removeEventListener('abort', onCallerAbort);
  }
  caller?.addEventListener('abort', onCallerAbort, { once: true });
  clock.sleep(timeoutMs, timer.signal).then(
    () => {
      limit.timedOut = true;
      call.abort();
    },
    () => {
      // disposed: the call ended in time
    },
  );
  return limit;
}

/** The call function of one account. Throws `config-invalid` when `baseUrl` is no web address. */
export function createHttpCall(options: HttpCallOptions): HttpCall {
  const { appId, authToken, dispatcher, clock, callTimeoutMs } = options;
  const base = parseBaseUrl(options.baseUrl);
  const redact = (text: string) => (authToken ? text.replaceAll(authToken, '***') : text);

  async function exchange(call: HttpRequest, signal: AbortSignal) {
    const headers: Record<string, string> = { 'app-id': appId, 'auth-token': authToken, accept: 'application/json' };
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    const answer = await request(urlOf(base, call), { dispatcher, method: call.method, headers, body, signal });
    const isSuccess = answer.statusCode >= 200 && answer.statusCode < 300;
    // A refusal keeps its class even when its body cannot be read to the end.
    const text = isSuccess ? await answer.body.text() : await answer.body.text().catch(() => '');
    return { status: answer.statusCode, headers: answer.headers, isSuccess, text: redact(text) };
  }

  return async (call) => {
    const name = { method: call.method, path: call.path };
    if (call.signal?.aborted) throw failureOfAbort(call.signal.reason, { ...name, sent: false });
    const timeoutMs = Math.min(callTimeoutMs, call.timeoutMs ?? callTimeoutMs);
    const limit = limitCall({ clock, timeoutMs, caller: call.signal });
    try {
      const answer = await exchange(call, limit.signal);
      if (!answer.isSuccess) {
        const retryAfter = headerNumber(answer.headers, 'retry-after');
        const retryAfterMs = retryAfter === null ? null : retryAfter * 1000;
        throw failureOfStatus(name, { status: answer.status, text: answer.text, retryAfterMs });
      }
      const rateLimitRemaining = headerNumber(answer.headers, 'ratelimit-remaining');
      const known = { status: answer.status, rateLimitRemaining, dateMs: headerDate(answer.headers) };
      return { ...known, body: answer.text.trim() === '' ? undefined : parseJson(name, answer) };
    } catch (thrown) {
      if (thrown instanceof IsgError) throw thrown;
      if (limit.timedOut) throw failureOfTimeout(name, timeoutMs);
      if (call.signal?.aborted) throw failureOfAbort(call.signal.reason, { ...name, sent: true });
      throw failureOfTransport(name, thrown);
    } finally {
      limit.dispose();
    }
  };
}

function parseJson(
  name: { method: string; path: string },
  answer: { status: number; text: string; headers: Record<string, string | string[] | undefined> },
): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    // a proxy or load balancer answered in iconik's name
    throw failureOfUnreadable(name, answer.status, headerText(answer.headers, 'content-type') ?? '');
  }
}
