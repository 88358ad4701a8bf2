import { askOnce, makeTables, startOwnPostgres } from '../../support/own-postgres.ts';
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

/** Starts PostgreSQL and, with the first database, pgBouncer (its pool holds `poolSize` server connections per database). */
export async function startBenchServer(poolSize: number): Promise<BenchServer> {
  const postgres = await startOwnPostgres('bench', SETTINGS);
  let bouncer: TestPgBouncer | null = null;
  const stopOnce = async () => {
    await bouncer?.stop();
    await postgres.stop();
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
      await askOnce(postgres.uriOf('postgres', 'postgres'), `CREATE DATABASE ${name} OWNER isg`);
      const direct = postgres.uriOf('isg', name);
      if (isOurs) await makeTables(`${direct}?sslmode=disable`);
      bouncer ??= await startPgBouncer(direct, { poolSize });
      const pooled = new URL(bouncer.uri);
      pooled.pathname = `/${name}`;
      return { direct, pooled: pooled.href, asSuperuser: (text) => askOnce(postgres.uriOf('postgres', name), text) };
    },
    stop,
  };
}
