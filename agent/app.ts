import { randomUUID } from 'node:crypto';
import { hostname, networkInterfaces, release, type } from 'node:os';
import { renewWorkerId } from './cache/installation.ts';
import {
  type ClusterDatabase,
  chooseDatabase,
  describeDatabase,
  openClusterDatabase,
} from './cluster/cluster-database.ts';
import { type Entities, entitiesFromCopy, fetchEntities } from './cluster/entities.ts';
import { settleWorkerId } from './cluster/worker-identity.ts';
import { ClusterNode } from './cluster-node.ts';
import { EXIT } from './contract/index.ts';
import { createDatabase } from './db/database.ts';
import { createIconikApi, type IconikClient } from './iconik/iconik-client.ts';
import type { NodeHost } from './node-host.ts';
import { type ChildGuard, createChildGuard } from './runtime/child-guard/child-guard.ts';
import { systemClock } from './runtime/clock.ts';
import { coerceError, IsgError } from './runtime/errors.ts';
import { STOP_LIMIT_MS } from './stop-order.ts';

/** Between two looks at something that is needed before the node can start. */
const RETRY_MS = 3_000;
/** Share of the request budget for the first look, before it is known how many nodes share it. */
const FIRST_LOOK_PER_SECOND = 5;

/** Errors that no waiting mends: the entry point ends the process with the fitting code. */
const FINAL_CODES = new Set(['schema-too-new', 'schema-failed', 'other-cluster']);

/**
 * Runs a node until `stopSignal` fires, and stops it in reverse order of its start. Whatever is away at the start
 * (iconik, database) is waited for and said once. Throws only what no waiting mends (`schema-too-new`,
 * `schema-failed`, `other-cluster`).
 */
export async function runNode(host: NodeHost): Promise<void> {
  const guard = await createChildGuard();
  try {
    await runWithGuard(host, guard);
  } finally {
    await guard.stop();
  }
}

async function runWithGuard(host: NodeHost, guard: ChildGuard): Promise<void> {
  const available = await untilAvailable(host, async () => {
    // Looked at anew at each try: what is wrong may be mended in iconik (a wrong database URI, a gateway id).
    const first = await look(host);
    const database = await openDatabase(host, first);
    return { first, database, workerId: await settleIdentity(host, database) };
  });
  if (!available) return;
  const { first, database, workerId } = available;
  const api = clientOf(host, host.config.iconikRequestsPerSecond);
  const self = {
    workerId,
    runId: randomUUID(),
    storageGatewayId: host.config.storageGatewayId,
    name: first.entities.gateway.name,
    host: hostname(),
    machineId: host.installation.machineId,
    bootId: host.installation.bootId,
  };
  const outdated = Promise.withResolvers<never>();
  outdated.promise.catch(() => {
    // ignored because the node may be stopping already when it learns of it
  });
  const node = new ClusterNode({
    host,
    guard,
    api,
    database,
    self,
    entities: first.entities,
    machine: machineFacts(),
    onOutdated: (error) => {
      // As after an order to stop: what the tables have become must not keep it from its end.
      setTimeout(() => process.exit(EXIT.schemaTooNew), STOP_LIMIT_MS).unref();
      outdated.reject(error);
    },
  });
  host.observer?.running({ node, api, databaseUri: database.uri, self });
  try {
    await node.start();
    await Promise.race([aborted(host.stopSignal), outdated.promise]);
  } finally {
    host.observer?.stopping();
    await node.stop();
    await api.close();
    await database.close();
  }
}

