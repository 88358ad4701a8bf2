import { createReadStream } from 'node:fs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Faults } from '../faults/fault-plan.ts';
import type { AzureBlocks } from './azure-blocks.ts';
import { serveAzure } from './azure-routes.ts';
import { B2Error } from './b2-error.ts';
import type { B2LargeFiles } from './b2-large-files.ts';
import { checkedB2Grant, serveB2 } from './b2-routes.ts';
import type { GcsObjects } from './gcs-objects.ts';
import { serveGcs } from './gcs-routes.ts';
import type { MultipartUploads } from './multipart-uploads.ts';
import type { ObjectDisk } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';
import type { ResumableSessions } from './resumable-sessions.ts';
import { completedXml, errorXml, initiatedXml, parseCompletion, partsXml } from './s3-xml.ts';
import { type Grant, keyOfPath, type SignedUrls } from './signed-urls.ts';

/** What the object routes need. */
export interface ObjectStore {
  disk: ObjectDisk;
  uploads: MultipartUploads;
  sessions: ResumableSessions;
  azure: AzureBlocks;
  b2: B2LargeFiles;
  gcs: GcsObjects;
  urls: SignedUrls;
  faults: Faults;
  baseUrl: () => string;
}

const PARTS_PER_LIST = 1000;
const isS3 = (grant: Grant): boolean => grant.operation.startsWith('s3-');

/** Serves signed URLs under `/_objects/`: uploads as S3, GCS, Azure and B2 take them, downloads. */
export async function objectRoutes(app: FastifyInstance, store: ObjectStore): Promise<void> {
  app.removeAllContentTypeParsers();
  // Bodies are streamed from the socket; nothing is parsed or buffered here.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
    url: '/_objects/*',
    handler: async (request, reply) => {
      try {
        await serve(store, request, reply);
      } catch (thrown) {
        if (!(thrown instanceof ObjectStoreError)) throw thrown;
        // The rest of a refused body is not read, so the connection cannot be used again.
        reply.code(thrown.status).header('connection', 'close');
        if (thrown instanceof B2Error) await reply.type('application/json').send(thrown.toJson());
        else await reply.type('application/xml').send(errorXml(thrown.code, thrown.message));
      }
    },
  });
}

/** The grant of a request, or the refusal that a real store would send. */
function checkedGrant(urls: SignedUrls, method: string, url: URL): Grant {
  const grant = urls.check(method === 'HEAD' ? 'GET' : method, url);
  if (grant === 'expired') throw new ObjectStoreError(403, 'AccessDenied', 'Request has expired');
  if (grant === 'signature')
    throw new ObjectStoreError(403, 'SignatureDoesNotMatch', 'the signature does not allow this request');
  return grant;
}

async function serve(store: ObjectStore, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const url = new URL(request.raw.url ?? '/', store.baseUrl());
  const strike = store.faults.plan.objectStore
    ? store.faults.strike(request.method, url.pathname, { mayCommitLate: false })
    : { kind: 'none' as const };
  if (strike.kind === 'status')
    throw new ObjectStoreError(strike.code, strike.code === 503 ? 'SlowDown' : 'InternalError', 'injected fault');
  if (strike.kind === 'throttle') throw new ObjectStoreError(429, 'SlowDown', 'injected fault');
  const send = async (status: number, headers: Record<string, string>, body?: string): Promise<void> => {
    if (strike.kind === 'drop-after-commit') {
      reply.hijack();
      request.raw.socket.destroy();
      return;
    }
    await reply.code(status).headers(headers).send(body);
  };
  const session = url.searchParams.get('session');
  if (session !== null) return putChunk(store, request, session, send);
  if (url.searchParams.get('operation')?.startsWith('b2-')) {
    const b2 = checkedB2Grant(store.urls, request.method, url, request.headers.authorization);
    return serveB2(store, request, b2, send);
  }
  const grant = checkedGrant(store.urls, request.method, url);
  if (grant.operation === 'azure-blob') return serveAzure(store, request, grant, send);
  if (grant.operation === 'get') return download(store, request, reply, grant.key);
  if (isS3(grant)) return serveS3(store, request, grant, send);
  return serveGcs(store, request, grant, {
    receive: () => receive(store, request, grant),
    text: () => textOf(request),
    send,
  });
}

type Send = (status: number, headers: Record<string, string>, body?: string) => Promise<void>;

const XML = { 'content-type': 'application/xml' };
const contentType = (request: FastifyRequest): string => request.headers['content-type'] ?? 'application/octet-stream';

/** S3 wants to know the length beforehand; so do GCS chunks. */
function lengthOf(request: FastifyRequest): number {
  const length = request.headers['content-length'];
  if (length === undefined) throw new ObjectStoreError(411, 'MissingContentLength', 'Content-Length is required');
  return Number(length);
}

