import type { IconikApi, Storage } from '../../../iconik/api.ts';
import type { CreationRight } from '../../../iconik/creation/create-living.ts';
import type { CreateOnce } from '../../../iconik/creation/create-once.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { directoryOf } from '../../../storage/storage-path.ts';
import type { CollectionMapper } from '../queues/event-job-handlers.ts';
import { mirrorFolder } from './folder-collections.ts';
import type { KnownCollections } from './ingest-context.ts';

/** What mapping needs. */
export interface CollectionMapperDeps {
  api: { assets: Pick<IconikApi['assets'], 'get'>; collections: IconikApi['collections'] };
  createOnce: CreateOnce;
}

/** Collections of an asset; null for one that iconik does not have any more. */
async function collectionsOfAsset(
  api: CollectionMapperDeps['api'],
  assetId: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  try {
    return (await api.assets.get(assetId, { signal })).in_collections;
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') return null;
    throw thrown;
  }
}

/**
 * Maps folders to collections on iconik's order, as ingest does for each file: the same external ids, the same intents, so
 * that both together make each collection once. What one attempt of a job has found is remembered as long as its signal.
 */
export function createCollectionMapper({ api, createOnce }: CollectionMapperDeps): CollectionMapper {
  const knownByAttempt = new WeakMap<AbortSignal, Map<string, KnownCollections>>();

  function mirrorOf(storage: Storage, right: CreationRight, signal: AbortSignal) {
    const byStorage = knownByAttempt.get(signal) ?? new Map<string, KnownCollections>();
    knownByAttempt.set(signal, byStorage);
    const collections: KnownCollections = byStorage.get(storage.id) ?? new Map();
    byStorage.set(storage.id, collections);
    return { api, createOnce, right, storage, collections, signal };
  }

  return {
    async place({ storage, path, assetId }, right, signal) {
      const inCollections = await collectionsOfAsset(api, assetId, signal);
      if (inCollections === null) return;
      await mirrorFolder(mirrorOf(storage, right, signal), directoryOf(path), { assetId, inCollections });
    },
    mirror: ({ storage, folder }, right, signal) => mirrorFolder(mirrorOf(storage, right, signal), folder, null),
  };
}
