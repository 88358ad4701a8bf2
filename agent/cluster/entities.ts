import { z } from 'zod';
import { roleSchema } from '../contract/index.ts';
import { keepEntity, keptEntity } from '../db/queries/entity.ts';
import type { FileStorageSettings, IconikApi, Storage, StorageGateway, StorageGatewayCluster } from '../iconik/api.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { Sql } from '../runtime/sql.ts';
import { newestEntities } from './newest-entities.ts';

/** The entities a node works by. */
export interface Entities {
  gateway: StorageGateway;
  /** Null for a gateway without cluster. `db_connection_uri` is empty when read from the kept copy. */
  cluster: StorageGatewayCluster | null;
  /** FILE storages this node mounts, by id. */
  storages: ReadonlyMap<string, Storage>;
  /** True when iconik was away and the copies of the database were used. */
  fromCopy: boolean;
}

/** Reads gateway, cluster and storages from iconik. Throws what the client throws (`iconik-not-found`, …). */
export async function fetchEntities(api: IconikApi, storageGatewayId: string): Promise<Entities> {
  const gateway = await api.gateways.get(storageGatewayId);
  const cluster = gateway.cluster_id ? await api.clusters.get(gateway.cluster_id) : null;
  const ids = new Set([...Object.keys(gateway.storages), ...(cluster?.storage_ids ?? [])]);
  const storages = await Promise.all([...ids].map((id) => storageUnlessDeleted(api, id)));
  return { gateway, cluster, storages: fileStorages(storages.flat()), fromCopy: false };
}

// Gateway and cluster may go on naming a storage that was deleted; it must not hide every other change from the node.
async function storageUnlessDeleted(api: IconikApi, id: string): Promise<Storage[]> {
  try {
    return [await api.storages.get(id)];
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.code === 'iconik-not-found' && error.fields.fromIconik === true) return [];
    throw error;
  }
}

const fileStorages = (storages: readonly Storage[]): Map<string, Storage> =>
  new Map(storages.filter((storage) => storage.method === 'FILE').map((storage) => [storage.id, storage]));

/** Mount point of a storage on this node: the gateway's map first, the storage's own setting otherwise (reference C.7). */
export function mountPointOf(entities: Entities, storage: Storage): string | null {
  return entities.gateway.storages[storage.id]?.mount_point ?? storage.settings.mount_point ?? null;
}

// The database password must not be kept, nor the headers of a metadata converter, which hold a token.
const withoutUri = (cluster: StorageGatewayCluster) => ({ ...cluster, db_connection_uri: '' });
const withoutHeaders = (storage: Storage) => ({
  ...storage,
  settings: { ...storage.settings, metadata_conversion_url_headers: undefined },
});

/** Keeps copies for times when iconik is away. */
async function keepEntities(sql: Sql, { gateway, cluster, storages }: Entities): Promise<void> {
  const keep = (
    kind: 'storage_gateway' | 'cluster' | 'storage',
    entity: { id: string; date_modified: string | null },
  ) => keepEntity(sql, { kind, id: entity.id, body: { ...entity }, dateModified: entity.date_modified });
  await keep('storage_gateway', gateway);
  if (cluster) await keep('cluster', withoutUri(cluster));
  for (const storage of storages.values()) await keep('storage', withoutHeaders(storage));
}

const nullableText = z.string().nullable();
const keptGateway = z.looseObject({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  cluster_id: nullableText,
  roles: z.array(roleSchema),
  storages: z.record(z.string(), z.object({ mount_point: z.string() })),
  settings: z.record(z.string(), z.number().nullable()),
  date_modified: nullableText,
});
const keptCluster = z.looseObject({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  db_connection_uri: z.string(),
  storage_ids: z.array(z.string()),
  visibility_timeout: z.number(),
  settings: z.record(z.string(), z.number().nullable()),
  leader_id: nullableText,
  date_modified: nullableText,
});
const keptStorage = z.looseObject({
  id: z.string(),
  name: z.string(),
  method: z.string(),
  purpose: z.string(),
  status: nullableText,
  settings: z.custom<FileStorageSettings>((value) => typeof value === 'object' && value !== null),
  date_modified: nullableText,
});

/** The kept copies, or null when there are none of this gateway. */
export async function entitiesFromCopy(sql: Sql, storageGatewayId: string): Promise<Entities | null> {
  const gateway = keptGateway.safeParse(await keptEntity(sql, 'storage_gateway', storageGatewayId)).data;
  if (!gateway) return null;
  const cluster = gateway.cluster_id
    ? (keptCluster.safeParse(await keptEntity(sql, 'cluster', gateway.cluster_id)).data ?? null)
    : null;
  const ids = new Set([...Object.keys(gateway.storages), ...(cluster?.storage_ids ?? [])]);
  const storages: Storage[] = [];
  for (const id of ids) {
    const storage = keptStorage.safeParse(await keptEntity(sql, 'storage', id)).data;
    if (storage) storages.push(storage);
  }
  return { gateway, cluster, storages: fileStorages(storages), fromCopy: true };
}

/** What an entity watch needs. */
export interface EntityWatchOptions {
  api: IconikApi;
  database: Sql;
  storageGatewayId: string;
  first: Entities;
  clock: Clock;
  log: Logger;
  /** Told after each successful read, changed or not. */
  onRead(entities: Entities): void;
  /** Told when another node has kept something newer while iconik did not answer this one. */
  onNewerCopy(entities: Entities): void;
  /** Poll period; changes must reach running nodes within 10 s. */
  pollMs?: number;
}

/** Polls the entities, so that changes of roles, storages, settings and `enabled` reach the running node. */
export class EntityWatch implements Service {
  readonly #options: Required<EntityWatchOptions>;
  readonly #life = new AbortController();
  #current: Entities;
  #loop: Promise<void> | null = null;
  #reading: Promise<void> = Promise.resolve();
  #trouble = '';

  constructor(options: EntityWatchOptions) {
    this.#options = { pollMs: 5_000, ...options };
    this.#current = options.first;
  }

  current(): Entities {
    return this.#current;
  }

  async start(): Promise<void> {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  /** Reads after any read in progress, so that what was just changed in iconik is seen; never throws. */
  readNow(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  async #run(): Promise<void> {
    const { clock, pollMs } = this.#options;
    while (!this.#life.signal.aborted) {
      await this.readNow();
      await clock.sleep(pollMs, this.#life.signal).catch(() => {});
    }
  }

  async #read(): Promise<void> {
    const { api, database, storageGatewayId, onRead, log } = this.#options;
    try {
      this.#current = await fetchEntities(api, storageGatewayId);
      this.#trouble = '';
      onRead(this.#current);
      await keepEntities(database, this.#current);
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble)
        log.warn('Gateway, cluster and storages could not be read; the last copy counts', { error: message });
      this.#trouble = message;
      await this.#followCopies();
    }
  }

  // All nodes are to use one `enabled` and one `visibility_timeout`: the newest that any of them has seen.
  async #followCopies(): Promise<void> {
    const { database, storageGatewayId, onNewerCopy, log } = this.#options;
    try {
      const copy = await entitiesFromCopy(database, storageGatewayId);
      if (copy === null) return;
      const newest = newestEntities(this.#current, copy);
      if (newest === this.#current) return;
      this.#current = newest;
      log.info('Another node has read newer settings from iconik; they count for this node, too');
      onNewerCopy(newest);
    } catch {
      // ignored because that the database is away is said by its own check; what was read last goes on to count
    }
  }
}
