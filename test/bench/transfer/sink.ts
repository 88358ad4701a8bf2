/**
 * The object store of the transfer bench, a program of its own: just enough S3 for both sides. It checks the MD5 of every
 * part and drops the bytes, and makes up the content of what is downloaded, so that no disk of the store's is measured.
 * Two processes share the work (MD5 takes most of it), one keeps the table of uploads.
 */
import cluster, { type Worker } from 'node:cluster';
import { createHash, randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';

/** As many as the smallest machine has cores: one would be the limit of whatever sends to it. */
const WORKERS = 2;
const BLOCK_BYTES = 1024 * 1024;
/** Content of every object: this block over and over. Not random: all processes and the receiver's check agree on it. */
const BLOCK = Buffer.alloc(BLOCK_BYTES, Buffer.from(Array.from({ length: 251 }, (_, at) => (at * 89 + 7) % 256)));

interface Part {
  uploadId: string;
  number: number;
  md5: string;
}

/** To the process with the table; it answers each with the same `askId`. */
type Ask = { askId: number } & (
  | { kind: 'begin' }
  | ({ kind: 'part' } & Part)
  | { kind: 'list'; uploadId: string }
  | { kind: 'end'; uploadId: string }
);
interface Reply {
  askId: number;
  uploadId: string;
  parts: [number, string][] | null;
}

function md5Of(sizeBytes: number): string {
  const hash = createHash('md5');
  for (let left = sizeBytes; left > 0; left -= BLOCK_BYTES) hash.update(BLOCK.subarray(0, Math.min(left, BLOCK_BYTES)));
  return hash.digest('hex');
}

/** Keeps the table; prints the port once all workers listen. Ends with its standard input. */
function runTable(): void {
  const uploads = new Map<string, Map<number, string>>();
  const answer = (worker: Worker, ask: Ask) => {
    const uploadId = ask.kind === 'begin' ? randomUUID() : ask.uploadId;
    if (ask.kind === 'begin') uploads.set(uploadId, new Map());
    if (ask.kind === 'part') uploads.get(uploadId)?.set(ask.number, ask.md5);
    const parts = uploads.get(uploadId);
    const reply: Reply = { askId: ask.askId, uploadId, parts: parts ? [...parts] : null };
    if (ask.kind === 'end') uploads.delete(uploadId);
    worker.send(reply);
  };
  const [sizeBytes = '0', count = '0'] = process.argv.slice(2);
  const md5 = md5Of(Number(sizeBytes));
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    listening += 1;
    if (listening === WORKERS) process.stdout.write(`${JSON.stringify({ port, md5 })}\n`);
  });
  for (let at = 0; at < WORKERS; at += 1) {
    const worker = cluster.fork({ SINK_SIZE: sizeBytes, SINK_COUNT: count, SINK_MD5: md5 });
    worker.on('message', (ask: Ask) => answer(worker, ask));
  }
  process.stdin.on('end', () => process.exit(0)).resume();
}

const waiting = new Map<number, (reply: Reply) => void>();
let lastAskId = 0;

function askTable(
  ask: { kind: 'begin' } | ({ kind: 'part' } & Part) | { kind: 'list' | 'end'; uploadId: string },
): Promise<Reply> {
  lastAskId += 1;
  const askId = lastAskId;
  return new Promise((resolve) => {
    waiting.set(askId, resolve);
    process.send?.({ ...ask, askId });
  });
}

const stored = { sizeBytes: Number(process.env.SINK_SIZE), count: Number(process.env.SINK_COUNT) };
const storedMd5 = process.env.SINK_MD5 ?? '';

function xml(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) })
    .end(body);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  xml(response, status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

/** Reads a body to its end without keeping it; null when it is not what its Content-MD5 says. */
function digestBody(request: IncomingMessage): Promise<string | null> {
  const hash = createHash('md5');
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('error', reject);
    request.on('end', () => {
      const digest = hash.digest();
      const asked = request.headers['content-md5'];
      resolve(asked === undefined || asked === digest.toString('base64') ? digest.toString('hex') : null);
    });
  });
}

function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', reject);
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

async function put(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
  const md5 = await digestBody(request);
  if (md5 === null) return refuse(response, 400, 'BadDigest');
  const uploadId = query.get('uploadId');
  if (uploadId !== null) {
    const { parts } = await askTable({ kind: 'part', uploadId, number: Number(query.get('partNumber')), md5 });
    if (parts === null) return refuse(response, 404, 'NoSuchUpload');
  }
  response.writeHead(200, { etag: `"${md5}"`, 'content-length': 0 }).end();
}

