import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { FindingCode } from '../../../agent/contract/index.ts';
import { createDatabase } from '../../../agent/db/database.ts';
import { findFreePort } from '../../../agent/embedded-db/server-process.ts';
import { findServerUser } from '../../../agent/embedded-db/server-user.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { type IssuedCertificate, TestAuthority } from '../../support/certificates.ts';
import { askOnce, type OwnPostgres, startOwnPostgres } from '../../support/own-postgres.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';
import { asSuperuser } from '../../support/postgres.ts';
import { SharedMount } from '../../support/shared-mount.ts';
import { DiagnosedNode, type DiagnosisFault, HEALTHY } from './diagnosed-node.ts';

// Each fault is made for real; the diagnosis must name it first. Nothing else may be found: what follows from it distracts.

let dir = '';
let node: DiagnosedNode;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-doctor-'));
  // PostgreSQL and the other user's mount run as another user, who must be able to pass through.
  chmodSync(dir, 0o755);
  node = await DiagnosedNode.create(dir);
});
afterAll(async () => {
  await node?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => node.becomes(HEALTHY));

/** Whether even root may not look into it. */
function isClosed(path: string): boolean {
  try {
    readdirSync(path);
    return false;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EACCES';
  }
}

/** What is found first must be this, said with evidence and remedy. Answers it. */
async function expectFirst(code: FindingCode, fault: DiagnosisFault = {}) {
  const { ok, findings } = await node.diagnose(fault);
  expect(findings.map((finding) => finding.code)).toEqual([code, ...findings.slice(1).map((finding) => finding.code)]);
  expect(ok).toBe(false);
  const text = JSON.stringify(findings);
  for (const secret of [node.standIn.authToken, new URL(node.test.uri).password]) expect(text).not.toContain(secret);
  return findings[0];
}

describe('a healthy node of a healthy cluster', () => {
  it('has no findings', async () => {
    expect(await node.diagnose()).toMatchObject({ ok: true, findings: [] });
  });
});

describe('iconik', () => {
  afterEach(() => node.standIn.setFaults({}));

  it('whose name cannot be resolved is iconik-dns', async () => {
    await expectFirst('iconik-dns', { config: { 'iconik-url': 'http://iconik.invalid/' } });
  });
  it('where nothing listens is iconik-unreachable', async () => {
    await expectFirst('iconik-unreachable', { config: { 'iconik-url': `http://127.0.0.1:${await findFreePort()}/` } });
  });
  it('with a wrong token is iconik-unauthorized, and the token is not repeated', async () => {
    const found = await expectFirst('iconik-unauthorized', { config: { 'auth-token': 'wrong-token-7355' } });
    expect(JSON.stringify(found)).not.toContain('wrong-token-7355');
  });
  it.each([
    [403, 'iconik-forbidden'],
    [429, 'iconik-throttled'],
    [503, 'iconik-unavailable'],
  ] as const)('that answers %i is %s', async (code, finding) => {
    node.standIn.setFaults({ status: { rate: 1, code } });
    await expectFirst(finding);
  });
  it('that does not know the gateway is gateway-unknown', async () => {
    const config = { 'storage-gateway-id': '00000000-0000-4000-8000-000000000000' };
    await expectFirst('gateway-unknown', { config });
  });
  it('behind a proxy that is not there, or that refuses, is iconik-proxy', async () => {
    const elsewhere = { 'iconik-url': 'https://iconik.example/' };
    const gone = { ...elsewhere, 'https-proxy': `http://127.0.0.1:${await findFreePort()}` };
    await expectFirst('iconik-proxy', { config: gone });
    const proxy = createServer();
    proxy.on('connect', (_request, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'));
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address() as AddressInfo;
    const refused = { ...elsewhere, 'https-proxy': `http://user:proxysecret@127.0.0.1:${address.port}` };
    const found = await expectFirst('iconik-proxy', { config: refused });
    expect(JSON.stringify(found)).not.toContain('proxysecret');
    await new Promise((resolve) => proxy.close(resolve));
  });
});

describe('the clock', () => {
  it('that is ten minutes ahead is clock-off', async () => {
    const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + 600_000 };
    const found = await expectFirst('clock-off', { clock });
    expect(found?.cause).toMatch(/60[01] s ahead/);
  });
});

describe('PostgreSQL with TLS', () => {
  let server: OwnPostgres;
  let authority: TestAuthority;
  let folder = '';
  const certificates = new Map<string, IssuedCertificate>();
  const uriOf = (query: string, host = '127.0.0.1') => {
    const url = new URL(server.uriOf('isg', 'postgres'));
    url.hostname = host;
    url.search = query;
    return url.href;
  };

  beforeAll(async () => {
    folder = join(dir, 'tls');
    mkdirSync(folder);
    authority = new TestAuthority(folder);
    certificates.set('valid', authority.issue({ name: 'valid', altName: 'IP:127.0.0.1' }));
    certificates.set('expired', authority.issue({ name: 'expired', altName: 'IP:127.0.0.1', isExpired: true }));
    certificates.set('other', authority.issue({ name: 'other', altName: 'DNS:database.example' }));
    certificates.set('own', authority.selfSigned('own'));
    const { uid = 0, gid = 0 } = await findServerUser();
    for (const { key } of certificates.values()) chownSync(key, uid, gid);
    server = await startOwnPostgres('doctor', [`ssl_ca_file=${authority.certificate}`]);
    const [row] = await askOnce(server.uriOf('postgres', 'postgres'), 'SHOW hba_file');
    const path = String(row?.hba_file);
    const rules = 'hostssl withcert all all cert\nhostnossl tlsonly all all reject\n';
    writeFileSync(path, `${rules}${readFileSync(path, 'utf8')}`);
    await askOnce(server.uriOf('postgres', 'postgres'), 'CREATE DATABASE withcert');
    await askOnce(server.uriOf('postgres', 'postgres'), 'SELECT pg_reload_conf()');
  });
  afterAll(() => server?.stop());

  /** From the next connection on, the server shows this certificate. */
  async function shows(name: string): Promise<void> {
    const { certificate, key } = certificates.get(name) ?? { certificate: '', key: '' };
    await server.showCertificate(certificate, key);
  }

  it('that is not offered is db-tls-unavailable', async () => {
    const url = new URL(node.test.uri);
    url.search = '?sslmode=require';
    await expectFirst('db-tls-unavailable', { dbConnectionUri: url.href });
  });
  it('with a certificate of an unknown authority is db-tls-untrusted', async () => {
    await shows('valid');
    await expectFirst('db-tls-untrusted', { dbConnectionUri: uriOf('?sslmode=verify-full') });
  });
  it('with a self-signed certificate is db-tls-self-signed', async () => {
    await shows('own');
    await expectFirst('db-tls-self-signed', { dbConnectionUri: uriOf('?sslmode=verify-full') });
  });
  it('with an expired certificate is db-tls-expired', async () => {
    await shows('expired');
    await expectFirst('db-tls-expired', {
      dbConnectionUri: uriOf(`?sslmode=verify-full&sslrootcert=${authority.certificate}`),
    });
  });
  it('with a certificate for another name is db-tls-wrong-name', async () => {
    await shows('other');
    await expectFirst('db-tls-wrong-name', {
      dbConnectionUri: uriOf(`?sslmode=verify-full&sslrootcert=${authority.certificate}`),
    });
  });
  it('that demands a client certificate is db-tls-client-certificate', async () => {
    await shows('valid');
    const uri = uriOf('?sslmode=require').replace('/postgres?', '/withcert?');
    await expectFirst('db-tls-client-certificate', { dbConnectionUri: uri });
  });
  it('that demands a client certificate is no finding with the right one, and names that of somebody else', async () => {
    await shows('valid');
    const withCertificate = (name: string) => {
      const { certificate, key } = authority.issue({ name });
      return uriOf(`?sslmode=require&sslcert=${certificate}&sslkey=${key}`).replace('/postgres?', '/withcert?');
    };
    const database = createDatabase({ uri: withCertificate('isg'), log: silentLogger, maxConnections: 1 });
    const select = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND client_dn IS NOT NULL';
    expect(await database.execute(select, []).finally(() => database.close())).toBe(1);
    await expectFirst('db-tls-client-certificate', { dbConnectionUri: withCertificate('somebody') });
  });
  it('that ends at a stranger’s certificate gets no login through, although sslmode asks for none', async () => {
    await shows('valid');
    const stranger = await startStranger(certificates.get('own'), Number(new URL(uriOf('')).port));
    try {
      const through = (query: string) => {
        const url = new URL(uriOf(query));
        url.port = String(stranger.port);
        return url.href;
      };
      const open = createDatabase({
        uri: through('?sslmode=require&channel_binding=disable'),
        log: silentLogger,
        maxConnections: 1,
      });
      expect(await open.execute('SELECT 1', []).finally(() => open.close())).toBe(1);
      const found = await expectFirst('db-tls-failed', { dbConnectionUri: through('?sslmode=require') });
      expect(found?.evidence).toMatch(/channel binding/i);
    } finally {
      await stranger.stop();
    }
  });
  it('and another server: target_session_attrs takes the one it wants, also when they change places', async () => {
    const asOwner = (text: string) => askOnce(server.uriOf('postgres', 'postgres'), text);
    const anew = ['DROP ROLE IF EXISTS doctor_two', "CREATE ROLE doctor_two LOGIN PASSWORD 'two'"];
    await asSuperuser(anew);
    for (const statement of anew) await asOwner(statement);
    const ports = [server.uriOf('isg', 'postgres'), node.test.uri].map((uri) => new URL(uri).port);
    const readOnly = (how: 'SET' | 'RESET') =>
      `ALTER ROLE doctor_two ${how} default_transaction_read_only${how === 'SET' ? ' = on' : ''}`;
    await asOwner(readOnly('SET'));
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
    const uri = `postgresql://doctor_two:two@${hosts}/postgres?sslmode=disable&target_session_attrs=read-write`;
    const database = createDatabase({ uri, log: silentLogger, maxConnections: 2 });
    const portOf = async () => {
      const [row] = await database.query('SELECT inet_server_port() AS port', [], z.object({ port: z.number() }));
      return String(row?.port);
    };
    try {
      expect(await portOf()).toBe(ports[1]);
      await asOwner(readOnly('RESET'));
      await asSuperuser([
        readOnly('SET'),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'doctor_two'",
      ]);
      // A statement that was on its way to the server that changed may fail once; the next one finds the other.
      await vi.waitFor(async () => expect(await portOf()).toBe(ports[0]), { timeout: 20_000, interval: 50 });
    } finally {
      await database.close();
      await asSuperuser(['DROP ROLE doctor_two']);
    }
  });
  it('without which nobody is let in is db-tls-demanded', async () => {
    const uri = uriOf('?sslmode=disable').replace('/postgres?', '/tlsonly?');
    await expectFirst('db-tls-demanded', { dbConnectionUri: uri });
  });
  it('whose file of authorities is not there is db-tls-file', async () => {
    const query = '?sslmode=verify-full&sslrootcert=/nowhere/root.pem';
    const found = await expectFirst('db-tls-file', { dbConnectionUri: uriOf(query) });
    expect(found?.evidence).toContain('/nowhere/root.pem');
  });
});

/** Somebody between node and server: ends TLS with a certificate of his own, and begins it anew towards the server. */
async function startStranger(shown: IssuedCertificate | undefined, serverPort: number) {
  const own = { key: readFileSync(shown?.key ?? ''), cert: readFileSync(shown?.certificate ?? '') };
  const sockets = new Set<Socket>();
  const kept = <T extends Socket>(socket: T): T => {
    sockets.add(socket);
    return socket.on('error', () => undefined);
  };
  const between = createTcpServer((raw) => {
    kept(raw).once('data', (wishForTls) => {
      raw.write('S');
      const towardsNode = kept(new TLSSocket(raw, { isServer: true, ...own }));
      const upstream = kept(connectTcp(serverPort, '127.0.0.1', () => upstream.write(wishForTls)));
      upstream.once('data', () => {
        const towardsServer = kept(connectTls({ socket: upstream, rejectUnauthorized: false }));
        towardsNode.pipe(towardsServer).pipe(towardsNode);
        towardsServer.once('close', () => towardsNode.destroy());
      });
    });
  });
  await once(between.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (between.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => between.close(resolve));
    },
  };
}

describe('pgBouncer', () => {
  let pooler: TestPgBouncer | null = null;
  afterEach(async () => {
    await pooler?.stop();
    pooler = null;
  });

  it('that is not running is db-unreachable', async () => {
    const url = new URL(node.test.uri);
    url.port = String(await findFreePort());
    await expectFirst('db-unreachable', { dbConnectionUri: url.href });
  });
  it('in statement mode is pgbouncer-statement-mode', async () => {
    pooler = await startPgBouncer(node.test.uri, { settings: ['pool_mode = statement'] });
    await expectFirst('pgbouncer-statement-mode', { dbConnectionUri: pooler.uri });
  });
  it.each(['session', 'transaction'])('in %s mode is no finding', async (mode) => {
    pooler = await startPgBouncer(node.test.uri, { settings: [`pool_mode = ${mode}`] });
    expect(await node.diagnose({ dbConnectionUri: pooler.uri })).toMatchObject({ ok: true, findings: [] });
  });
  it('before a PostgreSQL that is away, or that refuses its login, names that and not itself', async () => {
    const { port } = new URL(node.test.uri);
    const free = await findFreePort();
    const settings = [
      '[databases]',
      `away = host=127.0.0.1 port=${free}`,
      `refused = host=127.0.0.1 port=${port} dbname=postgres user=isg password=not-the-password`,
    ];
    pooler = await startPgBouncer(node.test.uri, { settings });
    const named = (name: string) => {
      const url = new URL(pooler?.uri ?? '');
      url.pathname = `/${name}`;
      return url.href;
    };
    await expectFirst('pgbouncer-server-down', { dbConnectionUri: named('away') });
    await expectFirst('pgbouncer-server-login', { dbConnectionUri: named('refused') });
  });
  it('without a connection left for clients is db-connections', async () => {
    pooler = await startPgBouncer(node.test.uri, { settings: ['max_client_conn = 1'] });
    const holder = createDatabase({ uri: pooler.uri, log: silentLogger, maxConnections: 1 });
    const { uri } = pooler;
    const held = holder.transaction(async (sql) => {
      await sql.execute('SELECT 1', []);
      await expectFirst('db-connections', { dbConnectionUri: uri });
    });
    await held.finally(() => holder.close());
  });
  it('with another password in its user list is db-password', async () => {
    pooler = await startPgBouncer(node.test.uri);
    const url = new URL(pooler.uri);
    url.password = 'not-the-password';
    const found = await expectFirst('db-password', { dbConnectionUri: url.href });
    expect(JSON.stringify(found)).not.toContain('not-the-password');
  });
});

describe('the database', () => {
  const database = () => new URL(node.test.uri).pathname.slice(1);

  it('that is read-only is db-read-only', async () => {
    await asSuperuser([`ALTER DATABASE ${database()} SET default_transaction_read_only = on`]);
    await expectFirst('db-read-only').finally(() => asSuperuser([`ALTER DATABASE ${database()} RESET ALL`]));
  });
  it('whose name is wrong is db-missing', async () => {
    await expectFirst('db-missing', { dbConnectionUri: node.test.uri.replace(database(), 'no_such_database') });
  });
  it('in which the user may do nothing is db-rights', async () => {
    const url = new URL(node.test.uri);
    await asSuperuser(["CREATE ROLE doctor_guest LOGIN PASSWORD 'guest'"]);
    url.username = 'doctor_guest';
    url.password = 'guest';
    await expectFirst('db-rights', { dbConnectionUri: url.href }).finally(() =>
      asSuperuser(['DROP ROLE doctor_guest']),
    );
  });
  it('of another cluster is db-other-cluster', async () => {
    await node.test.database.execute("UPDATE cluster SET cluster_id = 'another'", []);
    const back = () => node.test.database.execute('UPDATE cluster SET cluster_id = $1', [node.account.clusterId]);
    await expectFirst('db-other-cluster').finally(back);
  });
  it('that nobody named for two nodes is db-uri-missing', async () => {
    await expectFirst('db-uri-missing', { dbConnectionUri: '' });
  });
});

describe('a storage', () => {
  let mount: SharedMount | null = null;
  afterEach(async () => {
    await mount?.unmount();
    mount = null;
    node.mountAt(node.mediaDir);
  });

  async function onMount(): Promise<SharedMount> {
    const path = join(dir, 'mount');
    mount = new SharedMount({ source: node.mediaDir, path }, () => {});
    await mount.mount('clip.mov');
    node.mountAt(path);
    return mount;
  }

  it('that is gone is storage-gone', async () => {
    renameSync(node.mediaDir, join(dir, 'unmounted'));
    await expectFirst('storage-gone').finally(() => renameSync(join(dir, 'unmounted'), node.mediaDir));
  });
  it('whose mount point is empty is storage-empty', async () => {
    await (await onMount()).unmount();
    await expectFirst('storage-empty');
  });
  it('that is read-only is storage-read-only', async () => {
    (await onMount()).setReadOnly(true);
    await expectFirst('storage-read-only');
  });
  it('that hangs is storage-hung, and the answer is there in time', async () => {
    (await onMount()).hang();
    const startedMs = performance.now();
    await expectFirst('storage-hung', { limitMs: 4_800 }).finally(() => mount?.answerAgain());
    // 5 s is what it may take; the rest is for the processes of a busy machine to start and end.
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  });
  it('that this user may not read is storage-rights, with user and path', async () => {
    // A FUSE mount of another user is closed even to root.
    const path = join(dir, 'closed');
    const { uid = 0, gid = 0 } = await findServerUser();
    mkdirSync(path);
    chownSync(path, uid, gid);
    const other = spawn('bindfs', ['-f', '--no-allow-other', node.mediaDir, path], { uid, gid, stdio: 'ignore' });
    const gone = once(other, 'exit');
    await expect.poll(() => isClosed(path), { timeout: 10_000 }).toBe(true);
    node.mountAt(path);
    const found = await expectFirst('storage-rights').finally(async () => {
      execFileSync('fusermount3', ['-uz', path]);
      await gone;
    });
    expect(found?.cause).toContain(path);
    expect(found?.cause).toContain('root');
  });
  it('that shows another share is storage-wrong-share', async () => {
    const marker = join(node.mediaDir, '.isg-pro-storage');
    const right = readFileSync(marker);
    writeFileSync(marker, JSON.stringify({ storageId: 'another' }));
    await expectFirst('storage-wrong-share').finally(() => writeFileSync(marker, right));
  });
});

describe('the cluster', () => {
  it('without a TRANSCODE node is role-uncovered', async () => {
    await node.becomes([['node-a', '{MAIN,CHECKSUM,TRANSFER}', 'available', '']]);
    const found = await expectFirst('role-uncovered');
    expect(found?.cause).toContain('TRANSCODE');
  });
  it('with two runs of one gateway id is duplicate-gateway', async () => {
    await node.becomes([...HEALTHY, ['node-a', '{}', 'duplicate', 'In use by node-a (worker 1).']]);
    await expectFirst('duplicate-gateway');
  });
  it('with a tiny visibility_timeout is visibility-timeout-short', async () => {
    const cluster = node.cluster();
    const before = cluster.visibility_timeout;
    cluster.visibility_timeout = 30;
    await expectFirst('visibility-timeout-short').finally(() => {
      cluster.visibility_timeout = before;
    });
  });
  it('that is switched off is cluster-disabled, and that nobody leads is no finding of its own', async () => {
    await node.becomes(
      HEALTHY.map(([name, roles]) => [name, roles, 'disabled', 'The cluster is disabled.']),
      false,
    );
    node.cluster().enabled = false;
    const { findings } = await node.diagnose().finally(() => {
      node.cluster().enabled = true;
    });
    expect(findings.map(({ code }) => code)).toEqual(['cluster-disabled']);
  });
  it('whose MAIN nodes are all paused is no-leader, with their reason', async () => {
    await node.becomes(
      [
        ['node-a', '{MAIN,CHECKSUM}', 'draining', 'Paused by its operator: it finishes its jobs.'],
        ['node-b', '{CHECKSUM,TRANSCODE,TRANSFER,MAIN}', 'draining', 'Paused by its operator.'],
      ],
      false,
    );
    const found = await expectFirst('no-leader');
    expect(found?.cause).toContain('Paused by its operator');
  });
});
