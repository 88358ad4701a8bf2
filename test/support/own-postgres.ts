import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createDatabase } from '../../agent/db/database.ts';
import { migrate } from '../../agent/db/migrate.ts';
import { initialiseServer } from '../../agent/embedded-db/initialise-server.ts';
import { findPostgresBinaries } from '../../agent/embedded-db/postgres-binaries.ts';
import { findFreePort, type ServerPlace, startServer, stopServer } from '../../agent/embedded-db/server-process.ts';
import { findServerUser } from '../../agent/embedded-db/server-user.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';
import { IN_MEMORY } from './quick-temporary-folder.ts';

/** Folders of test servers in the temporary folder begin so; pgBouncer's (pgbouncer.ts) do, too. */
export const SERVER_PREFIX = 'isg-pro-test-';

/** A server reads its settings anew at once; more only where the machine is busy. */
const RELOAD_MS = 10_000;

/** A PostgreSQL in a folder of its own, with the roles `postgres` (superuser) and `isg`. */
export interface OwnPostgres {
  /** Without settings of TLS. */
  uriOf(user: 'postgres' | 'isg', database: string): string;
  /** On the same port. `fast` rolls open transactions back and says goodbye; `immediate` is a crash: recovery follows. */
  restart(how: 'fast' | 'immediate'): Promise<void>;
  /** Turns TLS on; from the next connection on it shows this certificate. */
  showCertificate(certificate: string, key: string): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** Runs a statement on a connection of its own. */
export async function askOnce(uri: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: uri });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Makes the product's tables in an empty database. */
export async function makeTables(uri: string): Promise<void> {
  await askOnce(uri, 'CREATE SCHEMA isg');
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  try {
    await migrate(database, { version: '999.0.0', log: silentLogger });
  } finally {
    await database.close();
  }
}

/** Folders that servers of tests may lie in. */
export const serverParents = (): string[] => [...new Set([tmpdir(), IN_MEMORY])];

/**
 * Starts a server with these settings. Its folder names this process, so that what a killed run leaves can be told from
 * what lives (postgres-global.ts).
 */
export async function startOwnPostgres(name: string, settings: readonly string[]): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), `${SERVER_PREFIX}${name}-`));
  await writeFile(join(folder, 'owner.pid'), String(process.pid));
  // PostgreSQL runs as another user when we are root, and mkdtemp lets only the owner pass
  await chmod(folder, 0o711);
  const password = randomBytes(12).toString('hex');
  const [user, binaries] = [await findServerUser(), await findPostgresBinaries()];
  const place: ServerPlace = { binaries, user, dataDir: join(folder, 'pg'), logFile: join(folder, 'postgres.log') };
  await initialiseServer({ ...place, superuser: 'postgres', password, flags: ['--no-sync'] });
  const port = await findFreePort();
  const start = async () => {
    const started = await startServer(place, port, settings);
    started.unref();
    return started;
  };
  let server = await start();
  const uriOf: OwnPostgres['uriOf'] = (role, database) =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;
  await askOnce(uriOf('postgres', 'postgres'), `CREATE ROLE isg LOGIN PASSWORD '${password}'`);
  return {
    uriOf,
    async restart(how) {
      const gone = once(server, 'exit');
      server.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
      server = await start();
    },
    async showCertificate(certificate, key) {
      const ask = (text: string) => askOnce(uriOf('postgres', 'postgres'), text);
      await ask(`ALTER SYSTEM SET ssl_cert_file = '${certificate}'`);
      await ask(`ALTER SYSTEM SET ssl_key_file = '${key}'`);
      await ask('ALTER SYSTEM SET ssl = on');
      await ask('SELECT pg_reload_conf()');
      // The postmaster reads its settings after the signal; who connects before that meets the old ones.
      const deadline = performance.now() + RELOAD_MS;
      while ((await ask('SHOW ssl_cert_file'))[0]?.ssl_cert_file !== certificate)
        if (performance.now() > deadline) throw new Error(`the server does not take ${certificate}`);
    },
    async stop() {
      await stopServer(place, 5_000);
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
