import type { IncomingMessage, ServerResponse } from 'node:http';
import { coerceError, errorRecord } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { type DirectRequest, parseDirectRequest, planRange } from './direct-request-plan.ts';
import type { OfferedFile, OfferedFiles } from './offered-file.ts';
import { sendFile, statusOf } from './send-file.ts';
import type { SignatureVerdicts } from './signature-verdicts.ts';

/** What answering needs. */
export interface AnswerDeps {
  verdicts: SignatureVerdicts;
  files: OfferedFiles;
  log: Logger;
  /** Whether this node hands out files now: not while it is disabled, draining or a duplicate. */
  isOpen(): boolean;
  /** Fires when the listener stops. */
  signal: AbortSignal;
}

type FileRequest = Extract<DirectRequest, { kind: 'file' }>;

/** Seconds after which a refused client may come back. */
const RETRY_AFTER_S = 5;

/**
 * Answers one request. Never throws and never logs a query: signatures are there. Whoever has no good signature learns
 * nothing but that this is a listener: existing and absent files look the same to them.
 */
export async function answerDirect(
  deps: AnswerDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([deps.signal, gone.signal]);
  try {
    const asked = parseDirectRequest(request.method, request.url);
    if (asked.kind === 'method-refused') return refuse(response, 405, 'Only GET and HEAD.', { allow: 'GET, HEAD' });
    // There are no bodies here: one would only keep the connection busy.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
      return refuse(response, 400, 'No body is expected.');
    switch (asked.kind) {
      case 'unknown':
        return refuse(response, 404, 'There is nothing here.');
      case 'health':
        return deps.isOpen() ? answerHealth(request, response) : refuse(response, 503, 'This node is not at work.');
      case 'file':
        return await answerFile(deps, asked, { request, response, signal });
      default:
        asked satisfies never;
    }
  } catch (thrown) {
    if (gone.signal.aborted) return;
    if (response.headersSent) {
      deps.log.warn('A direct transfer broke off while it was sent.', { error: errorRecord(thrown) });
      response.destroy();
      return;
    }
    const error = coerceError(thrown);
    deps.log.warn('A direct transfer was refused.', { error: errorRecord(error) });
    refuse(response, statusOf(error), error.code);
  }
}

function answerHealth(request: IncomingMessage, response: ServerResponse): void {
  const body = JSON.stringify({ status: 'ok' });
  response.writeHead(200, { ...ALWAYS, 'content-type': 'application/json', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function refuse(response: ServerResponse, status: number, why: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ errors: [why] });
  const later: Record<string, string> =
    status === 429 || status === 503 ? { 'retry-after': String(RETRY_AFTER_S) } : {};
  response.writeHead(status, {
    ...ALWAYS,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    // Whoever is refused begins anew: a connection is worth something only to those who transfer.
    connection: 'close',
    ...later,
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  signal: AbortSignal;
}

async function answerFile(deps: AnswerDeps, asked: FileRequest, exchange: Exchange): Promise<void> {
  const { request, response, signal } = exchange;
  if (!deps.isOpen()) return refuse(response, 503, 'This node is not at work.');
  const verdict = await deps.verdicts.of(asked, request.socket.remoteAddress ?? '');
  signal.throwIfAborted();
  if (verdict === 'busy') return refuse(response, 429, 'Too many links are waiting to be checked.');
  if (verdict === 'bad') {
    deps.log.debug('A direct transfer came with a signature that iconik does not know.', {
      transferId: asked.transferId,
      from: request.socket.remoteAddress,
    });
    return refuse(response, 403, 'The link is not valid, or has expired.');
  }
  const file = await deps.files.find(asked, signal);
  if (!file) return refuse(response, 404, 'The transfer names no such file of this gateway.');
  await answerRange(file, exchange);
}

async function answerRange(file: OfferedFile, { request, response, signal }: Exchange): Promise<void> {
  const { range, 'if-range': ifRange, 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  const conditions = { range, ifRange: textOf(ifRange), ifMatch, ifNoneMatch };
  const plan = planRange(conditions, file);
  const about = { ...ALWAYS, etag: file.tag, 'accept-ranges': 'bytes' };
  if (!('start' in plan)) {
    const length = plan.status === 416 ? { 'content-range': `bytes */${file.sizeBytes}` } : {};
    response.writeHead(plan.status, { ...about, ...length, 'content-length': 0 });
    response.end();
    return;
  }
  const { status, start, end } = plan;
  response.writeHead(status, {
    ...about,
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    ...(status === 206 ? { 'content-range': `bytes ${start}-${end - 1}/${file.sizeBytes}` } : {}),
  });
  if (request.method === 'HEAD') response.end();
  else await sendFile(response, file, { start, end, signal });
}

const textOf = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header;
