import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
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
import { startPgBouncer } from '../../support/pgbouncer.ts';

/**
 * Commits survive the death of the server's processes, which is all that happens here; that of the machine they need not.
 * Never `synchronous_commit=off`: an immediate stop would lose what was committed.
 */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=off',
  'full_page_writes=off',
  'max_connections=100',
  'shared_buffers=128MB',
  'max_wal_size=1GB',
];

/** A PostgreSQL of a test's own with a pgBouncer in transaction mode before it; both can be restarted on their ports. */
export interface QueueServer {
  /** Migrated database, role `isg`, without the pooler. */
  direct: string;
  pooled: string;
  /** SIGKILL of pgBouncer, then a new one. */
  restartPooler(): Promise<void>;
  /** `fast` rolls open transactions back and says goodbye; `immediate` is a crash: nothing is said, recovery follows. */
  restartDatabase(how: 'fast' | 'immediate'): Promise<void>;
  stop(): Promise<void>;
}

async function asSuperuser(uri: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: uri });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Starts both; the pooler holds `poolSize` server connections. */
export async function startQueueServer(poolSize: number): Promise<QueueServer> {
  const folder = await mkdtemp(join(tmpdir(), 'isg-pro-test-queue-'));
  await writeFile(join(folder, 'owner.pid'), String(process.pid));
  await chmod(folder, 0o711);
  const password = randomBytes(12).toString('hex');
  const [user, binaries] = [await findServerUser(), await findPostgresBinaries()];
  const place: ServerPlace = { binaries, user, dataDir: join(folder, 'pg'), logFile: join(folder, 'postgres.log') };
  await initialiseServer({ ...place, superuser: 'postgres', password, flags: ['--no-sync'] });
  const port = await findFreePort();
  let server = await startServer(place, port, SETTINGS);
  server.unref();
  const at = `127.0.0.1:${port}`;
  await asSuperuser(`postgresql://postgres:${password}@${at}/postgres`, [
    `CREATE ROLE isg LOGIN PASSWORD '${password}'`,
    'CREATE DATABASE queue OWNER isg',
  ]);
  const direct = `postgresql://isg:${password}@${at}/queue?sslmode=disable`;
  await asSuperuser(direct, ['CREATE SCHEMA isg']);
  const database = createDatabase({ uri: direct, log: silentLogger, maxConnections: 1 });
  await migrate(database, { version: '999.0.0', log: silentLogger }).finally(() => database.close());
  let pooler = await startPgBouncer(direct, { poolSize });
  return {
    direct,
    pooled: pooler.uri,
    async restartPooler() {
      await pooler.stop();
      pooler = await startPgBouncer(direct, { poolSize, port: Number(new URL(pooler.uri).port) });
    },
    async restartDatabase(how) {
      const gone = once(server, 'exit');
      server.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
      server = await startServer(place, port, SETTINGS);
      server.unref();
    },
    async stop() {
      await pooler.stop();
      await stopServer(place, 5_000);
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
