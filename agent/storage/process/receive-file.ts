import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import type http from 'node:http';
import { dirname } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import type { DigestResult, ReceiveFile } from '../storage-access.ts';
import type { CallContext } from './call-context.ts';
import { containedEntryMade } from './contained-path.ts';
import { digestFile } from './digest-file.ts';
import { classifyFileError } from './local-filesystem.ts';
import {
  classifyTransferError,
  isStaleConnection,
  isTransientStatus,
  loggableUrl,
  openRequest,
  parseTransferUrl,
  type TransferWatch,
  watchTransfer,
} from './object-store.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const RANGE_NOT_SATISFIABLE = 416;
/** Written data is sent to the disk after each of these, so that the sync at the end is short on a slow storage. */
const SYNC_EVERY_BYTES = 256 * 1024 * 1024;

interface Download {
  receive: ReceiveFile;
  handle: FileHandle;
  context: CallContext;
  watch: TransferWatch;
}

/**
 * Downloads into a partial file and digests what is then on the disk. A part that is there already is kept if the server
 * answers with the rest of it (206), else the file starts anew. Removes nothing on failure: the next call goes on.
 * Two calls must not write one partial file at the same time; the caller names it after its job and lease.
 * Throws `download-refused`, `disk-full`, and `content-differs` (permanent) when the server's file has another length.
 */
export async function receiveFile(receive: ReceiveFile, context: CallContext): Promise<DigestResult> {
  const url = parseTransferUrl(receive.url, 'download-refused');
  const watch = watchTransfer(context, url, 'download-refused');
  try {
    const { absolute } = await watch.onStorage(() => containedEntryMade(context.mountPoint, receive.path));
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const handle = await watch.onStorage(() => open(absolute, flags, 0o644));
    try {
      const download = { receive, handle, context, watch };
      const offset = await watch.onStorage(() => prepare(download, dirname(absolute)));
      if (offset < receive.sizeBytes) await fetchRest(download, url, offset);
      await watch.onStorage(() => handle.sync());
    } finally {
      await handle.close();
    }
  } finally {
    watch.end();
  }
  // Progress stays at the full length: what is left is checking.
  return digestFile(receive.path, { ...context, progress: () => context.progress(receive.sizeBytes) });
}

/** Length to go on from; checks the kind of the file and the room on the disk. */
async function prepare({ receive, handle }: Download, directory: string): Promise<number> {
  const stats = await handle.stat();
  if (!stats.isFile())
    throw new IsgError('file-unreadable', 'The partial file is not a regular file.', { retry: 'permanent' });
  let offset = stats.size;
  if (offset > receive.sizeBytes) {
    await handle.truncate(0);
    offset = 0;
  }
  const disk = await statfs(directory, { bigint: true });
  const free = disk.bavail * disk.bsize;
  const needed = BigInt(receive.sizeBytes - offset);
  if (disk.blocks > 0n && needed > free) {
    throw new IsgError(
      'disk-full',
      `${needed} bytes are to be downloaded, but the storage has only ${free} free. Make room; the download is tried again.`,
      { retry: 'transient', fields: { path: receive.path } },
    );
  }
  return offset;
}

async function fetchRest(download: Download, url: URL, offset: number): Promise<void> {
  try {
    const { request, response, target } = await askFor(download, url, offset);
    try {
      if (offset > 0 && response.statusCode === RANGE_NOT_SATISFIABLE) {
        response.resume();
        await restart(download);
        await fetchRest(download, url, 0);
        return;
      }
      const start = await acceptAnswer(download, { response, url: target, offset });
      await writeBody(download, { response, start, url: target });
    } finally {
      request.destroy();
    }
  } catch (thrown) {
    if (download.watch.signal.aborted) throw download.watch.signal.reason;
    throw thrown;
  }
}

function restart({ watch, handle }: Download): Promise<void> {
  return watch.onStorage(() => handle.truncate(0));
}

/** Asks for the bytes from `offset` on, following redirects. */
async function askFor(download: Download, url: URL, offset: number) {
  let target = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    let asked = await ask(download, target, offset);
    // Each stale connection is dropped, so there is an end to them.
    while (asked === 'stale-connection') asked = await ask(download, target, offset);
    const { request, response } = asked;
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return { request, response, target };
    response.resume();
    const next = URL.parse(location, target.href);
    if (!next) break;
    target = parseTransferUrl(next.href, 'download-refused');
  }
  throw new IsgError('download-refused', `${loggableUrl(url)} redirects without end.`, { retry: 'permanent' });
}

