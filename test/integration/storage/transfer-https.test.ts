import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { type IssuedCertificate, TestAuthority } from '../../support/certificates.ts';
import { useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
const content = randomBytes(3_000_001);
const servers: Server[] = [];
let folder: string;
let storage: StorageAccess;
/** A partial file of its own for each try of each test. */
let parts = 0;
let authority: TestAuthority;
/** The `connection` header of each request: only the reader of bodies asks for the end of its connection. */
let connections: (string | undefined)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-https-'));
  authority = new TestAuthority(folder);
  // Storage processes take these with their environment; with a proxy, bodies would be read by `node:http`.
  vi.stubEnv('NODE_EXTRA_CA_CERTS', authority.certificate);
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) vi.stubEnv(name, undefined);
  storage = await storages.open();
});

afterAll(() => {
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Serves the content, also from the middle on; `cutAfter` ends each connection after so many bytes. */
async function serve({ certificate, key }: IssuedCertificate, cutAfter?: number): Promise<string> {
  connections = [];
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
    connections.push(request.headers.connection);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = content.subarray(start);
    const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length, ...(start > 0 ? range : {}) });
    if (cutAfter === undefined) response.end(rest);
    else response.write(rest.subarray(0, cutAfter), () => response.destroy());
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/key?X-Signature=secret`;
}

it('receives over HTTPS by the reader of bodies, and goes on after a broken connection', async () => {
  parts += 1;
  const receive = { path: `part-${parts}`, sizeBytes: content.length };
  const certificate = authority.issue({ name: 'right', altName: 'IP:127.0.0.1' });
  const broken = await serve(certificate, 1_500_000);
  const first = storage.receiveFile({ url: broken, ...receive }, {});
  await expect(first).rejects.toEqual(withCode('download-refused', 'transient'));
  const whole = await serve(certificate);
  const md5 = createHash('md5').update(content).digest('hex');
  expect(await storage.receiveFile({ url: whole, ...receive }, {})).toMatchObject({ md5, changed: false });
  expect(connections).toEqual(['close']);
  expect(readFileSync(join(storage.mountPoint, receive.path)).equals(content)).toBe(true);
});

it.each([
  ['of another host', () => authority.issue({ name: 'other', altName: 'DNS:store.example' })],
  ['that nobody has signed', () => authority.selfSigned('nobody')],
  ['that has run out', () => authority.issue({ name: 'old', altName: 'IP:127.0.0.1', isExpired: true })],
])('asks nothing of a server with a certificate %s, and does not tell the signature', async (_what, issue) => {
  const url = await serve(issue());
  const receive = storage.receiveFile({ url, path: 'refused', sizeBytes: content.length }, {});
  const thrown = await receive.catch((error: unknown) => error);
  expect(thrown).toEqual(withCode('download-refused', 'transient'));
  expect(JSON.stringify(thrown) + String(thrown)).not.toContain('secret');
  expect(connections).toEqual([]);
});
