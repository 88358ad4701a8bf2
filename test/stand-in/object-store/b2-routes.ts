import type { FastifyRequest } from 'fastify';
import { B2Error } from './b2-error.ts';
import type { B2LargeFiles } from './b2-large-files.ts';
import type { ObjectDisk, StoredBytes } from './object-disk.ts';
import type { Grant, SignedUrls } from './signed-urls.ts';

const MAX_PARTS = 10_000;
const MAX_BYTES = 5_000_000_000;

interface B2Store {
  disk: ObjectDisk;
  b2: B2LargeFiles;
  urls: SignedUrls;
}

type Send = (status: number, headers: Record<string, string>, body?: string) => Promise<void>;

const JSON_TYPE = { 'content-type': 'application/json' };

/** The grant of an upload URL; B2 wants the token that came with it, and says so when it ran out. */
export function checkedB2Grant(urls: SignedUrls, method: string, url: URL, authorization: string | undefined): Grant {
  const grant = urls.check(method, url);
  if (grant === 'expired') throw new B2Error(401, 'expired_auth_token', 'Authorization token has expired');
  if (grant === 'signature' || authorization !== urls.token(url.href)) {
    throw new B2Error(401, 'bad_auth_token', 'Invalid authorization token');
  }
  return grant;
}

/** Takes a part of a large file, or a whole small one. */
export async function serveB2(store: B2Store, request: FastifyRequest, grant: Grant, send: Send): Promise<void> {
  await store.b2.using(request.raw.url ?? '', async () => {
    const answer =
      grant.operation === 'b2-part' ? await takePart(store, request, grant) : await takeFile(store, request, grant);
    await send(200, JSON_TYPE, JSON.stringify(answer));
  });
}

async function takePart(store: B2Store, request: FastifyRequest, grant: Grant) {
  const fileId = grant.uploadId ?? '';
  store.b2.assertOpen(fileId);
  const partNumber = Number(request.headers['x-bz-part-number']);
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
    throw new B2Error(400, 'bad_request', `Part number must be between 1 and ${MAX_PARTS}`);
  }
  const bytes = await receive(store, request);
  await store.b2.keep(fileId, partNumber, bytes);
  return { fileId, partNumber, contentLength: bytes.sizeBytes, contentSha1: bytes.sha1 };
}

async function takeFile(store: B2Store, request: FastifyRequest, grant: Grant) {
  const name = request.headers['x-bz-file-name'];
  if (typeof name !== 'string') throw new B2Error(400, 'bad_request', 'X-Bz-File-Name is needed');
  if (decodeURIComponent(name) !== nameOf(grant.key)) {
    throw new B2Error(401, 'unauthorized', 'the token is for another file name');
  }
  const contentType = request.headers['content-type'];
  if (contentType === undefined) throw new B2Error(400, 'bad_request', 'Content-Type is needed');
  const bytes = await receive(store, request);
  const fileId = await store.b2.put(grant.key, bytes, contentType);
  return { fileId, fileName: nameOf(grant.key), contentLength: bytes.sizeBytes, contentSha1: bytes.sha1 };
}

/** Name of a file in its bucket: the key without the storage. */
export const nameOf = (key: string): string => key.slice(key.indexOf('/') + 1);

async function receive(store: B2Store, request: FastifyRequest): Promise<StoredBytes & { sha1: string }> {
  const { 'content-length': length, 'x-bz-content-sha1': sha1 } = request.headers;
  if (length === undefined) throw new B2Error(411, 'bad_request', 'Content-Length is needed');
  if (Number(length) > MAX_BYTES) throw new B2Error(413, 'request_entity_too_large', 'at most 5 GB');
  if (typeof sha1 !== 'string' || !/^[0-9a-f]{40}$/.test(sha1)) {
    throw new B2Error(400, 'bad_request', 'X-Bz-Content-Sha1 must be 40 hex digits');
  }
  const bytes = await store.disk.receive(request.raw, 'sha1');
  if (bytes.extra === sha1) return { ...bytes, sha1 };
  await store.disk.discard(bytes);
  throw new B2Error(400, 'bad_request', 'Sha1 did not match data received');
}
