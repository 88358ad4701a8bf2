import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A strict object store for tests of uploads: S3 single PUT and multipart, GCS resumable sessions, over real HTTP. It
 * refuses what the real ones refuse, counts every byte it receives, and misbehaves on order.
 */

/** One request as it arrived. */
export interface SeenRequest {
  method: string;
  /** `put`, `initiate`, `part`, `list`, `complete`, `abort`, `start`, `chunk`, `query`, `get`. */
  operation: string;
  partNumber: number | null;
  /** Bytes of the body that arrived. */
  bytes: number;
  status: number | 'dropped';
}

/** What the store does to a request instead of (or after) treating it rightly. */
type Misbehaviour =
  | { kind: 'answer'; status: number; body?: string; headers?: Record<string, string> }
  /** Treats the request rightly, then breaks the connection instead of answering. */
  | { kind: 'drop-after-commit' }
  /** Breaks the connection before anything is done. */
  | { kind: 'drop' }
  /** Treats the request rightly but tells another ETag. */
  | { kind: 'wrong-etag' };

/** Asked for each request once its body is in; null = treat it rightly. */
export type Misbehave = (request: { operation: string; partNumber: number | null }) => Misbehaviour | null;

interface Upload {
  key: string;
  parts: Map<number, Buffer>;
}

interface Session {
  key: string;
  held: Buffer;
  isDone: boolean;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

const MIN_PART_BYTES = 5 * 1024 * 1024;
const CHUNK_UNIT_BYTES = 256 * 1024;
const SECRET = 'signature-of-tests';

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');
const error = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message></Error>`,
});

/** The store. `url` makes signed URLs for a key; `expireUrls` makes all URLs given so far worthless. */
export class ObjectStoreDouble {
  readonly objects = new Map<string, { bytes: Buffer; etag: string; writes: number }>();
  readonly seen: SeenRequest[] = [];
  misbehave: Misbehave = () => null;
  /** Parts per page of a list. */
  partsPerPage = 1_000;
  readonly #uploads = new Map<string, Upload>();
  readonly #sessions = new Map<string, Session>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #generation = 1;
  #origin = '';

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A signed URL for one operation on a key. */
  url(operation: string, key: string, query: Record<string, string | number> = {}): string {
    const url = new URL(`${this.#origin}/${key}`);
    url.searchParams.set('operation', operation);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    url.searchParams.set('X-Signature', `${SECRET}-${this.#generation}`);
    return url.href;
  }

  expireUrls(): void {
    this.#generation += 1;
  }

  /** Forgets all uploads and sessions that are not finished. */
  forgetUnfinished(): void {
    this.#uploads.clear();
    this.#sessions.clear();
  }

  get openUploads(): number {
    return this.#uploads.size;
  }

  /** Bytes of file content received in all. */
  get receivedBytes(): number {
    return this.seen.filter((one) => /^(put|part|chunk)$/.test(one.operation)).reduce((sum, one) => sum + one.bytes, 0);
  }

