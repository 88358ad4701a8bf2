import type { Collection } from '../../../iconik/api.ts';
import { createLiving } from '../../../iconik/creation/create-living.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { CollectionStep } from './decoration-plan.ts';
import { collectionSteps, ROOT_EXTERNAL_ID } from './decoration-plan.ts';
import type { IngestContext } from './ingest-context.ts';
import { leaderRight } from './ingest-context.ts';

/** More are forgotten and asked for again. */
const MOST_KNOWN = 20_000;

const isLiving = (collection: Collection): boolean => collection.status !== 'DELETED';

async function findCollection(
  context: IngestContext,
  step: CollectionStep,
  parentId: string | null,
): Promise<Collection | null> {
  const { api, leadership } = context;
  const limits = { signal: leadership.signal };
  const listed =
    parentId === null
      ? await api.collections.roots(limits)
      : await api.collections.childrenWithExternalId(parentId, step.externalId, limits);
  return listed.find((one) => one.external_id === step.externalId && isLiving(one)) ?? null;
}

async function livingCollection(context: IngestContext, id: string): Promise<boolean> {
  try {
    return isLiving(await context.api.collections.get(id, { signal: context.leadership.signal }));
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') return false;
    throw thrown;
  }
}

/** The collection of one step: looked for by its external id, and made once when there is none. */
async function ensureCollection(
  context: IngestContext,
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
  return createLiving(context.createOnce, leaderRight(context), {
    kind: 'collection',
    key: step.externalId === ROOT_EXTERNAL_ID ? step.externalId : `${parentId}/${step.externalId}`,
    create: (signal) => context.api.collections.create(body, { signal }),
    find: () => findCollection(context, step, parentId),
    isUsable: (id) => livingCollection(context, id),
  });
}

/**
 * Puts an asset into the collection that mirrors a folder of its storage; the collections on the way are made if they are
 * not there. Known ones are not asked for again until iconik says that one is gone.
 */
export async function mirrorFolder(
  context: IngestContext,
  asset: { assetId: string; folder: string; inCollections: readonly string[] },
): Promise<void> {
  const { storage, collections: known, api, leadership } = context;
  let parentId: string | null = null;
  for (const step of collectionSteps(storage, asset.folder)) {
    const id: string = known.get(step.externalId) ?? (await ensureCollection(context, step, parentId));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(step.externalId, id);
    parentId = id;
  }
  if (parentId === null || asset.inCollections.includes(parentId)) return;
  leadership.assertTrusted();
  try {
    await api.collections.putAsset(parentId, asset.assetId, { signal: leadership.signal });
  } catch (thrown) {
    // Deleted since it was looked up: all are looked for anew.
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') known.clear();
    throw thrown;
  }
}
