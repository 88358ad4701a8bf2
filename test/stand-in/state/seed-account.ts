import { randomUUID } from 'node:crypto';
import { freshDates, type IconikState } from './iconik-state.ts';

type CloudMethod = 'S3' | 'GCS' | 'AZURE' | 'B2';

/** Cloud storages by purpose: FILES, PROXIES, KEYFRAMES. */
export interface CloudStorages {
  filesId: string;
  proxiesId: string;
  keyframesId: string;
}

/** A FILE storage of the account. */
interface SeededStorage {
  name: string;
  /** Absolute path as the nodes see it. */
  mountPoint: string;
  /** On top of the defaults (`DEFAULT_FILE_SETTINGS`); a function gets the cloud storages, for `remote_storage_id`. */
  settings?: Record<string, unknown> | ((cloud: CloudStorages) => Record<string, unknown>);
}

/** A node of the cluster. */
interface SeededGateway {
  name: string;
  roles: string[];
  enabled?: boolean;
  settings?: Record<string, number>;
  /** Mount point per storage name, where it differs from the storage's own. */
  mountPoints?: Record<string, string>;
}

/** One cluster with its storages and nodes. */
export interface SeedOptions {
  storages: SeededStorage[];
  gateways: SeededGateway[];
  /** Empty = none. */
  dbConnectionUri?: string;
  clusterSettings?: Record<string, number>;
  visibilityTimeout?: number;
  /** How the cloud storages take bytes; originals by S3, proxies and keyframes by GCS unless said otherwise. */
  cloud?: { files?: CloudMethod; proxies?: CloudMethod; keyframes?: CloudMethod };
  /** Settings of the cloud storages, on top of the defaults. */
  cloudSettings?: Record<string, unknown>;
}

/** Ids of what was seeded, in the order of the options. */
export interface SeededAccount {
  clusterId: string;
  storageIds: string[];
  gatewayIds: string[];
  cloud: CloudStorages;
}

/** Settings of a FILE storage unless the caller says otherwise: quick scans, everything on that the first slice does. */
const DEFAULT_FILE_SETTINGS = {
  scan: true,
  read: true,
  write: true,
  delete: true,
  scan_interval_seconds: 1,
  growing_files_threshold: 2,
  local_proxy_creation: true,
  local_keyframe_creation: true,
  aggregate_identical_files: true,
  title_includes_extension: true,
};

/** What only a storage of this kind has. */
const CLOUD_SETTINGS: Record<CloudMethod, Record<string, unknown>> = {
  S3: { region: 'eu-north-1', endpoint: '' },
  GCS: { project: 'stand-in' },
  AZURE: {},
  B2: {},
};

function seedCloudStorage(
  state: IconikState,
  purpose: string,
  kind: { method: CloudMethod; own: Record<string, unknown> },
): string {
  const { method, own } = kind;
  const bucket = `${purpose.toLowerCase()}-bucket`;
  const settings = { bucket, path: '', ...CLOUD_SETTINGS[method], ...own };
  const named = { id: randomUUID(), name: `${purpose} in the cloud`, purpose, method, status: 'ACTIVE' };
  return state.storages.insert({ ...named, default: true, settings, ...freshDates(state) }).id;
}

function seedFileStorage(state: IconikState, storage: SeededStorage, cloud: CloudStorages): string {
  const own = typeof storage.settings === 'function' ? storage.settings(cloud) : storage.settings;
  const settings = { ...DEFAULT_FILE_SETTINGS, ...own, mount_point: storage.mountPoint };
  const named = { id: randomUUID(), name: storage.name, purpose: 'FILES', method: 'FILE', status: 'ACTIVE' };
  const { id } = state.storages.insert({ ...named, default: false, settings, ...freshDates(state) });
  for (const type of ['FFMPEG', 'IMAGEMAGICK']) {
    const profile = { local: true, priority: 5, include_patterns: [], exclude_patterns: [] };
    state.transcoders.insert({
      id: randomUUID(),
      storage_id: id,
      name: `${type} on the gateway`,
      type,
      settings: profile,
    });
  }
  return id;
}

/** Puts one cluster with storages and nodes into the account, and cloud storages unless an earlier call made them. */
export function seedInto(state: IconikState, options: SeedOptions): SeededAccount {
  const cloudId = (purpose: string, method: CloudMethod): string =>
    state.storages.where({ purpose, method })[0]?.id ??
    seedCloudStorage(state, purpose, { method, own: options.cloudSettings ?? {} });
  const cloud = {
    filesId: cloudId('FILES', options.cloud?.files ?? 'S3'),
    proxiesId: cloudId('PROXIES', options.cloud?.proxies ?? 'GCS'),
    keyframesId: cloudId('KEYFRAMES', options.cloud?.keyframes ?? 'GCS'),
  };
  const storageIds = options.storages.map((storage) => seedFileStorage(state, storage, cloud));
  const cluster = state.clusters.insert({
    id: randomUUID(),
    name: 'cluster',
    enabled: true,
    db_connection_uri: options.dbConnectionUri ?? '',
    storage_ids: storageIds,
    visibility_timeout: options.visibilityTimeout ?? 3600,
    settings: options.clusterSettings ?? {},
    leader_id: null,
    ...freshDates(state),
  });
  const gatewayIds = options.gateways.map((gateway) => {
    const mounts = options.storages.map((storage, index): [string, { mount_point: string }] => [
      storageIds[index] ?? '',
      { mount_point: gateway.mountPoints?.[storage.name] ?? storage.mountPoint },
    ]);
    const named = {
      id: randomUUID(),
      name: gateway.name,
      enabled: gateway.enabled ?? true,
      cluster_id: cluster.id,
      roles: gateway.roles,
    };
    return state.gateways.insert({
      ...named,
      settings: gateway.settings ?? {},
      storages: Object.fromEntries(mounts),
      ...freshDates(state),
    }).id;
  });
  return { clusterId: cluster.id, storageIds, gatewayIds, cloud };
}
