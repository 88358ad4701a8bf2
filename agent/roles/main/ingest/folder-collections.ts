import type { Collection, IconikApi, Storage } from '../../../iconik/api.ts';
import { type CreationRight, createLiving } from '../../../iconik/creation/create-living.ts';
import type { CreateOnce } from '../../../iconik/creation/create-once.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { CollectionStep } from './decoration-plan.ts';
import { collectionSteps, ROOT_EXTERNAL_ID } from './decoration-plan.ts';
import type { KnownCollections } from './ingest-context.ts';

/** More are forgotten and asked for again. */
const MOST_KNOWN = 20_000;

/** What mirroring needs: under a leadership while files are ingested, under a lease when iconik orders the mapping. */
export interface MirrorContext {
  api: { collections: IconikApi['collections'] };
  createOnce: CreateOnce;
  right: CreationRight;
  storage: Pick<Storage, 'id' | 'name'>;
  /** Collections known so far; filled here. */
  collections: KnownCollections;
  signal: AbortSignal;
}

const isLiving = (collection: Collection): boolean => collection.status !== 'DELETED';

async function findCollection(
  context: MirrorContext,
  step: CollectionStep,
  parentId: string | null,
): Promise<Collection | null> {
  const { api, signal } = context;
  const limits = { signal };
  const listed =
    parentId === null
      ? await api.collections.roots(limits)
      : await api.collections.childrenWithExternalId(parentId, step.externalId, limits);
  return listed.find((one) => one.external_id === step.externalId && isLiving(one)) ?? null;
}

async function livingCollection(context: MirrorContext, id: string): Promise<boolean> {
  try {
    return isLiving(await context.api.collections.get(id, { signal: context.signal }));
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') return false;
    throw thrown;
  }
}

/** The collection of one step: looked for by its external id, and made once when there is none. */
async function ensureCollection(
  context: MirrorContext,
  step: CollectionStep,
  parentId: string | null,
): Promise<string> {
  const found = await findCollection(context, step, parentId);
  if (found !== null) return found.id;
  const body = {
    title: step.title,
    external_id: step.externalId,
    ...(parentId === null ? {} : { parent_id: parentId }),
    ...(step.storageId === null ? {} : { storage_id: step.storageId }),
  };
  return createLiving(context.createOnce, context.right, {
    kind: 'collection',
    key: step.externalId === ROOT_EXTERNAL_ID ? step.externalId : `${parentId}/${step.externalId}`,
    create: (signal) => context.api.collections.create(body, { signal }),
    find: () => findCollection(context, step, parentId),
    isUsable: (id) => livingCollection(context, id),
  });
}

/** The collection of a folder; those on the way are made if they are not there. Known ones are not asked for again. */
async function collectionOf(context: MirrorContext, folder: string): Promise<string | null> {
  const { storage, collections: known } = context;
  let parentId: string | null = null;
  for (const step of collectionSteps(storage, folder)) {
    const id: string = known.get(step.externalId) ?? (await ensureCollection(context, step, parentId));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(step.externalId, id);
    parentId = id;
  }
  return parentId;
}

/**
 * Makes the collections that mirror a folder of a storage, as far as they lack, and puts an asset into the innermost, if
 * one is given that is not in it. When iconik does not have one of the known collections any more, all are forgotten and
 * the error is transient: the next attempt makes them anew.
 */
export async function mirrorFolder(
  context: MirrorContext,
  folder: string,
  asset: { assetId: string; inCollections: readonly string[] } | null,
): Promise<void> {
  const { collections: known, api, right, signal } = context;
  const isFromMemory = known.size > 0;
  try {
    const id = await collectionOf(context, folder);
    if (id === null || asset === null || asset.inCollections.includes(id)) return;
    right.assertAllowed();
    await api.collections.putAsset(id, asset.assetId, { signal });
  } catch (thrown) {
    if (!isFromMemory || !(thrown instanceof IsgError) || thrown.code !== 'iconik-not-found') throw thrown;
    known.clear();
    const message = 'A collection that mirrors a folder is gone from iconik; it is looked for anew.';
    throw new IsgError('iconik-not-found', message, { retry: 'transient', cause: thrown });
  }
}
