/**
 * HTTP to object stores: requests by node:http (an early refusal of a large body is seen, unlike with undici), proxies,
 * stall watch, and the one place where errors of these connections are classified. No message holds a query string: it is
 * where signed URLs keep their signature.
 */
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { IsgError } from '../../runtime/errors.ts';
import { isOutOfReach, lookupWithin, OUT_OF_REACH, type Reach } from '../../runtime/outbound-address.ts';
import type { HttpAnswer } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { systemCode } from './local-filesystem.ts';

/** Direction of a transfer; says which error code its failures have. */
export type TransferCode = 'upload-refused' | 'download-refused';

/** Answers of object stores are short XML or JSON; the rest is read and dropped. */
const MAX_BODY_CHARACTERS = 64 * 1024;
/** Looks for silence and signs of life per second: 2. */
const WATCH_EVERY_MS = 500;
/** How other machines are reached. */
interface Line {
  httpsProxy: string | null;
  extraCa: string | null;
  /** What may be connected to; default all that iconik names. A proxy of the operator's decides itself. */
  reach?: Reach;
}

const agents = new Map<string, http.Agent>();

/** Origin and path of a URL: what may be logged of it. */
export function loggableUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Parses the address of a transfer; throws `code` (permanent) for what is not HTTP, without repeating it. */
export function parseTransferUrl(text: string, code: TransferCode): URL {
  const url = URL.parse(text);
  if (url && (url.protocol === 'https:' || url.protocol === 'http:')) {
    if (isOutOfReach(url)) throw outOfReach(url, code);
    return url;
  }
  throw new IsgError(code, 'The address of the transfer is not an http or https URL.', { retry: 'permanent' });
}

/** That a connection would go where no server is, or where the one that redirects may not send a node. */
export function outOfReach(url: URL, code: TransferCode): IsgError {
  const message = `${url.host} is, or stands for, an address that this node does not connect to (link-local, or inside the network of the node on the word of a server outside); the transfer was refused. Check the storage in iconik, or the name server.`;
  return new IsgError(code, message, { retry: 'permanent' });
}

function agentFor(protocol: string, { httpsProxy, extraCa, reach = 'named' }: Line): http.Agent {
  const key = [protocol, reach, httpsProxy ?? '', extraCa ?? ''].join(' ');
  const known = agents.get(key);
  if (known) return known;
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = process.env;
  const fromEnvironment = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy };
  const configured = httpsProxy ? { HTTPS_PROXY: httpsProxy, https_proxy: httpsProxy } : {};
  const options = {
    keepAlive: true,
    lookup: lookupWithin(reach),
    proxyEnv: { ...fromEnvironment, ...configured },
    ...(extraCa === null ? {} : { ca: [...getCACertificates('default'), extraCa] }),
  };
  const agent = protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  agents.set(key, agent);
  return agent;
}

/** A request that is not yet sent. */
export function openRequest(
  url: URL,
  options: { method: string; headers: Record<string, string | number> } & Line,
): http.ClientRequest {
  const { httpsProxy, extraCa, reach, ...rest } = options;
  const module = url.protocol === 'https:' ? https : http;
  return module.request(url, {
    ...rest,
    agent: agentFor(url.protocol, { httpsProxy, extraCa, ...(reach ? { reach } : {}) }),
  });
}

/** Classifies what broke a connection; our own errors pass unchanged. */
export function classifyTransferError(thrown: unknown, url: URL, code: TransferCode): IsgError {
  if (thrown instanceof IsgError) return thrown;
  if (systemCode(thrown) === OUT_OF_REACH) return outOfReach(url, code);
  const detail = systemCode(thrown) || (thrown instanceof Error ? thrown.name : 'unknown error');
  return new IsgError(code, `The connection to ${loggableUrl(url)} failed (${detail}); the transfer is tried again.`, {
    retry: 'transient',
    // Not the error itself: it may hold the request with its signature.
    fields: { systemCode: detail },
  });
}

/** Whether a request failed on a kept connection that the server had closed meanwhile: a fresh one may succeed at once. */
export function isStaleConnection(request: http.ClientRequest, thrown: unknown): boolean {
  const code = thrown instanceof IsgError ? thrown.fields.systemCode : '';
  return request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** Whether an answer may be another one later. */
export function isTransientStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

/** Headers with lower-case names, repeated ones joined. */
export function flatHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

/** Reads an answer to its end and keeps the first 64 KiB of its text. */
export async function readAnswer(response: http.IncomingMessage): Promise<HttpAnswer> {
  return {
    status: response.statusCode ?? 0,
    headers: flatHeaders(response.headers),
    body: await readText(response),
  };
}

async function readText(stream: Readable): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    if (text.length < MAX_BODY_CHARACTERS) text += chunk;
  }
  return text.slice(0, MAX_BODY_CHARACTERS);
}

/** Watches one transfer. */
export interface TransferWatch {
  /** Bytes have moved on the network. */
  moved(doneBytes: number): void;
  /** Runs work on the storage; while it lasts, silence is the storage's. */
  onStorage<T>(work: () => Promise<T>): Promise<T>;
  /** Waits for leave to move bytes; neither the storage nor the network is to blame for that time. Resolves with how many. */
  leave(bytes: number): Promise<number>;
  /** Fires when the call was cancelled or the network has been silent for too long. */
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * Tells the two silences apart. While the network is awaited, the agent gets signs of life, and after `httpStallMs` the
 * transfer is given up here; while the storage is awaited it gets none, and its own stall window decides.
 */
export function watchTransfer(context: CallContext, url: URL, code: TransferCode): TransferWatch {
  const stall = new AbortController();
  let doneBytes = 0;
  let movedAt = performance.now();
  let onStorage = 0;
  let asking = 0;
  const timer = setInterval(() => {
    if (onStorage > 0) return;
    context.progress(doneBytes);
    if (asking > 0) movedAt = performance.now();
    if (performance.now() - movedAt < context.httpStallMs) return;
    const seconds = Math.round(context.httpStallMs / 1000);
    const message = `${loggableUrl(url)} has taken or sent nothing for ${seconds} s; the transfer is tried again.`;
    stall.abort(new IsgError(code, message, { retry: 'transient' }));
  }, WATCH_EVERY_MS);
  return {
    moved(bytes) {
      doneBytes = bytes;
      movedAt = performance.now();
      context.progress(bytes);
    },
    async onStorage(work) {
      onStorage += 1;
      try {
        return await work();
      } finally {
        onStorage -= 1;
        movedAt = performance.now();
      }
    },
    async leave(bytes) {
      asking += 1;
      try {
        return await context.leave(bytes);
      } finally {
        asking -= 1;
        movedAt = performance.now();
      }
    },
    signal: AbortSignal.any([stall.signal, context.signal]),
    end: () => clearInterval(timer),
  };
}