// The id is settled before anything is written under it.
async function settleIdentity({ installation, config, log }: NodeHost, database: ClusterDatabase): Promise<string> {
  const { workerId, machineId } = installation;
  const renew = () => renewWorkerId(config.dataDir);
  try {
    const claim = { workerId, machineId, host: hostname() };
    return await settleWorkerId(claim, { database: database.work, clock: systemClock, log, renew });
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

/** What the first look at iconik gave. */
interface FirstLook {
  entities: Entities;
  nodes: Awaited<ReturnType<IconikClient['clusters']['nodes']>>;
}

// iconik decides; while it is away, the copies in the database of config.ini let the node start all the same.
async function look(host: NodeHost): Promise<FirstLook> {
  try {
    return await lookAtIconik(host);
  } catch (thrown) {
    const error = coerceError(thrown);
    const copy = error.code === 'iconik-unreachable' ? await lookAtCopies(host) : null;
    if (copy === null) throw error;
    host.log.warn('iconik is away; the node starts with what the cluster last knew', { error: error.message });
    return copy;
  }
}

async function lookAtCopies({ config, log }: NodeHost): Promise<FirstLook | null> {
  const uri = config.dbConnectionUri?.reveal();
  if (uri === undefined) return null;
  const database = createDatabase({ uri, log, maxConnections: 1 });
  try {
    const entities = await entitiesFromCopy(database, config.storageGatewayId);
    if (!entities?.cluster) return null;
    return { entities: { ...entities, cluster: { ...entities.cluster, db_connection_uri: uri } }, nodes: [] };
  } catch {
    // Neither is there: iconik's absence is what gets said.
    return null;
  } finally {
    await database.close();
  }
}

async function lookAtIconik(host: NodeHost): Promise<FirstLook> {
  // Each look begins with a client that knows nothing yet; that iconik answers it is news only once.
  const quiet = { ...host.log, info: host.log.debug };
  const api = clientOf({ ...host, log: quiet }, FIRST_LOOK_PER_SECOND);
  try {
    let entities = await fetchEntities(api, host.config.storageGatewayId);
    const nodes = entities.cluster ? await api.clusters.nodes(entities.cluster.id) : [];
    if (entities.gateway.roles.length === 0 && nodes.every(({ roles }) => roles.length === 0)) {
      await takeAllRoles(host, api);
      entities = await fetchEntities(api, host.config.storageGatewayId);
    }
    const uri = entities.cluster?.db_connection_uri;
    if (uri) host.hide(uri);
    return { entities, nodes };
  } finally {
    await api.close();
  }
}

async function takeAllRoles(host: NodeHost, api: IconikClient): Promise<void> {
  const roles = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'];
  await api.gateways.patch(host.config.storageGatewayId, { roles });
  host.log.info('This is the first node and had no roles: it takes all four', { roles });
}

function clientOf({ config, log }: NodeHost, requestsPerSecond: number): IconikClient {
  return createIconikApi({
    baseUrl: config.iconikUrl,
    appId: config.appId,
    authToken: config.authToken.reveal(),
    clock: systemClock,
    random: Math.random,
    log,
    requestsPerSecond: Math.max(1, requestsPerSecond),
    proxyUrl: config.httpsProxy,
  });
}

async function openDatabase(host: NodeHost, { entities, nodes }: FirstLook): Promise<ClusterDatabase> {
  const choice = chooseDatabase(entities, nodes);
  if (choice.kind === 'none') throw new IsgError('database-unreachable', choice.reason, { retry: 'transient' });
  const owner = entities.cluster?.id ?? entities.gateway.id;
  const onMigrating = (words: string) => host.observer?.waiting('database', words);
  const node = { owner, dataDir: host.config.dataDir, log: host.log, onMigrating };
  if (choice.kind === 'embedded') return openClusterDatabase(choice, node);
  const { place, password } = describeDatabase(choice.uri);
  if (password) host.hide(password);
  try {
    return await openClusterDatabase(choice, node);
  } catch (thrown) {
    const error = coerceError(thrown);
    throw new IsgError(error.code, `${error.message} (Database of the cluster: ${place}.)`, {
      retry: error.retry,
      fields: error.fields,
      cause: error,
    });
  }
}

// Said once per distinct reason, then waited for in silence; null when the node is asked to stop meanwhile.
async function untilAvailable<T>(host: NodeHost, attempt: () => Promise<T>): Promise<T | null> {
  let said = '';
  while (!host.stopSignal.aborted) {
    try {
      return await attempt();
    } catch (thrown) {
      const error = coerceError(thrown);
      if (FINAL_CODES.has(error.code)) throw error;
      const what = error.code.startsWith('iconik-') ? 'iconik' : 'the database';
      host.observer?.waiting(what === 'iconik' ? 'iconik' : 'database', error.message);
      if (error.message !== said) host.log.error(`Waiting for ${what}: ${error.message}`, { code: error.code });
      said = error.message;
    }
    await systemClock.sleep(RETRY_MS, host.stopSignal).catch(() => {});
  }
  return null;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function machineFacts() {
  const addresses = Object.values(networkInterfaces()).flat();
  const ip = addresses.find((address) => address && !address.internal && address.family === 'IPv4')?.address;
  return { name: hostname(), ip: ip ?? '127.0.0.1', info: `${type()} ${release()} ${process.arch}` };
}
