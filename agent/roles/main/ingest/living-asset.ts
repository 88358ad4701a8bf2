import type { Asset } from '../../../iconik/api.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { IngestContext } from './ingest-context.ts';

/** The asset, or null when it was deleted. */
export async function livingAsset(context: IngestContext, assetId: string): Promise<Asset | null> {
  try {
    const asset = await context.api.assets.get(assetId, { signal: context.leadership.signal });
    return asset.status === 'DELETED' ? null : asset;
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') return null;
    throw thrown;
  }
}
