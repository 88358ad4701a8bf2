import { askOnce, makeTables, startOwnPostgres } from '../../support/own-postgres.ts';
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

/** Starts both; the pooler holds `poolSize` server connections. */
export async function startQueueServer(poolSize: number): Promise<QueueServer> {
  const server = await startOwnPostgres('queue', SETTINGS);
  await askOnce(server.uriOf('postgres', 'postgres'), 'CREATE DATABASE queue OWNER isg');
  const direct = `${server.uriOf('isg', 'queue')}?sslmode=disable`;
  await makeTables(direct);
  let pooler = await startPgBouncer(direct, { poolSize });
  return {
    direct,
    pooled: pooler.uri,
    async restartPooler() {
      await pooler.stop();
      pooler = await startPgBouncer(direct, { poolSize, port: Number(new URL(pooler.uri).port) });
    },
    restartDatabase: (how) => server.restart(how),
    async stop() {
      await pooler.stop();
      await server.stop();
    },
  };
}