  count(operation: string): number {
    return this.seen.filter((one) => one.operation === operation).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.#origin);
    const operation = operationOf(url, request);
    const partNumber = url.searchParams.has('partNumber') ? Number(url.searchParams.get('partNumber')) : null;
    const seen: SeenRequest = { method: request.method ?? '', operation, partNumber, bytes: 0, status: 'dropped' };
    this.seen.push(seen);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
        seen.bytes += (chunk as Buffer).length;
      }
    } catch {
      return; // the sender broke off; `seen` says so
    }
    const body = Buffer.concat(chunks);
    const fault = this.misbehave({ operation, partNumber });
    if (fault?.kind === 'drop') return void response.destroy();
    if (fault?.kind === 'answer') return this.#answer(seen, response, fault);
    const answer = this.#treat({ url, request, body, operation, partNumber });
    if (fault?.kind === 'drop-after-commit') return void response.destroy();
    if (fault?.kind === 'wrong-etag')
      answer.headers = { ...answer.headers, etag: `"${randomBytes(16).toString('hex')}"` };
    this.#answer(seen, response, answer);
  }

  #answer(seen: SeenRequest, response: ServerResponse, answer: Answer): void {
    seen.status = answer.status;
    response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? '');
  }

  #treat(call: {
    url: URL;
    request: IncomingMessage;
    body: Buffer;
    operation: string;
    partNumber: number | null;
  }): Answer {
    const { url, request, body, operation, partNumber } = call;
    const key = decodeURIComponent(url.pathname.slice(1));
    if (operation === 'chunk' || operation === 'query') return this.#session(url, request, body);
    if (url.searchParams.get('X-Signature') !== `${SECRET}-${this.#generation}`) return error(403, 'AccessDenied');
    const uploadId = url.searchParams.get('uploadId') ?? '';
    switch (operation) {
      case 'put':
        if (request.headers['content-length'] === undefined) return error(411, 'MissingContentLength');
        return this.#store(key, body, md5(body));
      case 'get': {
        const object = this.objects.get(key);
        if (!object) return error(404, 'NoSuchKey');
        if (request.headers.range !== 'bytes=0-0') {
          return { status: 200, headers: { etag: `"${object.etag}"` }, body: object.bytes };
        }
        const headers = { etag: `"${object.etag}"`, 'content-range': `bytes 0-0/${object.bytes.length}` };
        return { status: 206, headers, body: object.bytes.subarray(0, 1) };
      }
      case 'initiate':
        return this.#initiate(key);
      case 'start':
        return this.#startSession(key, request);
      default:
        return this.#multipart({ operation, key, uploadId, partNumber, body, url });
    }
  }

  #initiate(key: string): Answer {
    const uploadId = randomBytes(16).toString('base64url');
    this.#uploads.set(uploadId, { key, parts: new Map() });
    const inner = `<Bucket>b</Bucket><Key>${key}</Key><UploadId>${uploadId}</UploadId>`;
    return {
      status: 200,
      body: `<?xml version="1.0" encoding="UTF-8"?>\n<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</InitiateMultipartUploadResult>`,
    };
  }

  #multipart(call: {
    operation: string;
    key: string;
    uploadId: string;
    partNumber: number | null;
    body: Buffer;
    url: URL;
  }): Answer {
    const upload = this.#uploads.get(call.uploadId);
    if (!upload || upload.key !== call.key) return error(404, 'NoSuchUpload');
    switch (call.operation) {
      case 'part':
        upload.parts.set(call.partNumber ?? 0, call.body);
        return { status: 200, headers: { etag: `"${md5(call.body)}"` } };
      case 'list':
        return this.#list(upload, Number(call.url.searchParams.get('after') ?? 0));
      case 'abort':
        this.#uploads.delete(call.uploadId);
        return { status: 204 };
      case 'complete':
        return this.#complete(upload, call.uploadId, call.body.toString());
      default:
        return error(405, 'MethodNotAllowed');
    }
  }

  #list(upload: Upload, after: number): Answer {
    const all = [...upload.parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
    const page = all.slice(0, this.partsPerPage);
    const parts = page.map(
      ([number, bytes]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${md5(bytes)}&quot;</ETag><Size>${bytes.length}</Size></Part>`,
    );
    const body = `<ListPartsResult><IsTruncated>${page.length < all.length}</IsTruncated>${parts.join('')}</ListPartsResult>`;
    return { status: 200, body };
  }

  #complete(upload: Upload, uploadId: string, body: string): Answer {
    const named = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>&quot;([0-9a-f]+)&quot;<\/ETag>/g)];
    const pieces = named.map(([, number, etag]) => ({
      number: Number(number),
      etag,
      bytes: upload.parts.get(Number(number)),
    }));
    if (pieces.length === 0) return error(400, 'MalformedXML');
    if (pieces.some((piece, at) => at > 0 && piece.number <= (pieces[at - 1]?.number ?? 0)))
      return error(400, 'InvalidPartOrder');
    if (pieces.some((piece) => !piece.bytes || md5(piece.bytes) !== piece.etag)) return error(400, 'InvalidPart');
    const bytes = pieces.map((piece) => piece.bytes ?? Buffer.alloc(0));
    if (bytes.slice(0, -1).some((piece) => piece.length < MIN_PART_BYTES)) return error(400, 'EntityTooSmall');
    this.#uploads.delete(uploadId);
    const etag = `${md5(Buffer.concat(bytes.map((piece) => Buffer.from(md5(piece), 'hex'))))}-${bytes.length}`;
    this.#store(upload.key, Buffer.concat(bytes), etag);
    return {
      status: 200,
      body: `<CompleteMultipartUploadResult><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
    };
  }

  #store(key: string, bytes: Buffer, etag: string): Answer {
    this.objects.set(key, { bytes, etag, writes: (this.objects.get(key)?.writes ?? 0) + 1 });
    return { status: 200, headers: { etag: `"${etag}"` } };
  }

  #startSession(key: string, request: IncomingMessage): Answer {
    if (request.headers['x-goog-resumable'] !== 'start') return error(400, 'InvalidArgument');
    const sessionId = randomBytes(16).toString('base64url');
    this.#sessions.set(sessionId, { key, held: Buffer.alloc(0), isDone: false });
    return { status: 201, headers: { location: `${this.#origin}/${key}?upload_id=${sessionId}` } };
  }

  #session(url: URL, request: IncomingMessage, body: Buffer): Answer {
    const session = this.#sessions.get(url.searchParams.get('upload_id') ?? '');
    if (!session) return error(410, 'Gone');
    if (session.isDone) return { status: 200 };
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(request.headers['content-range'] ?? '');
    if (!range) return error(400, 'InvalidArgument');
    const total = Number(range[3]);
    if (range[1] !== undefined) {
      const [first, last] = [Number(range[1]), Number(range[2])];
      if (last - first + 1 !== body.length || first > session.held.length) return error(503, 'ServiceUnavailable');
      if (last + 1 !== total && body.length % CHUNK_UNIT_BYTES !== 0) return error(400, 'InvalidArgument');
      session.held = Buffer.concat([session.held.subarray(0, first), body]);
    }
    if (session.held.length === total) {
      session.isDone = true;
      this.#store(session.key, session.held, md5(session.held));
      return { status: 200 };
    }
    const held: Record<string, string> = session.held.length > 0 ? { range: `bytes=0-${session.held.length - 1}` } : {};
    return { status: 308, headers: held };
  }
}

function operationOf(url: URL, request: IncomingMessage): string {
  if (!url.searchParams.has('upload_id')) return url.searchParams.get('operation') ?? 'unknown';
  return request.headers['content-range']?.startsWith('bytes *') ? 'query' : 'chunk';
}
