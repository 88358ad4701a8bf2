import type { IngestRow } from '../../../db/queries/ingest.ts';
import { assetsWithContent, hasRecentFileIntent, pathsWithContent, useOfAsset } from '../../../db/queries/ingest.ts';
import { recordsOfOthers } from '../../../db/queries/moved-file.ts';
import type { Asset } from '../../../iconik/api.ts';
import { createLiving } from '../../../iconik/creation/create-living.ts';
import { findAsset } from '../../../iconik/creation/find.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';
import type { IngestContext } from './ingest-context.ts';
import { leaderRight } from './ingest-context.ts';
import type { CompleteIds } from './ingest-plan.ts';
import { adoptableIds, assetBody, assetIdentity, assetTitle, fileKey, isLivingRecord } from './ingest-plan.ts';
import { joinVersion } from './join-version.ts';
import { livingAsset } from './living-asset.ts';
import { takeFormer } from './take-former.ts';

/** Search results of iconik may be this old; within it a record that we know to exist is waited for. */
const SEARCH_LAG_S = 60;
const SEARCH_RETRY_MS = 3000;

/** Which asset a file belongs to. */
export type AssetChoice =
  /** iconik has a record for this very file: it is ours to keep up to date. */
  | { kind: 'adopted'; ids: CompleteIds }
  /** The file has moved or was renamed: its record has taken this row's place already. */
  | { kind: 'moved'; row: IngestRow }
  | { kind: 'asset'; assetId: string; versionId: string };

function versionOf(asset: Asset, preferred: string | null): string {
  const version = preferred ?? asset.versions[0]?.id;
  if (version !== undefined) return version;
  throw new IsgError(
    'iconik-answer-unreadable',
    'iconik named no version of the asset; the file is tried again later.',
    {
      retry: 'transient',
      fields: { assetId: asset.id },
    },
  );
}

/** The record that iconik has for this file already (made by a download, an older gateway, or before the index was lost). */
async function adoptRecord(context: IngestContext, row: IngestRow): Promise<AssetChoice | null> {
  const at = { directoryPath: directoryOf(row.path), name: nameOf(row.path) };
  const shown = await context.api.storages.findFiles(row.storageId, at, { signal: context.leadership.signal });
  const held = await recordsOfOthers(
    context.database,
    row,
    shown.map(({ id }) => id),
  );
  const records = shown.filter(({ id }) => !held.has(id));
  for (const record of records) {
    const ids = adoptableIds(record);
    const asset = ids === null ? null : await livingAsset(context, ids.assetId);
    if (ids !== null && asset !== null) {
      return { kind: 'adopted', ids: { ...ids, versionId: versionOf(asset, ids.versionId) } };
    }
  }
  if (records.length === 0 && (await hasRecentFileIntent(context.database, row, fileKey(row), SEARCH_LAG_S))) {
    throw new IsgError(
      'creation-in-doubt',
      'A record of this file was created just now; it is waited for until iconik shows it.',
      {
        retry: 'transient',
        fields: { retryAfterMs: SEARCH_RETRY_MS },
      },
    );
  }
  return null;
}

/** An asset that has this content already: by our own index first, then by iconik's. */
async function aggregate(
  context: IngestContext,
  row: IngestRow,
  onlyStorageId: string | null,
): Promise<AssetChoice | null> {
  const known = await assetsWithContent(context.database, row, onlyStorageId);
  for (const sibling of known) {
    const asset = await livingAsset(context, sibling.assetId);
    if (asset !== null) {
      return { kind: 'asset', assetId: asset.id, versionId: versionOf(asset, sibling.versionId) };
    }
  }
  const records = await context.api.files.byChecksum(row.md5, { signal: context.leadership.signal });
  for (const record of records.filter(isLivingRecord)) {
    if (record.asset_id === null || (onlyStorageId !== null && record.storage_id !== onlyStorageId)) continue;
    const asset = await livingAsset(context, record.asset_id);
    if (asset !== null) return { kind: 'asset', assetId: asset.id, versionId: versionOf(asset, record.version_id) };
  }
  return null;
}

/**
 * Whether an asset that an earlier attempt created for this key may be taken: not when it was deleted since, nor when it
 * holds another content by now (its file was modified, or is gone and the asset lives on with other copies).
 */
async function mayTakeAsset(
  context: IngestContext,
  row: IngestRow,
  asset: Asset,
  isAggregated: boolean,
): Promise<boolean> {
  const use = await useOfAsset(context.database, asset.id, row);
  if (isAggregated && use.same > 0) return true;
  if (use.same + use.other > 0) return false;
  const records = await context.api.files.assetFiles(asset.id, { signal: context.leadership.signal });
  const living = records.filter((record) => record.status !== 'DELETED');
  return living.length === 0 || (isAggregated && living.some((record) => record.checksum === row.md5));
}

async function possibleTitles(context: IngestContext, row: IngestRow, isAggregated: boolean): Promise<Set<string>> {
  const paths = isAggregated ? await pathsWithContent(context.database, row.md5) : [];
  return new Set([row.path, ...paths].map((path) => assetTitle(path, context.storage.settings)));
}

async function createAsset(context: IngestContext, row: IngestRow): Promise<AssetChoice> {
  const { api, storage } = context;
  const limits = { signal: context.leadership.signal };
  const identity = assetIdentity(row, storage.settings);
  let asset: Asset | null = null;
  const assetId = await createLiving(context.createOnce, leaderRight(context), {
    kind: 'asset',
    key: identity.key,
    create: async (signal) => {
      asset = await api.assets.create(assetBody(row, storage.settings), { signal });
      return asset;
    },
    find: async (attempt) => {
      const userId = await api.users.currentId(limits);
      // The doubtful request may have been made for another file of this content, under that file's title.
      for (const title of await possibleTitles(context, row, identity.isAggregated)) {
        const found = await findAsset(api, { ...attempt, title, userId }, limits);
        if (found !== null) return found;
      }
      return null;
    },
    isUsable: async (id) => {
      asset = await livingAsset(context, id);
      if (asset === null || identity.directory !== null) return asset !== null;
      return mayTakeAsset(context, row, asset, identity.isAggregated);
    },
  });
  const known: Asset = asset ?? (await api.assets.get(assetId, limits));
  return { kind: 'asset', assetId, versionId: versionOf(known, null) };
}

/** Finds the asset of a file: by storage and path, by the file it used to be, by content when the storage
 * aggregates, by the version before it, else a new one (reference A.6). */
export async function chooseAsset(context: IngestContext, row: IngestRow): Promise<AssetChoice> {
  const adopted = await adoptRecord(context, row);
  if (adopted !== null) return adopted;
  const identity = assetIdentity(row, context.storage.settings);
  const moved = await takeFormer(context, row, identity.key);
  if (moved !== null) return { kind: 'moved', row: moved };
  const shared = identity.isAggregated ? await aggregate(context, row, identity.onlyStorageId) : null;
  if (shared !== null) return shared;
  const version = identity.directory === null ? await joinVersion(context, row) : null;
  return version === null ? createAsset(context, row) : { kind: 'asset', ...version };
}