async function receive(store: ObjectStore, request: FastifyRequest, grant: Grant) {
  lengthOf(request);
  const asked = request.headers['content-md5'];
  if (grant.md5 !== undefined && asked !== grant.md5) {
    throw new ObjectStoreError(403, 'SignatureDoesNotMatch', 'Content-MD5 is not the one that was signed');
  }
  if (grant.needsMd5 && asked === undefined) {
    throw new ObjectStoreError(400, 'InvalidRequest', 'Content-MD5 is required for this bucket');
  }
  const bytes = await store.disk.receive(request.raw);
  if (typeof asked === 'string' && Buffer.from(asked, 'base64').toString('hex') !== bytes.md5) {
    await store.disk.discard(bytes);
    throw new ObjectStoreError(400, 'BadDigest', 'the body does not have this Content-MD5');
  }
  return bytes;
}

async function textOf(request: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request.raw) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function serveS3(store: ObjectStore, request: FastifyRequest, grant: Grant, send: Send): Promise<void> {
  const { key, uploadId = '', partNumber = 0 } = grant;
  if (grant.operation === 's3-put') {
    const object = await store.disk.commit(key, await receive(store, request, grant), contentType(request));
    return send(200, { etag: `"${object.md5}"` });
  }
  if (grant.operation === 's3-initiate')
    return send(200, XML, initiatedXml(key, store.uploads.initiate(key, contentType(request))));
  if (grant.operation === 's3-part') {
    store.uploads.parts(key, uploadId);
    const bytes = await receive(store, request, grant);
    await store.uploads.keep(key, uploadId, partNumber, bytes);
    return send(200, { etag: `"${bytes.md5}"` });
  }
  if (grant.operation === 's3-complete') {
    const { etag } = await store.uploads.complete(key, uploadId, parseCompletion(await textOf(request)));
    return send(200, XML, completedXml(key, etag));
  }
  if (grant.operation === 's3-abort') {
    await store.uploads.abort(key, uploadId);
    return send(204, {});
  }
  const after = store.uploads.parts(key, uploadId).filter((part) => part.partNumber > (grant.marker ?? 0));
  const parts = after.slice(0, PARTS_PER_LIST);
  return send(200, XML, partsXml(key, uploadId, { parts, isTruncated: after.length > parts.length }));
}

async function putChunk(store: ObjectStore, request: FastifyRequest, session: string, send: Send): Promise<void> {
  if (request.method === 'DELETE') {
    await store.sessions.cancel(session);
    return send(499, {});
  }
  if (request.method !== 'PUT') throw new ObjectStoreError(405, 'MethodNotAllowed', 'a session takes PUT and DELETE');
  const state = await store.sessions.put(session, request.headers['content-range'], request.raw, lengthOf(request));
  if (state.kind === 'complete') return send(200, { etag: `"${state.object.md5}"` });
  return send(308, state.persistedBytes > 0 ? { range: `bytes=0-${state.persistedBytes - 1}` } : {});
}

async function download(store: ObjectStore, request: FastifyRequest, reply: FastifyReply, key: string): Promise<void> {
  const object = store.disk.find(key);
  if (!object) throw new ObjectStoreError(404, 'NoSuchKey', 'there is no such object');
  reply.headers({ 'accept-ranges': 'bytes', etag: `"${object.md5}"`, 'content-type': object.contentType });
  reply.headers(store.gcs.headers(key));
  const fileId = store.b2.fileId(key);
  if (fileId) reply.header('x-bz-file-id', fileId);
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const whole = { first: 0, last: object.sizeBytes - 1 };
  const span = match ? spanOf(match[1] ?? '', match[2] ?? '', object.sizeBytes) : whole;
  if (match && span.first > span.last) {
    reply.header('content-range', `bytes */${object.sizeBytes}`);
    throw new ObjectStoreError(416, 'InvalidRange', 'the range lies outside the object');
  }
  if (match) reply.code(206).header('content-range', `bytes ${span.first}-${span.last}/${object.sizeBytes}`);
  reply.header('content-length', String(span.last - span.first + 1));
  if (request.method === 'HEAD' || object.sizeBytes === 0) await reply.send('');
  else await reply.send(createReadStream(object.path, { start: span.first, end: span.last }));
}

function spanOf(first: string, last: string, sizeBytes: number): { first: number; last: number } {
  if (first === '') return { first: Math.max(0, sizeBytes - Number(last)), last: sizeBytes - 1 };
  return { first: Number(first), last: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

/** Answers `Expect: 100-continue`: a request that will be refused for its URL gets no go-ahead, so its body stays unsent. */
export function mayContinue(store: ObjectStore, method: string, rawUrl: string): boolean {
  const url = new URL(rawUrl, store.baseUrl());
  if (!url.pathname.startsWith('/_objects/') || url.searchParams.has('session')) return true;
  return typeof store.urls.check(method, url) !== 'string' && keyOfPath(url.pathname) !== '';
}
