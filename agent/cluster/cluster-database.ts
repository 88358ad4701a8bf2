import { parseConnectionUri } from '../db/connection-uri.ts';
import { createDatabase } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { claimDatabase } from '../db/queries/worker.ts';
import { startEmbeddedDatabase } from '../embedded-db/embedded-database.ts';
import type { StorageGateway } from '../iconik/api.ts';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database } from '../runtime/sql.ts';
import { VERSION } from '../version.ts';
import type { Entities } from './entities.ts';

/** Which database a node uses, or why it has none. */
export type DatabaseChoice = { kind: 'cluster'; uri: string } | { kind: 'embedded' } | { kind: 'none'; reason: string };

/**
 * Chooses the database (pure): the cluster's own; the embedded one only for a gateway without cluster or the only node
 * of its cluster, because nobody else can reach it.
 */
export function chooseDatabase(entities: Entities, nodes: readonly StorageGateway[]): DatabaseChoice {
  const uri = entities.cluster?.db_connection_uri ?? '';
  if (uri !== '') return { kind: 'cluster', uri };
  const others = nodes.filter(({ id }) => id !== entities.gateway.id);
  if (others.length === 0) return { kind: 'embedded' };
  return {
    kind: 'none',
    reason: `The cluster "${entities.cluster?.name}" has ${nodes.length} nodes but no database (db_connection_uri is empty), so no node can lead. Enter the URI of a PostgreSQL that all nodes reach in the cluster's settings in iconik.`,
  };
}

/** Where a URI points, in words without the password, and the password, so that it can be hidden. Throws for a URI that is none. */
export function describeDatabase(uri: string): { place: string; password: string | undefined } {
  const { hosts, database, password } = parseConnectionUri(uri);
  const where = hosts.map(({ host, port }) => `${host}:${port}`).join(', ');
  return { place: `${database ?? 'default database'} at ${where}`, password };
}

/** The database in use: one pool for work, and a small, impatient one for election and membership. */
export interface ClusterDatabase {
  work: Database;
  /** Statements here are short; one that takes longer than a second is given up, so that trust is never built on it. */
  pulse: Database;
  /** What was connected to; a secret. */
  uri: string;
  close(): Promise<void>;
}

/**
 * Opens the chosen database and brings its schema up to date. Throws `database-…`, `schema-too-new`,
 * `schema-failed`, `other-cluster`.
 */
export async function openClusterDatabase(
  choice: Exclude<DatabaseChoice, { kind: 'none' }>,
  node: { owner: string; dataDir: string; log: Logger; onMigrating?: (words: string) => void },
): Promise<ClusterDatabase> {
  const { owner, dataDir, log, onMigrating } = node;
  const embedded = choice.kind === 'embedded' ? await startEmbeddedDatabase({ dataDir, log }) : null;
  const uri = choice.kind === 'cluster' ? choice.uri : (embedded?.uri ?? '');
  const work = createDatabase({ uri, log, applicationName: 'isg-pro', maxConnections: 10 });
  const pulse = createDatabase({
    uri,
    log,
    applicationName: 'isg-pro pulse',
    maxConnections: 3,
    // Several round trips: a slow link must still get a connection, which then lasts.
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 1_000,
  });
  const close = async () => {
    await Promise.all([work.close(), pulse.close()]);
    await embedded?.release();
  };
  try {
    await migrate(work, { version: VERSION, log, ...(onMigrating && { onApplying: onMigrating }) });
    await assertOwner(work, owner);
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { work, pulse, uri, close };
}

async function assertOwner(database: Database, owner: string): Promise<void> {
  const found = await claimDatabase(database, owner);
  if (found === owner) return;
  throw new IsgError(
    'other-cluster',
    `The database belongs to the cluster ${found}, but this node is of ${owner}. It stops, so that two clusters do not mix their files. Give each cluster a database of its own.`,
    { retry: 'permanent' },
  );
}
