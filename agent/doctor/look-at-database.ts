import { describeDatabase } from '../cluster/cluster-database.ts';
import type { Finding } from '../contract/index.ts';
import { parseConnectionUri } from '../db/connection-uri.ts';
import { createDatabase } from '../db/database.ts';
import { compareVersions } from '../db/migrate.ts';
import { type ClusterLook, lookAtCluster, lookAtServer, type ServerLook } from '../db/queries/doctor.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { VERSION } from '../version.ts';
import { type DatabasePlace, databaseFinding, explainDatabase, isPoolersAnswer } from './explain-database.ts';
import { explainClock } from './look-at-iconik.ts';

/** What the database said. */
export interface DatabaseLook {
  findings: Finding[];
  /** Null when it has no tables yet or did not answer. */
  cluster: ClusterLook | null;
}

/** Below this our statements are not tested (the oldest version that PostgreSQL's makers still mend). */
const OLDEST_VERSION = 140_000;
const CONNECT_MS = 2_500;
const STATEMENT_MS = 2_000;
const POOLER_MS = 1_000;

/** What the server says that keeps this program from working with it. Pure. */
export function explainServer(server: ServerLook, { place, user }: DatabasePlace): Finding[] {
  const found: Finding[] = [];
  const add = (code: Finding['code'], cause: string, evidence: string, remedy: string) =>
    found.push({ code, severity: 'error', cause, evidence, remedy });
  if (server.read_only) {
    add(
      'db-read-only',
      `The database ${place} is read-only: a standby, or switched to read-only.`,
      'It is in recovery, or default_transaction_read_only is on.',
      'Point db_connection_uri at the primary, or name all servers and add target_session_attrs=read-write.',
    );
  }
  if (server.version_number < OLDEST_VERSION) {
    add(
      'db-version',
      `The PostgreSQL of ${place} is too old.`,
      `It is version ${server.version}; 14 or newer is needed.`,
      'Upgrade the server.',
    );
  }
  if (!server.has_tables && !server.may_create && !server.read_only) {
    add(
      'db-rights',
      `User "${server.user_name || user}" may not make tables in the database ${place}.`,
      server.schema_name === null
        ? 'Its search_path names no schema that exists.'
        : `It lacks CREATE on schema "${server.schema_name}".`,
      'CREATE SCHEMA isg AUTHORIZATION the user; or GRANT ALL on the schema it uses.',
    );
  }
  return found;
}

/** What the tables say that keeps this node from joining. Pure. */
function explainTables(cluster: ClusterLook, own: DatabasePlace & { owner: string; isReadOnly: boolean }): Finding[] {
  const found: Finding[] = [];
  const { place, user, owner } = own;
  const newer = cluster.needed_versions.filter((version) => compareVersions(version, VERSION) > 0);
  if (newer.length > 0) {
    const evidence = `They need version ${newer.toSorted(compareVersions).at(-1)}; this is ${VERSION}.`;
    found.push(databaseFinding('db-schema-newer', own, evidence));
  }
  if (cluster.owner !== null && cluster.owner !== owner) {
    const evidence = `It is the cluster ${cluster.owner}’s; this node is of ${owner}.`;
    found.push(databaseFinding('db-other-cluster', own, evidence));
  }
  if (!cluster.may_write && !own.isReadOnly) {
    found.push({
      code: 'db-rights',
      severity: 'error',
      cause: `User "${user}" may not write the tables in ${place}.`,
      evidence: 'It lacks UPDATE or INSERT on them; another user made them.',
      remedy: 'Make this user their owner (REASSIGN OWNED), or use the user that made them.',
    });
  }
  return found;
}

/** Of a parameter that stands twice the later one counts. */
const withParameter = (uri: string, parameter: string): string => `${uri}${uri.includes('?') ? '&' : '?'}${parameter}`;

/**
 * Whether a pgBouncer answers that keeps its clients waiting: it does so, for minutes, while it has no server. Its own
 * database is the one that needs none, and whatever it says of it tells that it is there.
 */
async function isPoolerUp(uri: string): Promise<boolean> {
  const own = withParameter(uri, 'dbname=pgbouncer');
  const limits = { maxConnections: 1, connectTimeoutMs: POOLER_MS, statementTimeoutMs: POOLER_MS };
  const database = createDatabase({ uri: own, applicationName: 'isg-pro doctor', log: silentLogger, ...limits });
  try {
    await database.execute('SHOW VERSION', []);
    return true;
  } catch (thrown) {
    return isPoolersAnswer(coerceError(thrown));
  } finally {
    await database.close();
  }
}

/** Looks once at the cluster's database, changing nothing. `owner` is iconik's id of whose it should be. Never throws. */
export async function lookAtDatabase(ofCluster: string, owner: string, clock: Clock): Promise<DatabaseLook> {
  // However patient the nodes are, a diagnosis has seconds.
  const uri = withParameter(ofCluster, 'connect_timeout=0');
  let place: DatabasePlace = { place: 'of the cluster', user: '' };
  try {
    place = { place: describeDatabase(uri).place, user: parseConnectionUri(uri).user ?? '' };
    const limits = { maxConnections: 1, connectTimeoutMs: CONNECT_MS, statementTimeoutMs: STATEMENT_MS };
    const database = createDatabase({ uri, applicationName: 'isg-pro doctor', log: silentLogger, ...limits });
    try {
      const startedMs = clock.wallMs();
      // A transaction, because a pooler may allow single statements only.
      const server = await database.transaction((sql) => lookAtServer(sql));
      const nowMs = clock.wallMs();
      const findings = [
        ...explainClock(nowMs, { whose: 'the database', atMs: server.clock_ms, slackMs: nowMs - startedMs }),
        ...explainServer(server, place),
      ];
      if (!server.has_tables) return { findings, cluster: null };
      const cluster = await lookAtCluster(database);
      return {
        findings: [...findings, ...explainTables(cluster, { ...place, owner, isReadOnly: server.read_only })],
        cluster,
      };
    } finally {
      await database.close();
    }
  } catch (thrown) {
    const finding = explainDatabase(coerceError(thrown), place);
    const isPooler = finding.code === 'db-silent' && (await isPoolerUp(uri));
    const seen = `pgBouncer itself answers at once, but for this database nobody did within ${CONNECT_MS / 1_000} s.`;
    return { findings: [isPooler ? databaseFinding('pgbouncer-server-down', place, seen) : finding], cluster: null };
  }
}
