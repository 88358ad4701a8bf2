import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import type http from 'node:http';
import { IsgError } from '../../runtime/errors.ts';
import { addressKind, isOutOfReach, type Reach } from '../../runtime/outbound-address.ts';
import type { DigestResult, ReceiveFile } from '../storage-access.ts';
import { nameOf } from '../storage-path.ts';
import { BodyStream, isPlainTarget } from './body-stream.ts';
import type { CallContext } from './call-context.ts';
import { holdDirectoryMade, type MadeDirectory } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import {
  classifyTransferError,
  isStaleConnection,
  isTransientStatus,
  loggableUrl,
  openRequest,
  outOfReach,
  parseTransferUrl,
  type TransferWatch,
  watchTransfer,
} from './object-store.ts';
import { type ReceivedFile, readBack } from './read-back.ts';
import { type BodyDigests, otherLength, refusedAnswer, writeBody } from './receive-body.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const RANGE_NOT_SATISFIABLE = 416;

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
  let file: (ReceivedFile & { directory: MadeDirectory }) | null = null;
  try {
    file = await watch.onStorage(() => openPartial(receive.path, context));
    const download = { receive, handle: file.handle, context, watch };
    const { directory, handle } = file;
    const offset = await watch.onStorage(() => prepare(download, directory.at));
    const received = offset < receive.sizeBytes ? await fetchRest(download, url, offset) : null;
    await watch.onStorage(() => handle.sync());
    watch.end();
    return await readBack(file, received, context);
  } finally {
    watch.end();
    await file?.handle.close();
    await file?.directory.close();
  }
}

async function openPartial(path: string, context: CallContext): Promise<ReceivedFile & { directory: MadeDirectory }> {
  const directory = await holdDirectoryMade(context.mountPoint, path);
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  try {
    const absolute = directory.entry(nameOf(path));
    return { handle: await open(absolute, flags, 0o644), absolute, path, directory };
  } catch (thrown) {
    await directory.close();
    throw thrown;
  }
}

/** Length to go on from; checks the kind of the file and the room on the disk. */
async function prepare({ receive, handle }: Download, directory: DiskPath): Promise<number> {
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
  const promised = BigInt(receive.promisedBytes ?? 0);
  if (disk.blocks > 0n && needed + promised > free) throw noRoom(receive.path, { needed, promised, free });
  return offset;
}

function noRoom(path: string, room: { needed: bigint; promised: bigint; free: bigint }): IsgError {
  const others = room.promised > 0n ? `, of which other downloads in progress will take ${room.promised}` : '';
  const message = `${room.needed} bytes are to be downloaded, but the storage has only ${room.free} free${others}. Make room; the download is tried again.`;
  return new IsgError('disk-full', message, { retry: 'transient', fields: { path } });
}

