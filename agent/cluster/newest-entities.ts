import type { Storage, StorageGatewayCluster } from '../iconik/api.ts';
import type { Entities } from './entities.ts';

interface Dated {
  id: string;
  date_modified: string | null;
}

/** Whether `copy` was changed in iconik after `own`; unknown dates are never newer. */
function isNewer(copy: Dated, own: Dated): boolean {
  const at = (entity: Dated): number => Date.parse(entity.date_modified ?? '') || 0;
  return at(copy) > at(own);
}

// Kept copies lack what is secret: the URI of the database and the headers of converters stay as they were last read.
function newestCluster(own: StorageGatewayCluster | null, copy: StorageGatewayCluster | null) {
  if (own === null || copy === null || own.id !== copy.id || !isNewer(copy, own)) return own;
  return { ...copy, db_connection_uri: own.db_connection_uri };
}

function newestStorage(own: Storage | undefined, copy: Storage | undefined): Storage | undefined {
  if (own === undefined || copy === undefined) return own ?? copy;
  if (!isNewer(copy, own)) return own;
  const headers = Object.entries(own.settings).filter(([name]) => name === 'metadata_conversion_url_headers');
  return { ...copy, settings: { ...copy.settings, ...Object.fromEntries(headers) } };
}

/**
 * What a node works by while iconik is away: of each entity the newer one (`date_modified`) of what it read itself and of
 * what any node has kept in the database. Answers `own` itself when nothing there is newer. Pure.
 */
export function newestEntities(own: Entities, copy: Entities): Entities {
  const gateway = isNewer(copy.gateway, own.gateway) ? copy.gateway : own.gateway;
  const cluster = newestCluster(own.cluster, copy.cluster);
  const ids = new Set([...Object.keys(gateway.storages), ...(cluster?.storage_ids ?? [])]);
  const found = [...ids].map((id) => newestStorage(own.storages.get(id), copy.storages.get(id)));
  const storages = new Map(found.flatMap((storage) => (storage ? [[storage.id, storage] as const] : [])));
  const isSame =
    gateway === own.gateway &&
    cluster === own.cluster &&
    storages.size === own.storages.size &&
    [...storages].every(([id, storage]) => own.storages.get(id) === storage);
  return isSame ? own : { ...own, gateway, cluster, storages };
}
