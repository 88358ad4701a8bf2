import { type FileHandle, lstat } from 'node:fs/promises';
import type http from 'node:http';
import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer, SendRange } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { openFileInside } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { isAsExpected } from './local-filesystem.ts';
import {
  classifyTransferError,
  isStaleConnection,
  openRequest,
  parseTransferUrl,
  readAnswer,
  type TransferWatch,
  watchTransfer,
} from './object-store.ts';

const CHUNK_BYTES = 512 * 1024;
/** From this size on the server is asked first, so that a refusal is seen instead of a broken pipe. */
const ASK_FIRST_BYTES = 256 * 1024;
/** A server that knows nothing of `Expect` stays silent; after this the body is sent anyway. */
const CONTINUE_WAIT_MS = 1_000;
/** 417: a server or proxy that refuses `Expect` itself. */
const EXPECTATION_FAILED = 417;

interface Source {
  handle: FileHandle;
  absolute: DiskPath;
  send: SendRange;
}

function changed(path: string): IsgError {
  return new IsgError(
    'file-changed',
    `${JSON.stringify(path)} changed since it was recorded; what was sent of it is void. The scan will find the new state.`,
    { retry: 'permanent', fields: { path } },
  );
}

async function assertUnchanged(source: Source): Promise<void> {
  const { handle, absolute, send } = source;
  const looks = [await handle.stat({ bigint: true }), await lstat(absolute, { bigint: true })];
  if (!looks.every((stats) => isAsExpected(stats, send.expected))) throw changed(send.path);
}

/**
 * Sends a range of a file as the body of one request and resolves with the server's answer, whatever it is. The file is
 * compared with `expected` before the first byte and again before the last chunk is let go, so that a server never gets a
 * complete body of a file that changed under it. Throws `upload-refused` (transient) for a connection that breaks.
 */
export async function sendRange(send: SendRange, context: CallContext): Promise<HttpAnswer> {
  const url = parseTransferUrl(send.url, 'upload-refused');
  const watch = watchTransfer(context, url, 'upload-refused');
  try {
    return await watch
      .onStorage(async () => ({ ...(await openFileInside(context.mountPoint, send.path)), send }))
      .then((source) => sendAndClose(source, url, { context, watch }));
  } finally {
    watch.end();
  }
}

interface Surroundings {
  context: CallContext;
  watch: TransferWatch;
}

async function sendAndClose(source: Source, url: URL, around: Surroundings): Promise<HttpAnswer> {
  try {
    await around.watch.onStorage(() => assertUnchanged(source));
    if (source.send.offsetBytes + source.send.lengthBytes > source.send.expected.sizeBytes) {
      throw new IsgError('file-changed', 'The range to be sent ends behind the end of the file.', {
        retry: 'permanent',
      });
    }
    let asks = source.send.lengthBytes >= ASK_FIRST_BYTES;
    for (;;) {
      const answer = await sendOnce(source, url, { ...around, asks });
      // Each stale connection is dropped, so there is an end to them.
      if (answer === 'stale-connection') continue;
      if (!asks || answer.status !== EXPECTATION_FAILED) return answer;
      asks = false;
    }
  } finally {
    await source.handle.close();
  }
}

async function sendOnce(
  source: Source,
  url: URL,
  around: Surroundings & { asks: boolean },
): Promise<HttpAnswer | 'stale-connection'> {
  const { watch, context } = around;
  const { send } = source;
  const request = openRequest(url, {
    method: send.method,
    headers: {
      ...send.headers,
      'content-length': send.lengthBytes,
      ...(around.asks ? { expect: '100-continue' } : {}),
    },
    httpsProxy: context.httpsProxy,
    extraCa: context.extraCa,
  });
  const failure = failureOf(request, url, watch.signal);
  const answered = new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  let hasSent = false;
  try {
    let early = around.asks ? await Promise.race([awaitReply(request, answered), failure]) : null;
    if (!early) {
      hasSent = true;
      early = await sendBody(source, { request, answered, failure, watch, context });
    }
    if (early && (early.statusCode ?? 0) < 300) throw answeredTooEarly();
    const response = early ?? (await Promise.race([answered, failure]));
    if (!early) watch.moved(send.lengthBytes);
    const answer = await Promise.race([readAnswer(response), failure]);
    // The rest of the body was never sent: this connection can carry nothing else.
    if (early) request.destroy();
    return answer;
  } catch (thrown) {
    request.destroy();
    // A PUT may be repeated; a POST only when nothing of it was sent.
    if (isStaleConnection(request, thrown) && (send.method === 'PUT' || !hasSent)) return 'stale-connection';
    throw thrown instanceof IsgError ? thrown : classifyTransferError(thrown, url, 'upload-refused');
  }
}