async function complete(request: IncomingMessage, response: ServerResponse, uploadId: string): Promise<void> {
  const body = (await textOf(request)).replaceAll('&quot;', '"').replaceAll('&#34;', '"');
  const named = [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => [
    Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    /<ETag>"?([0-9a-f]{32})"?</.exec(part)?.[1],
  ]);
  const { parts } = await askTable({ kind: 'end', uploadId });
  if (parts === null) return refuse(response, 404, 'NoSuchUpload');
  const held = new Map(parts);
  const isRight = named.length === held.size && named.every(([number, etag]) => held.get(Number(number)) === etag);
  if (!isRight) return refuse(response, 400, 'InvalidPart');
  const digest = createHash('md5').update(Buffer.concat(named.map(([, etag]) => Buffer.from(String(etag), 'hex'))));
  const etag = `"${digest.digest('hex')}-${named.length}"`;
  xml(response, 200, `<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`);
}

async function listParts(response: ServerResponse, uploadId: string): Promise<void> {
  const { parts } = await askTable({ kind: 'list', uploadId });
  if (parts === null) return refuse(response, 404, 'NoSuchUpload');
  const items = parts.map(([number, md5]) => `<Part><PartNumber>${number}</PartNumber><ETag>"${md5}"</ETag></Part>`);
  xml(response, 200, `<ListPartsResult><IsTruncated>false</IsTruncated>${items.join('')}</ListPartsResult>`);
}

/** The bucket `full` holds the files to be downloaded; every other is empty. */
function listObjects(response: ServerResponse, bucket: string): void {
  const names = bucket === 'full' ? Array.from({ length: stored.count }, (_, at) => `file-${at}`) : [];
  const items = names.map(
    (name) =>
      `<Contents><Key>${name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"${storedMd5}"</ETag><Size>${stored.sizeBytes}</Size></Contents>`,
  );
  const body = `<Name>${bucket}</Name><KeyCount>${items.length}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>`;
  xml(response, 200, `<ListBucketResult>${body}${items.join('')}</ListBucketResult>`);
}

function download(request: IncomingMessage, response: ServerResponse): void {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const first = Number(from ?? 0);
  const last = to ? Math.min(Number(to), stored.sizeBytes - 1) : stored.sizeBytes - 1;
  const range = from === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${stored.sizeBytes}` };
  response.writeHead(from === undefined ? 200 : 206, {
    ...range,
    'content-length': last - first + 1,
    'content-type': 'application/octet-stream',
    'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
    etag: `"${storedMd5}"`,
  });
  if (request.method === 'HEAD') return void response.end();
  let at = first;
  const pump = () => {
    for (let hasRoom = true; hasRoom && at <= last; ) {
      const start = at % BLOCK_BYTES;
      const bytes = BLOCK.subarray(start, Math.min(BLOCK_BYTES, start + last - at + 1));
      at += bytes.length;
      hasRoom = response.write(bytes);
    }
    if (at > last) response.end();
  };
  response.on('drain', () => {
    if (at <= last) pump();
  });
  pump();
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://sink');
  const [, bucket = '', key = ''] = pathname.split('/');
  const uploadId = query.get('uploadId');
  if (request.method === 'PUT' && key !== '') return put(request, response, query);
  if (request.method === 'POST' && query.has('uploads')) {
    const begun = await askTable({ kind: 'begin' });
    const inner = `<Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${begun.uploadId}</UploadId>`;
    return xml(response, 200, `<InitiateMultipartUploadResult>${inner}</InitiateMultipartUploadResult>`);
  }
  if (request.method === 'POST' && uploadId !== null) return complete(request, response, uploadId);
  if (request.method === 'GET' && uploadId !== null) return listParts(response, uploadId);
  if (request.method === 'GET' && key === '') return listObjects(response, bucket);
  if (bucket === 'full' && key !== '') return download(request, response);
  refuse(response, 404, 'NoSuchKey');
}

function runWorker(): void {
  process.on('message', (reply: Reply) => {
    waiting.get(reply.askId)?.(reply);
    waiting.delete(reply.askId);
  });
  process.on('disconnect', () => process.exit(0));
  const server = http.createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
}

if (cluster.isPrimary) runTable();
else runWorker();
