import { isAbsolute } from 'node:path';
import { type AgentCallHandlers, type AgentParams, ROLES } from '../../contract/index.ts';
import type { IconikApi, StorageGatewayCluster } from '../../iconik/api.ts';
import { createIconikApi } from '../../iconik/iconik-client.ts';
import { createChildGuard } from '../../runtime/child-guard/child-guard.ts';
import { systemClock } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createStorageAccess } from '../../storage/create-storage-access.ts';
import type { ProbeResult } from '../../storage/storage-access.ts';

type SetupCalls = Pick<
  AgentCallHandlers,
  'setup.look' | 'setup.create-gateway' | 'setup.test-mount' | 'setup.set-mounts'
>;
type Account = Pick<AgentParams<'setup.look'>, 'iconikUrl' | 'appId' | 'authToken'>;

/** What setting up needs. */
export interface SetupOptions {
  log: Logger;
  /** `https-proxy` of a node that is set up already. */
  httpsProxy: string | undefined;
}

/** People wait for these calls. */
const CALL_TIMEOUT_MS = 8_000;
const LOOK_LIMIT_MS = 20_000;
const REQUESTS_PER_SECOND = 10;
/** A mount that has not answered by then is shown as not answering. */
const PROBE_MS = 5_000;
/** Starting the process that looks may take as long on a busy machine; then it is asked once more. */
const PROBE_TRIES = 2;

/** What the set-up assistant needs; works without configuration and database. Nothing of an account is kept. */
export function setupCalls(options: SetupOptions): SetupCalls {
  return {
    'setup.look': (account) => withClient(options, account, look),
    'setup.create-gateway': (order) =>
      withClient(options, order, async (api, signal) => {
        const cluster = await clusterFor(api, order, signal);
        return { storageGatewayId: await createGateway(api, { ...order, cluster }, signal) };
      }),
    'setup.test-mount': ({ mountPoint, storageId }) => testMount(options.log, mountPoint, storageId),
    'setup.set-mounts': ({ storageGatewayId, mounts, ...account }) =>
      withClient(options, account, async (api, signal) => {
        const { storages } = await api.gateways.get(storageGatewayId, { signal });
        const changed = Object.entries(mounts).map(([id, mountPoint]) => [id, { mount_point: mountPoint }]);
        const body = { storages: { ...storages, ...Object.fromEntries(changed) } };
        await api.gateways.patch(storageGatewayId, body, { signal });
        return {};
      }),
  };
}