/** Digests of the file when all of it came; null when it was resumed. */
async function fetchRest(download: Download, url: URL, offset: number): Promise<BodyDigests | null> {
  try {
    const { request, response, target } = await askFor(download, url, offset);
    try {
      if (offset > 0 && response.statusCode === RANGE_NOT_SATISFIABLE) {
        response.resume();
        await restart(download);
        return await fetchRest(download, url, 0);
      }
      const start = await acceptAnswer(download, { response, url: target, offset });
      const { path, sizeBytes } = download.receive;
      const place = {
        handle: download.handle,
        path,
        start,
        sizeBytes,
        watch: download.watch,
        isPaced: () => download.context.isPaced(),
      };
      return await writeBody(place, { response, url: target });
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

/** A signed URL speaks for its own server: where that one points, nobody has vouched for, and the file would come from there. */
function otherPlace(url: URL, next: URL): IsgError {
  const message = `${loggableUrl(url)} redirects to ${next.origin}; a redirect to another host is not followed. Check the storage in iconik, or a proxy on the way.`;
  return new IsgError('download-refused', message, { retry: 'permanent' });
}

/**
 * Asks for the bytes from `offset` on, following redirects within the server. What a server of the internet points at is not
 * looked for inside this network, although its name may stand for an address in there by then.
 */
async function askFor(download: Download, url: URL, offset: number) {
  let target = url;
  let reach: Reach = 'named';
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    let asked = await ask(download, { url: target, reach }, offset);
    // Each stale connection is dropped, so there is an end to them.
    while (asked === 'stale-connection') asked = await ask(download, { url: target, reach }, offset);
    const { request, response } = asked;
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return { request, response, target };
    if (isFromOutside(asked, download.context)) reach = 'outer';
    response.resume();
    const next = URL.parse(location, target.href);
    if (!next) break;
    if (next.origin !== url.origin) throw otherPlace(url, next);
    target = parseTransferUrl(next.href, 'download-refused');
    if (isOutOfReach(target, reach)) throw outOfReach(target, 'download-refused');
  }
  throw new IsgError('download-refused', `${loggableUrl(url)} redirects without end.`, { retry: 'permanent' });
}

/** Behind a proxy the address of the server is not seen here; the proxy decides. */
function isFromOutside({ response }: Asked, context: CallContext): boolean {
  const address = 'socket' in response ? response.socket.remoteAddress : response.remoteAddress;
  return context.httpsProxy === null && address !== undefined && addressKind(address) === 'outer';
}

interface Target {
  url: URL;
  reach: Reach;
}

type Asked = { request: { destroy(): unknown }; response: http.IncomingMessage | BodyStream };

async function ask(download: Download, target: Target, offset: number): Promise<Asked | 'stale-connection'> {
  const range = offset > 0 ? { range: `bytes=${offset}-` } : {};
  // Compressed answers would make lengths and ranges mean something else.
  const headers = { 'accept-encoding': 'identity', ...range };
  if (isPlainTarget(target.url, download.context)) {
    const stream = await openStream(download, target, headers);
    if (stream) return { request: stream, response: stream };
  }
  return askByNode(download, target, headers);
}

async function openStream(
  { watch }: Download,
  { url, reach }: Target,
  headers: Record<string, string>,
): Promise<BodyStream | null> {
  try {
    return await BodyStream.open(url, headers, watch.signal, reach);
  } catch (thrown) {
    if (watch.signal.aborted) throw watch.signal.reason;
    throw classifyTransferError(thrown, url, 'download-refused');
  }
}

function askByNode({ context, watch }: Download, { url, reach }: Target, headers: Record<string, string>) {
  const { httpsProxy, extraCa } = context;
  const request = openRequest(url, { method: 'GET', headers, httpsProxy, extraCa, reach });
  return new Promise<Asked | 'stale-connection'>((resolve, reject) => {
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
  });
}

interface Answered {
  response: http.IncomingMessage | BodyStream;
  url: URL;
  offset: number;
}

/** Offset at which the answer's bytes belong; throws when the answer is not the file that was announced. */
async function acceptAnswer(download: Download, { response, url, offset }: Answered): Promise<number> {
  const status = response.statusCode ?? 0;
  const { sizeBytes } = download.receive;
  if (status === 206 && offset > 0) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '') ?? [];
    if (Number(start) !== offset) throw refusedAnswer(url, status, 'with another range than asked for', true);
    if (total !== '*' && Number(total) !== sizeBytes) throw otherLength(url, Number(total), sizeBytes);
    return offset;
  }
  // A signature that ran out is no word on the file: a fresh URL may be let in.
  const mayPass = isTransientStatus(status) || status === 401 || status === 403;
  if (status !== 200) throw refusedAnswer(url, status, 'instead of the file', mayPass);
  const length = response.headers['content-length'];
  if (length !== undefined && Number(length) !== sizeBytes) throw otherLength(url, Number(length), sizeBytes);
  if (offset > 0) await restart(download);
  return 0;
}
