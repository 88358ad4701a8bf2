import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createHttpCall } from '../../../agent/iconik/http-call.ts';
import { createDispatcher } from '../../../agent/iconik/http-dispatcher.ts';
import { sendOnce } from '../../../agent/iconik/object-upload/object-store-http.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { closeProcess } from '../../../agent/runtime/closed-process.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { type IssuedCertificate, TestAuthority } from '../../support/certificates.ts';
import { useStorages, withCode } from '../storage/storage-fixture.ts';

const storages = useStorages();
const servers: https.Server[] = [];
/** What reached a server that nobody can vouch for. */
const seen: string[] = [];
const origins: Record<string, string> = {};
let folder: string;
let storage: StorageAccess;

async function serve({ certificate, key }: IssuedCertificate): Promise<string> {
  const server = https.createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    (request, response) => {
      seen.push(`${request.method} ${JSON.stringify(request.headers)}`);
      response.end('{}');
    },
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-tls-'));
  const authority = new TestAuthority(folder);
  origins['signed by itself'] = await serve(authority.selfSigned('itself'));
  origins['of another host'] = await serve(authority.issue({ name: 'other', altName: 'DNS:other.example' }));
  origins['that ran out'] = await serve(authority.issue({ name: 'old', altName: 'IP:127.0.0.1', isExpired: true }));
  // Somebody would like it to be off, and an operator trusts this authority.
  vi.stubEnv('NODE_EXTRA_CA_CERTS', authority.certificate);
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) vi.stubEnv(name, undefined);
  storage = await storages.open();
  writeFileSync(join(storage.mountPoint, 'file'), 'content');
});
afterAll(() => {
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('a server with a certificate', () => {
  it.each(['signed by itself', 'of another host', 'that ran out'])(
    '%s gets no call with the token, no file and no question, whatever the environment says',
    async (kind) => {
      const origin = origins[kind] ?? '';
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      closeProcess();
      const dispatcher = createDispatcher({ callTimeoutMs: 10_000 });
      const call = createHttpCall({
        baseUrl: origin,
        appId: 'app',
        authToken: 'token',
        dispatcher,
        clock: systemClock,
        callTimeoutMs: 10_000,
      });
      await expect(call({ method: 'GET', path: '/API/x/' })).rejects.toEqual(withCode('iconik-unreachable'));
      const deps = { clock: systemClock, random: Math.random, attempts: 1, stallMs: 10_000, dispatcher };
      const post = {
        what: 'try',
        url: origin,
        method: 'POST',
        deadlineMs: 10_000,
        signal: AbortSignal.timeout(20_000),
      } as const;
      await expect(sendOnce(deps, post)).rejects.toEqual(withCode('upload-refused'));
      const { sizeBytes, mtimeNs } = (await storage.stat('file')) ?? { sizeBytes: 0, mtimeNs: '' };
      // The processes of the storage inherit the wish, and have to close themselves.
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const whole = {
        path: 'file',
        offsetBytes: 0,
        lengthBytes: sizeBytes,
        expected: { sizeBytes, mtimeNs },
        headers: {},
      };
      await expect(storage.sendRange({ ...whole, url: origin, method: 'PUT' }, {})).rejects.toEqual(
        withCode('upload-refused'),
      );
      const received = storage.receiveFile({ url: origin, path: 'part', sizeBytes: 2 }, {});
      await expect(received).rejects.toEqual(withCode('download-refused'));
      await dispatcher.destroy();
      expect(seen).toEqual([]);
    },
  );
});

describe('a diagnostic report of a process of the agent', () => {
  it('holds nothing of the environment, is not written by itself, and certificates count again', () => {
    const module = pathToFileURL(join(import.meta.dirname, '../../../agent/runtime/closed-process.ts')).href;
    const program = `const { closeProcess } = await import(${JSON.stringify(module)}); closeProcess();
      const { report, env } = process;
      process.stdout.write(JSON.stringify({ made: report.getReport(), tls: env.NODE_TLS_REJECT_UNAUTHORIZED ?? null,
        isSilent: !report.reportOnFatalError && !report.reportOnSignal && !report.reportOnUncaughtException }));`;
    const flags = ['--report-uncaught-exception', '--report-on-fatalerror', '--report-on-signal'];
    const env = {
      ...process.env,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      ISG_PRO_SECRET: 'never-in-a-report',
      NODE_NO_WARNINGS: '1',
    };
    const { stdout } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
      env,
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toMatchObject({ tls: null, isSilent: true });
    expect(JSON.parse(stdout).made.environmentVariables).toBeUndefined();
    expect(stdout.replaceAll(program, '')).not.toContain('never-in-a-report');
  });
});
