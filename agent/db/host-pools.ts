import type { PoolClient } from 'pg';
import { Pool } from 'pg';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { type ConnectionUri, type HostAddress, parseConnectionUri, tlsOptions } from './connection-uri.ts';
import { classifyPgError } from './pg-errors.ts';
import { destroySocket, runStatement } from './statement.ts';

/** How the pools behave; all times in milliseconds. */
export interface HostPoolsOptions {
  uri: string;
  applicationName: string;
  log: Logger;
  maxConnections: number;
  connectTimeoutMs: number;
}

/** Connections to whichever host of the URI works. */
export interface HostPools {
  /** A connection of our own until `release`; given a reason, it is destroyed instead of kept. */
  acquire(): Promise<PoolClient>;
  /** Ends everything; never waits for a silent server. */
  close(): Promise<void>;
}

/** Connections idle for longer are closed, so that a failed-over address is not held for ever. */
const IDLE_MS = 30_000;
/** How long `close` waits for polite goodbyes. */
const GOODBYE_MS = 1_000;
/** Silent connections are found by the operating system too, in case nothing is being asked on them. */
const KEEP_ALIVE_DELAY_MS = 10_000;

interface Target {
  address: HostAddress;
  encrypted: boolean;
  pool: Pool | undefined;
}

function saysNoTls(thrown: unknown): boolean {
  return thrown instanceof Error && /does not support SSL/i.test(thrown.message);
}

/** libpq's target_session_attrs; asked once per new connection, because the answer belongs to the server behind it. */
async function checkTarget(client: PoolClient, wanted: ConnectionUri['targetSessionAttrs'], deadlineMs: number) {
  if (wanted === 'any' || wanted === 'prefer-standby') return;
  const ask = "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only";
  const row: unknown = (await runStatement(client, ask, [], deadlineMs)).rows[0];
  const { standby, read_only: readOnly } = row as { standby: boolean; read_only: boolean };
  const fits = { primary: !standby, standby, 'read-write': !readOnly, 'read-only': readOnly }[wanted];
  if (fits) return;
  throw new IsgError(
    'database-refused',
    `The database server is not ${wanted}, which target_session_attrs demands. Name a server in db_connection_uri that is; during a fail-over the node goes on as soon as one of those named is.`,
    {
      retry: 'transient',
    },
  );
}

function createPool(uri: ConnectionUri, target: Target, options: HostPoolsOptions, sockets: Set<PoolClient>): Pool {
  const pool = new Pool({
    host: target.address.host,
    port: target.address.port,
    ...(uri.user === undefined ? {} : { user: uri.user }),
    ...(uri.password === undefined ? {} : { password: uri.password }),
    ...(uri.database === undefined ? {} : { database: uri.database }),
    ssl: target.encrypted ? tlsOptions(uri, target.address.host) : false,
    enableChannelBinding: target.encrypted && uri.channelBinding === 'prefer',
    application_name: uri.applicationName ?? options.applicationName,
    max: options.maxConnections,
    connectionTimeoutMillis: uri.connectTimeoutMs ?? options.connectTimeoutMs,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    allowExitOnIdle: false,
  });
  pool.on('connect', (client) => {
    sockets.add(client);
    client.on('end', () => sockets.delete(client));
    // pg takes its own listener away while a client is checked out; without one, a broken socket would end the process
    client.on('error', (error) => options.log.debug('a database connection broke', { reason: error.message }));
  });
  pool.on('error', () => undefined);
  return pool;
}

/**
 * Pools over the hosts of a connection URI, tried in order from the one that worked last. With sslmode=prefer a host that
 * offers no TLS is remembered as plain. Throws `config-invalid` at once for a wrong URI; `acquire` rejects with the
 * classified error of one host, with a transient one if there is any.
 */
export function createHostPools(options: HostPoolsOptions): HostPools {
  const uri = parseConnectionUri(options.uri);
  const encrypted = uri.sslMode !== 'disable';
  for (const { host } of uri.hosts) tlsOptions(uri, host);
  const targets: Target[] = uri.hosts.map((address) => ({ address, encrypted, pool: undefined }));
  const sockets = new Set<PoolClient>();
  const verified = new WeakSet<PoolClient>();
  let first = 0;
  let isClosed = false;

  const connect = async (target: Target): Promise<PoolClient> => {
    const pool = target.pool ?? createPool(uri, target, options, sockets);
    target.pool = pool;
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (thrown) {
      if (uri.sslMode !== 'prefer' || !saysNoTls(thrown)) throw classifyPgError(thrown, 'connect');
      // of several that fail together the first one replaces the pool; in the old one nothing was ever connected
      if (target.pool === pool) {
        target.encrypted = false;
        target.pool = undefined;
      }
      return connect(target);
    }
    try {
      if (!verified.has(client)) await checkTarget(client, uri.targetSessionAttrs, options.connectTimeoutMs);
      verified.add(client);
      return client;
    } catch (thrown) {
      client.release(true);
      throw classifyPgError(thrown, 'connect');
    }
  };

  const acquire = async (): Promise<PoolClient> => {
    if (isClosed) throw new IsgError('stopped', 'The database was closed by this process.', { retry: 'permanent' });
    const errors: IsgError[] = [];
    for (let step = 0; step < targets.length; step += 1) {
      const index = (first + step) % targets.length;
      const target = targets[index];
      if (target === undefined) continue;
      try {
        const client = await connect(target);
        first = index;
        return client;
      } catch (thrown) {
        errors.push(classifyPgError(thrown, 'connect'));
      }
    }
    throw errors.find((error) => error.retry === 'transient') ?? errors[0] ?? classifyPgError(undefined, 'connect');
  };

  const close = async (): Promise<void> => {
    isClosed = true;
    const ends = targets.map(async (target) => target.pool?.end().catch(() => undefined));
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, GOODBYE_MS);
    });
    const allGone = Promise.all(ends).then(async () => {
      await Promise.all([...sockets].map((client) => new Promise((resolve) => client.once('end', resolve))));
    });
    await Promise.race([allGone, patience]);
    clearTimeout(timer);
    for (const client of sockets) destroySocket(client);
  };

  return { acquire, close };
}