function ask({ context, watch }: Download, url: URL, offset: number) {
  const range = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const request = openRequest(url, {
    method: 'GET',
    // Compressed answers would make lengths and ranges mean something else.
    headers: { 'accept-encoding': 'identity', ...range },
    httpsProxy: context.httpsProxy,
    extraCa: context.extraCa,
  });
  return new Promise<{ request: http.ClientRequest; response: http.IncomingMessage } | 'stale-connection'>(
    (resolve, reject) => {
      const onAbort = () => {
        request.destroy();
        reject(watch.signal.reason);
      };
      if (watch.signal.aborted) onAbort();
      watch.signal.addEventListener('abort', onAbort, { once: true });
      request.once('close', () => watch.signal.removeEventListener('abort', onAbort));
      request.on('error', (error) => {
        const classified = classifyTransferError(error, url, 'download-refused');
        if (isStaleConnection(request, classified)) resolve('stale-connection');
        else reject(classified);
      });
      request.once('response', (response) => resolve({ request, response }));
      request.end();
    },
  );
}

interface Answered {
  response: http.IncomingMessage;
  url: URL;
  offset: number;
}

/** Offset at which the answer's bytes belong; throws when the answer is not the file that was announced. */
async function acceptAnswer(download: Download, { response, url, offset }: Answered): Promise<number> {
  const status = response.statusCode ?? 0;
  const { sizeBytes } = download.receive;
  if (status === 206 && offset > 0) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '') ?? [];
    if (Number(start) !== offset) throw refused(url, status, 'with another range than asked for', true);
    if (total !== '*' && Number(total) !== sizeBytes) throw otherLength(url, Number(total), sizeBytes);
    return offset;
  }
  if (status !== 200) throw refused(url, status, 'instead of the file', isTransientStatus(status));
  const length = response.headers['content-length'];
  if (length !== undefined && Number(length) !== sizeBytes) throw otherLength(url, Number(length), sizeBytes);
  if (offset > 0) await restart(download);
  return 0;
}

function refused(url: URL, status: number, what: string, transient: boolean): IsgError {
  return new IsgError('download-refused', `${loggableUrl(url)} answered ${status} ${what}.`, {
    retry: transient ? 'transient' : 'permanent',
    fields: { status },
  });
}

function otherLength(url: URL, found: number, expected: number): IsgError {
  return new IsgError(
    'content-differs',
    `${loggableUrl(url)} has ${found} bytes, but ${expected} were announced; it is not the file that was asked for.`,
    { retry: 'permanent', fields: { found, expected } },
  );
}

/** Writes the body at its place; the stream waits for each write, so memory stays small. */
async function writeBody(
  { receive, handle, watch, context }: Download,
  body: { response: http.IncomingMessage; start: number; url: URL },
): Promise<void> {
  let at = body.start;
  let syncedTo = at;
  let syncing: Promise<void> = Promise.resolve();
  watch.moved(at);
  const onAbort = () => body.response.destroy();
  watch.signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of body.response as AsyncIterable<Buffer>) {
      if (at + chunk.length > receive.sizeBytes) throw otherLength(body.url, at + chunk.length, receive.sizeBytes);
      await watch.onStorage(() => writeFully(handle, chunk, { at, path: receive.path }));
      at += chunk.length;
      watch.moved(at);
      if (at - syncedTo >= SYNC_EVERY_BYTES) {
        await watch.onStorage(() => syncing);
        syncedTo = at;
        syncing = handle.datasync().catch((thrown: unknown) => Promise.reject(classifyFileError(thrown, receive.path)));
        // Awaited before the next one, or at the end; until then nobody listens.
        syncing.catch(() => {});
      }
    }
    await watch.onStorage(() => syncing);
  } catch (thrown) {
    throw classifyTransferError(thrown, body.url, 'download-refused');
  } finally {
    watch.signal.removeEventListener('abort', onAbort);
  }
  if (at < receive.sizeBytes) {
    throw refused(body.url, body.response.statusCode ?? 0, `but ended after ${at} of ${receive.sizeBytes} bytes`, true);
  }
  context.progress(at);
}

async function writeFully(handle: FileHandle, chunk: Buffer, place: { at: number; path: string }): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, place.at + done);
      done += bytesWritten;
    }
  } catch (thrown) {
    // Here, lest the storage's trouble be taken for the network's.
    throw classifyFileError(thrown, place.path);
  }
}