/** Rejects when the request breaks or its signal fires; raced against every wait of the request. */
function failureOf(request: http.ClientRequest, url: URL, signal: AbortSignal): Promise<never> {
  const failure = new Promise<never>((_, reject) => {
    // `on`: a socket that dies after the answer was taken says nothing new, but must have a listener.
    request.on('error', (error) => reject(classifyTransferError(error, url, 'upload-refused')));
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('close', () => signal.removeEventListener('abort', onAbort));
  });
  // Between two races nobody listens.
  failure.catch(() => {});
  return failure;
}

function answeredTooEarly(): IsgError {
  return new IsgError('upload-refused', 'The server said yes before it had the whole body; that is not believed.', {
    retry: 'transient',
  });
}

/** Asks for leave to send the body; resolves with null when it is given or nobody objects, else with the answer. */
async function awaitReply(
  request: http.ClientRequest,
  answered: Promise<http.IncomingMessage>,
): Promise<http.IncomingMessage | null> {
  let timer: NodeJS.Timeout | undefined;
  const leave = new Promise<null>((resolve) => {
    const go = () => resolve(null);
    request.once('continue', go);
    // Counted from the connection, not from the name look-up.
    request.once('socket', (socket) => {
      const wait = () => {
        timer = setTimeout(go, CONTINUE_WAIT_MS);
      };
      if (socket.connecting) socket.once('connect', wait);
      else wait();
    });
  });
  request.flushHeaders();
  try {
    return await Promise.race([leave, answered]);
  } finally {
    clearTimeout(timer);
  }
}

interface Sending {
  request: http.ClientRequest;
  answered: Promise<http.IncomingMessage>;
  failure: Promise<never>;
  watch: TransferWatch;
  context: CallContext;
}

/** Sends the body, two buffers in turn: one is read into while the other is on its way. Resolves with an early answer, if one came. */
async function sendBody(source: Source, sending: Sending): Promise<http.IncomingMessage | null> {
  const { request, watch, context } = sending;
  const { offsetBytes, lengthBytes, path } = source.send;
  const size = Math.max(1, Math.min(CHUNK_BYTES, lengthBytes));
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const;
  let onItsWay: Promise<unknown> = Promise.resolve();
  let sentBytes = 0;
  for (let turn = 0; sentBytes < lengthBytes; turn += 1) {
    const buffer = turn % 2 === 0 ? buffers[0] : buffers[1];
    const left = Math.min(size, lengthBytes - sentBytes);
    const wanted = context.isPaced() ? await watch.leave(left) : left;
    await watch.onStorage(() => readFully(source.handle, buffer, { wanted, at: offsetBytes + sentBytes, path }));
    const isLast = sentBytes + wanted === lengthBytes;
    if (isLast) await watch.onStorage(() => assertUnchanged(source));
    const early = await Promise.race([onItsWay, sending.answered, sending.failure]);
    if (isAnswer(early)) return early;
    sentBytes += wanted;
    const doneBytes = sentBytes;
    onItsWay = write(request, buffer.subarray(0, wanted)).then(() => watch.moved(doneBytes));
    // A failed write shows as the request's error.
    onItsWay.catch(() => {});
  }
  const early = await Promise.race([onItsWay, sending.answered, sending.failure]);
  if (isAnswer(early) && !request.writableFinished && request.writableLength > 0) return early;
  request.end();
  return null;
}

function isAnswer(value: unknown): value is http.IncomingMessage {
  return typeof value === 'object' && value !== null && 'statusCode' in value;
}

function write(request: http.ClientRequest, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    request.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function readFully(
  handle: FileHandle,
  buffer: Buffer,
  range: { wanted: number; at: number; path: string },
): Promise<void> {
  let got = 0;
  while (got < range.wanted) {
    const { bytesRead } = await handle.read(buffer, got, range.wanted - got, range.at + got);
    if (bytesRead === 0) throw changed(range.path);
    got += bytesRead;
  }
}
