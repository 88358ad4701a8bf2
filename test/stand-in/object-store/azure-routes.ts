import type { FastifyRequest } from 'fastify';
import type { AzureBlocks, ListedBlock } from './azure-blocks.ts';
import type { ObjectDisk, StoredBytes } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';
import type { Grant } from './signed-urls.ts';

const MEBIBYTE = 1024 * 1024;

/** Version that a request without `x-ms-version` gets here: the oldest limits. */
const OLDEST = '2015-02-21';

interface AzureStore {
  disk: ObjectDisk;
  azure: AzureBlocks;
}

type Send = (status: number, headers: Record<string, string>, body?: string) => Promise<void>;

/** Serves the operations on one block blob that a shared access signature allows (reference C.9). */
export async function serveAzure(store: AzureStore, request: FastifyRequest, grant: Grant, send: Send): Promise<void> {
  const version = versionOf(request);
  const query = request.query as Record<string, string | undefined>;
  const headers = { 'x-ms-version': version, 'x-ms-request-server-encrypted': 'true' };
  if (request.method === 'PUT' && query.comp === undefined) {
    const object = await putBlob(store, request, { key: grant.key, version });
    return send(201, { ...headers, 'content-md5': base64Of(object.md5), etag: `"0x${object.md5}"` });
  }
  if (request.method === 'PUT' && query.comp === 'block') {
    await putBlock(store, request, { key: grant.key, id: query.blockid, version });
    return send(201, headers);
  }
  if (request.method === 'PUT' && query.comp === 'blocklist') {
    await commit(store, request, grant.key);
    return send(201, headers);
  }
  if (!grant.mayRead) {
    throw new ObjectStoreError(403, 'AuthorizationPermissionMismatch', 'the signature does not allow to read');
  }
  if (query.comp === 'blocklist') {
    const list = await store.azure.list(grant.key);
    if (!list) throw new ObjectStoreError(404, 'BlobNotFound', 'there is no such blob');
    return send(200, { ...headers, 'content-type': 'application/xml' }, blockListXml(list, query.blocklisttype));
  }
  const object = store.disk.find(grant.key);
  if (!object) throw new ObjectStoreError(404, 'BlobNotFound', 'there is no such blob');
  const contentMd5 = await store.azure.contentMd5(grant.key);
  return send(200, {
    ...headers,
    'content-length': String(object.sizeBytes),
    'x-ms-blob-type': 'BlockBlob',
    ...(contentMd5 === null ? {} : { 'content-md5': contentMd5 }),
  });
}

type Blocks = readonly { id: string; sizeBytes: number }[];

function blockListXml(list: { committed: Blocks; uncommitted: Blocks }, type = 'committed'): string {
  const section = (name: string, blocks: Blocks): string => {
    const inside = blocks.map(({ id, sizeBytes }) => `<Block><Name>${id}</Name><Size>${sizeBytes}</Size></Block>`);
    return `<${name}>${inside.join('')}</${name}>`;
  };
  const committed = type === 'uncommitted' ? '' : section('CommittedBlocks', list.committed);
  const uncommitted = type === 'committed' ? '' : section('UncommittedBlocks', list.uncommitted);
  return `\uFEFF<?xml version="1.0" encoding="utf-8"?><BlockList>${committed}${uncommitted}</BlockList>`;
}

/** Version of the service that is asked for. */
function versionOf(request: FastifyRequest): string {
  const given = request.headers['x-ms-version'] ?? OLDEST;
  if (typeof given === 'string' && /^20\d\d-\d\d-\d\d$/.test(given) && given >= OLDEST) return given;
  throw new ObjectStoreError(400, 'InvalidHeaderValue', 'x-ms-version is no version');
}