async function withClient<T>(
  { log, httpsProxy }: SetupOptions,
  account: Account,
  use: (api: IconikApi, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const api = createIconikApi({
    baseUrl: account.iconikUrl,
    appId: account.appId,
    authToken: account.authToken,
    clock: systemClock,
    random: Math.random,
    log,
    requestsPerSecond: REQUESTS_PER_SECOND,
    callTimeoutMs: CALL_TIMEOUT_MS,
    proxyUrl: httpsProxy,
  });
  try {
    return await use(api, AbortSignal.timeout(LOOK_LIMIT_MS));
  } finally {
    await api.close();
  }
}

async function look(api: IconikApi, signal: AbortSignal) {
  // One call first: a token that is refused is refused once.
  const clusters = await api.clusters.list({ signal });
  const [gateways, storages] = await Promise.all([
    api.gateways.list({ signal }),
    api.storages.list('FILE', { signal }),
  ]);
  const storageIdsOf = new Map(clusters.map((cluster) => [cluster.id, cluster.storage_ids]));
  return {
    clusters: clusters.map(({ id, name }) => ({ id, name })),
    gateways: gateways.map((gateway) => ({
      id: gateway.id,
      name: gateway.name,
      clusterId: gateway.cluster_id,
      storageIds: [
        ...new Set([...(storageIdsOf.get(gateway.cluster_id ?? '') ?? []), ...Object.keys(gateway.storages)]),
      ],
      mounts: Object.fromEntries(Object.entries(gateway.storages).map(([id, mount]) => [id, mount.mount_point])),
    })),
    storages: storages.map(({ id, name, settings }) => ({ id, name, mountPoint: settings.mount_point ?? '' })),
  };
}

type Order = AgentParams<'setup.create-gateway'>;

// A cluster of this name without nodes is what an earlier try that failed half-way has left: it is used, not doubled.
async function clusterFor(api: IconikApi, order: Order, signal: AbortSignal): Promise<StorageGatewayCluster> {
  if (order.clusterId !== null) return withStorages(api, await api.clusters.get(order.clusterId, { signal }), order);
  const name = order.clusterName.trim();
  const [clusters, gateways] = await Promise.all([api.clusters.list({ signal }), api.gateways.list({ signal })]);
  const namesake = clusters.find((cluster) => cluster.name === name);
  if (namesake === undefined) {
    const body = { name, enabled: true, db_connection_uri: '', storage_ids: order.storageIds };
    return api.clusters.create(body, { signal });
  }
  if (gateways.every((gateway) => gateway.cluster_id !== namesake.id)) return withStorages(api, namesake, order);
  throw taken(`There is already a cluster "${name}" with nodes. Choose it from the list, or enter another name.`);
}

async function withStorages(api: IconikApi, cluster: StorageGatewayCluster, order: Order) {
  const storageIds = [...new Set([...cluster.storage_ids, ...order.storageIds])];
  if (storageIds.length > cluster.storage_ids.length) await api.clusters.patch(cluster.id, { storage_ids: storageIds });
  return cluster;
}

async function createGateway(
  api: IconikApi,
  { cluster, gatewayName }: Order & { cluster: StorageGatewayCluster },
  signal: AbortSignal,
): Promise<string> {
  const name = gatewayName.trim();
  const nodes = await api.clusters.nodes(cluster.id, { signal });
  if (nodes.some((node) => node.name === name)) {
    throw taken(
      `The cluster "${cluster.name}" has a storage gateway "${name}" already. Choose it from the list, or enter another name.`,
    );
  }
  const body = { name, enabled: true, cluster_id: cluster.id, roles: [...ROLES], settings: {}, storages: {} };
  return (await api.gateways.create(body, { signal })).id;
}

const taken = (words: string): IsgError => new IsgError('iconik-conflict', words, { retry: 'permanent' });

interface MountVerdict {
  ok: boolean;
  reason: string;
  remedy: string;
}

// The folder is touched only by a storage process of its own: a hung mount holds up nothing here.
async function testMount(log: Logger, mountPoint: string, storageId: string): Promise<MountVerdict> {
  if (!isAbsolute(mountPoint)) {
    const example = process.platform === 'win32' ? 'D:\\Media' : '/Volumes/media';
    return { ok: false, reason: 'This is not a full path.', remedy: `Choose a folder, for example ${example}.` };
  }
  const guard = await createChildGuard();
  const access = createStorageAccess({ storageId, mountPoint, guard, log });
  try {
    let verdict: ProbeResult = { kind: 'unreachable', reason: 'hung', detail: '' };
    for (let nth = 0; nth < PROBE_TRIES && verdict.kind === 'unreachable'; nth += 1) {
      verdict = await access.probe({ testWrite: true, timeoutMs: PROBE_MS });
      if (verdict.kind === 'unreachable' && verdict.reason !== 'hung' && verdict.reason !== 'unreadable') break;
    }
    return wordsOf(verdict);
  } finally {
    await access.stop();
    await guard.stop();
  }
}

function wordsOf(verdict: ProbeResult): MountVerdict {
  if (verdict.kind === 'unreachable') return { ok: false, ...UNREACHABLE[verdict.reason] };
  if (verdict.marker === 'wrong') {
    return {
      ok: false,
      reason: 'This folder is marked as another storage.',
      remedy: 'Choose the folder where this storage is mounted.',
    };
  }
  if (verdict.writable === false) {
    return {
      ok: false,
      reason: 'The folder can be read, but not written.',
      remedy: 'Give the user of this program write permission, or mount it writable.',
    };
  }
  return { ok: true, reason: '', remedy: '' };
}

const UNREACHABLE: Readonly<Record<Extract<ProbeResult, { kind: 'unreachable' }>['reason'], Omit<MountVerdict, 'ok'>>> =
  {
    absent: { reason: 'There is no such folder.', remedy: 'Create or mount it, or choose another one.' },
    'not-a-directory': { reason: 'This is not a folder.', remedy: 'Choose the folder where the storage is mounted.' },
    unreadable: {
      reason: 'The folder cannot be read.',
      remedy: 'Give the user of this program permission to read it, or choose another one.',
    },
    hung: {
      reason: 'The folder does not answer.',
      remedy: 'Check the file server and the network to it, then test again.',
    },
  };
