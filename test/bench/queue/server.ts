import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { initialiseServer } from '../../../agent/embedded-db/initialise-server.ts';
import { findPostgresBinaries } from '../../../agent/embedded-db/postgres-binaries.ts';
import { findFreePort, type ServerPlace, startServer, stopServer } from '../../../agent/embedded-db/server-process.ts';
import { findServerUser } from '../../../agent/embedded-db/server-user.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';

/** Durable as in production (fsync, synchronous commit), for all systems alike. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=512MB',
  'max_wal_size=4GB',
  'checkpoint_timeout=30min',
];

/** The server that all systems of a bench share, with a pgBouncer in transaction mode before it. */
export interface BenchServer {
  /** Makes an empty database; with the product's tables when `isOurs`. Answers its URIs. */
  createDatabase(name: string, isOurs: boolean): Promise<BenchDatabase>;
  stop(): Promise<void>;
}

/** One database of the bench. */
export interface BenchDatabase {
  direct: string;
  /** The same through pgBouncer. */
  pooled: string;
  /** Runs a statement as superuser. */
  asSuperuser(text: string): Promise<Record<string, unknown>[]>;
}

async function ask(uri: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: uri });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

async function migrated(uri: string): Promise<void> {
  await ask(uri, 'CREATE SCHEMA IF NOT EXISTS isg');
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  try {
    await migrate(database, { version: '999.0.0', log: silentLogger });
  } finally {
    await database.close();
  }
}

/** Starts PostgreSQL and, with the first database, pgBouncer (its pool holds `poolSize` server connections per database). */
export async function startBenchServer(poolSize: number): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'isg-pro-test-bench-'));
  await writeFile(join(folder, 'owner.pid'), String(process.pid));
  await chmod(folder, 0o711);
  const password = randomBytes(12).toString('hex');
  const [user, binaries] = [await findServerUser(), await findPostgresBinaries()];
  const place: ServerPlace = { binaries, user, dataDir: join(folder, 'pg'), logFile: join(folder, 'postgres.log') };
  await initialiseServer({ ...place, superuser: 'postgres', password, flags: ['--no-sync'] });
  const port = await findFreePort();
  (await startServer(place, port, SETTINGS)).unref();
  const uriOf = (user: string, name: string) => `postgresql://${user}:${password}@127.0.0.1:${port}/${name}`;
  await ask(uriOf('postgres', 'postgres'), `CREATE ROLE isg LOGIN PASSWORD '${password}'`);
  let bouncer: TestPgBouncer | null = null;
  const stopOnce = async () => {
    await bouncer?.stop();
    await stopServer(place, 5_000);
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= stopOnce();
    return stopping;
  };
  // The server is detached: a bench that is ended from outside must take it along.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().then(() => process.exit(1)));
  return {
    createDatabase: async (name, isOurs) => {
      await ask(uriOf('postgres', 'postgres'), `CREATE DATABASE ${name} OWNER isg`);
      const direct = uriOf('isg', name);
      if (isOurs) await migrated(`${direct}?sslmode=disable`);
      bouncer ??= await startPgBouncer(direct, { poolSize });
      const pooled = new URL(bouncer.uri);
      pooled.pathname = `/${name}`;
      return { direct, pooled: pooled.href, asSuperuser: (text) => ask(uriOf('postgres', name), text) };
    },
    stop,
  };
}