/** Bytes that one request may carry, by version. */
function limitOf(version: string, kind: 'blob' | 'block'): number {
  if (version >= '2019-12-12') return (kind === 'blob' ? 5_000 : 4_000) * MEBIBYTE;
  if (version >= '2016-05-31') return (kind === 'blob' ? 256 : 100) * MEBIBYTE;
  return (kind === 'blob' ? 64 : 4) * MEBIBYTE;
}

async function putBlob(store: AzureStore, request: FastifyRequest, blob: { key: string; version: string }) {
  const type = request.headers['x-ms-blob-type'];
  if (type === undefined) throw new ObjectStoreError(400, 'MissingRequiredHeader', 'x-ms-blob-type is needed');
  if (type !== 'BlockBlob') throw new ObjectStoreError(400, 'InvalidHeaderValue', 'x-ms-blob-type must be BlockBlob');
  const bytes = await receive(store, request, limitOf(blob.version, 'blob'));
  const given = request.headers['x-ms-blob-content-type'] ?? request.headers['content-type'];
  return store.azure.put(blob.key, bytes, typeof given === 'string' ? given : 'application/octet-stream');
}

async function putBlock(
  store: AzureStore,
  request: FastifyRequest,
  block: { key: string; id: string | undefined; version: string },
): Promise<void> {
  if (block.id === undefined) throw new ObjectStoreError(400, 'MissingRequiredQueryParameter', 'blockid is needed');
  await store.azure.assertId(block.key, block.id);
  if (request.headers['content-length'] === '0') {
    throw new ObjectStoreError(400, 'InvalidHeaderValue', 'a block must not be empty');
  }
  const bytes = await receive(store, request, limitOf(block.version, 'block'));
  await store.azure.keep(block.key, block.id, bytes);
}

async function commit(store: AzureStore, request: FastifyRequest, key: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request.raw) chunks.push(chunk as Buffer);
  const list = parseBlockList(Buffer.concat(chunks).toString('utf8'));
  const contentType = request.headers['x-ms-blob-content-type'];
  const contentMd5 = request.headers['x-ms-blob-content-md5'];
  await store.azure.commit(key, list, {
    contentType: typeof contentType === 'string' ? contentType : 'application/octet-stream',
    contentMd5: typeof contentMd5 === 'string' ? md5Header(contentMd5) : null,
  });
}

function parseBlockList(xml: string): ListedBlock[] {
  const inside = /^\s*(?:<\?xml[^>]*\?>)?\s*<BlockList>([\s\S]*)<\/BlockList>\s*$/.exec(xml)?.[1];
  if (inside === undefined) throw new ObjectStoreError(400, 'InvalidXmlDocument', 'a BlockList document is needed');
  const blocks = [...inside.matchAll(/<(Latest|Committed|Uncommitted)>([^<]*)<\/\1>/g)];
  return blocks.map(([, from = '', id = '']) => ({ from: from as ListedBlock['from'], id: id.trim() }));
}

async function receive(store: AzureStore, request: FastifyRequest, limitBytes: number): Promise<StoredBytes> {
  const { 'content-length': length, 'content-md5': md5 } = request.headers;
  if (length === undefined) throw new ObjectStoreError(411, 'MissingContentLengthHeader', 'Content-Length is needed');
  if (Number(length) > limitBytes)
    throw new ObjectStoreError(413, 'RequestBodyTooLarge', `at most ${limitBytes} bytes`);
  const wanted = typeof md5 === 'string' ? md5Header(md5) : null;
  const bytes = await store.disk.receive(request.raw);
  if (wanted !== null && base64Of(bytes.md5) !== wanted) {
    await store.disk.discard(bytes);
    throw new ObjectStoreError(400, 'Md5Mismatch', 'the body does not have this Content-MD5');
  }
  return bytes;
}

const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/** An MD5 in base64, as it came; refused when it is none. */
function md5Header(text: string): string {
  if (Buffer.from(text, 'base64').length === 16) return text;
  throw new ObjectStoreError(400, 'InvalidMd5', 'an MD5 is 16 bytes in base64');
}
