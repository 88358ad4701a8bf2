import { spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { parseConnectionUri } from '../../agent/db/connection-uri.ts';
import { findFreePort } from '../../agent/embedded-db/server-process.ts';
import { findServerUser } from '../../agent/embedded-db/server-user.ts';

/** A running pgBouncer in transaction mode. */
export interface TestPgBouncer {
  /** The same database as the given URI, through the pooler. */
  uri: string;
  /** Ends the pooler at once (its clients see their connections break); safe to call twice. */
  stop(): Promise<void>;
}

/** What a test may want different. */
export interface TestPgBouncerOptions {
  /** Server connections per database and user; small, so that clients really share them. Default 4. */
  poolSize?: number;
  /** Further lines of the section [pgbouncer]. */
  settings?: readonly string[];
  /** Port to listen on, to come back where an earlier one was; default any free one. */
  port?: number;
}

const START_DEADLINE_MS = 10_000;

function configuration(uri: string, folder: string, port: number, options: TestPgBouncerOptions): string {
  const server = parseConnectionUri(uri).hosts[0];
  return [
    '[databases]',
    `* = host=${server?.host} port=${server?.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    `pidfile = ${folder}/pgbouncer.pid`,
    `logfile = ${folder}/pgbouncer.log`,
    'auth_type = scram-sha-256',
    `auth_file = ${folder}/users.txt`,
    'pool_mode = transaction',
    `default_pool_size = ${options.poolSize ?? 4}`,
    'max_client_conn = 200',
    'server_login_retry = 1',
    ...(options.settings ?? []),
    '',
  ].join('\n');
}

async function waitUntilAnswering(uri: string, isGone: () => boolean): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const client = new Client({ connectionString: uri });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      await client.end();
      return;
    } catch (thrown) {
      await client.end().catch(() => undefined);
      if (isGone() || performance.now() > deadline) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

/** Starts Debian's pgBouncer before the server of the URI (which names one host, user, password and database). */
export async function startPgBouncer(forUri: string, options: TestPgBouncerOptions = {}): Promise<TestPgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'isg-pro-test-pgbouncer-'));
  const user = await findServerUser();
  const { user: name = '', password = '' } = parseConnectionUri(forUri);
  const port = options.port ?? (await findFreePort());
  await writeFile(join(folder, 'owner.pid'), String(process.pid));
  await writeFile(join(folder, 'users.txt'), `"${name}" "${password}"\n`);
  await writeFile(join(folder, 'pgbouncer.ini'), configuration(forUri, folder, port, options));
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o711);
  const child = spawn('/usr/sbin/pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], { ...user, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const pooled = new URL(forUri);
  pooled.host = `127.0.0.1:${port}`;
  const uri = pooled.href;
  try {
    await waitUntilAnswering(uri, () => child.exitCode !== null);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { uri, stop };
}
