import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../../agent/db/database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

/** Makes a self-signed certificate for a host name that nobody has, and for no address. */
function makeCertificate(folder: string): void {
  const subject = ['-subj', '/CN=database.example', '-addext', 'subjectAltName=DNS:database.example'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  });
}

describe('sslmode', () => {
  let test: TestDatabase;
  let folder: string;
  let server: Server;
  const sockets = new Set<Socket>();
  const uriWith = (mode: string, more = '') => {
    const url = new URL(test.uri);
    const address = server.address();
    url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
    url.search = `?sslmode=${mode}${more}`;
    return url.href;
  };
  const attempt = async (uri: string) => {
    const database = createDatabase({ uri, log: silentLogger });
    try {
      return await database.execute('SELECT 1', []);
    } finally {
      await database.close();
    }
  };

  beforeAll(async () => {
    test = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'isg-pro-tls-'));
    makeCertificate(folder);
    const [key, cert] = await Promise.all([readFile(join(folder, 'key.pem')), readFile(join(folder, 'cert.pem'))]);
    // a server that accepts the request for TLS, and the real PostgreSQL behind it
    server = createServer((raw) => {
      sockets.add(raw);
      raw.on('error', () => undefined);
      raw.once('data', () => {
        raw.write('S');
        const secure = new TLSSocket(raw, { isServer: true, key, cert });
        const target = connect(Number(new URL(test.uri).port), '127.0.0.1');
        sockets.add(target);
        for (const socket of [secure, target]) socket.on('error', () => raw.destroy());
        secure.pipe(target).pipe(secure);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await test.drop();
    await rm(folder, { recursive: true });
  });

  it('require and prefer accept any certificate', async () => {
    expect(await attempt(uriWith('require'))).toBe(1);
    expect(await attempt(uriWith('prefer'))).toBe(1);
  });

  it('verify-ca wants a trusted certificate and does not look at the name', async () => {
    await expect(attempt(uriWith('verify-ca'))).rejects.toMatchObject({ code: 'database-refused', retry: 'permanent' });
    expect(await attempt(uriWith('verify-ca', `&sslrootcert=${folder}/cert.pem`))).toBe(1);
  });

  it('verify-full wants the right name as well', async () => {
    const wrongName = attempt(uriWith('verify-full', `&sslrootcert=${folder}/cert.pem`));
    await expect(wrongName).rejects.toMatchObject({
      code: 'database-refused',
      message: expect.stringMatching(/sslmode/),
    });
  });
});
