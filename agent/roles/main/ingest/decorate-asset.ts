import { isAddedVersion } from '../../../db/queries/asset-version.ts';
import type { IngestRow, PlaceInAsset } from '../../../db/queries/ingest.ts';
import type { ErrorRecord } from '../../../runtime/errors.ts';
import { coerceError, errorRecord } from '../../../runtime/errors.ts';
import { directoryOf } from '../../../storage/storage-path.ts';
import { folderTags, GROUP_PERMISSIONS, historyBody } from './decoration-plan.ts';
import { mirrorFolder } from './folder-collections.ts';
import type { IngestContext } from './ingest-context.ts';
import { createFenced, leaderRight } from './ingest-context.ts';
import type { CompleteIds } from './ingest-plan.ts';
import { applySidecar } from './sidecar.ts';

/**
 * Runs one decoration. What iconik refuses for good must not hold up a file: it is said once for this leadership and
 * counted, and the ingest goes on. Anything that may pass (outage, doubt, lost leadership) is thrown: the row is repeated.
 */
async function tryDecoration(context: IngestContext, what: string, decorate: () => Promise<void>): Promise<void> {
  context.leadership.assertTrusted();
  try {
    await decorate();
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.retry !== 'permanent' || error.code === 'iconik-unauthorized') throw thrown;
    const words = `${what} could not be done: ${error.message} Files are ingested without it; check the settings of the storage in iconik.`;
    context.sayOnce(`${context.storage.id} ${what} ${error.code}`, words, { storageId: context.storage.id });
  }
}

async function givePermissions(context: IngestContext, assetId: string): Promise<void> {
  const { acl_template_id: templateId, access_group_id: groupId } = context.storage.settings;
  const { acls } = context.api;
  const limits = { signal: context.leadership.signal };
  if (templateId) {
    await tryDecoration(context, 'Applying the permission template', () =>
      acls.postTemplate(templateId, assetId, limits),
    );
  }
  if (groupId) {
    await tryDecoration(context, 'Giving the access group its permissions', () =>
      acls.putGroup(groupId, assetId, GROUP_PERMISSIONS, limits),
    );
  }
}

async function writeTags(context: IngestContext, row: IngestRow, assetId: string): Promise<void> {
  const { settings, id } = context.storage;
  if (settings.folder_name_tags_metadata_field_name && !settings.folder_name_tags_metadata_view_id) {
    const words = 'Folder names are not written as tags: the storage names a field, but no metadata view for it.';
    context.sayOnce(`${id} tags without view`, words, { storageId: id });
  }
  const tags = folderTags(row.path, settings);
  if (tags === null) return;
  const limits = { signal: context.leadership.signal };
  await tryDecoration(context, 'Writing folder names as tags', () =>
    context.api.metadata.putAssetValues(assetId, tags.viewId, tags.values, limits),
  );
}

/** Puts an asset into the collection of a file's folder, if the storage mirrors folders. */
export async function joinCollection(context: IngestContext, row: IngestRow, assetId: string): Promise<void> {
  if (context.storage.settings.enable_collection_directory_mapping !== true) return;
  await tryDecoration(context, 'Mirroring folders as collections', async () => {
    const { signal } = context.leadership;
    const asset = await context.api.assets.get(assetId, { signal });
    const mirror = { ...context, right: leaderRight(context), signal };
    await mirrorFolder(mirror, directoryOf(row.path), { assetId, inCollections: asset.in_collections });
  });
}

/**
 * Gives the asset of a file what the storage's settings ask for: permissions and tags if it is the first file of an asset
 * of ours, its sidecar's values, and a place in the collection of its folder. All of it may be repeated without harm, so
 * the row needs no checkpoint of its own. Answers what is to be shown at the file, or null.
 */
export async function decorateAsset(
  context: IngestContext,
  row: IngestRow,
  file: { ids: CompleteIds; place: PlaceInAsset },
): Promise<ErrorRecord | null> {
  const { assetId } = file.ids;
  if (file.place === 'first') {
    await givePermissions(context, assetId);
    await writeTags(context, row, assetId);
  }
  await joinCollection(context, row, assetId);
  return applySidecar(context, row, assetId);
}

/**
 * Notes the ingest in the asset's history, once. Never fails: an entry that cannot be written, or whose fate is in doubt,
 * is left out rather than written twice.
 */
export async function writeHistory(
  context: IngestContext,
  row: IngestRow,
  file: { ids: CompleteIds; place: PlaceInAsset },
): Promise<void> {
  const { api, storage, leadership } = context;
  const { ids } = file;
  const isVersion = ids.versionId !== null && (await isAddedVersion(context.database, ids.versionId));
  const what = isVersion ? 'version' : file.place === 'first' ? 'first' : 'copy';
  const body = historyBody(row.path, storage.name || storage.id, what);
  const limits = { signal: leadership.signal };
  try {
    await createFenced(context, {
      kind: 'history',
      key: ids.fileId,
      create: (signal) => api.assets.createHistory(ids.assetId, body, { signal }),
      find: async (attempt) => {
        for (const entry of await api.assets.history(ids.assetId, limits)) {
          const isSame = entry.operation_description === body.operation_description;
          if (isSame && !(await attempt.isTaken(entry.id))) return entry;
        }
        return null;
      },
    });
  } catch (thrown) {
    if (leadership.signal.aborted) throw thrown;
    const words = 'An entry of an asset history could not be written; the file is ingested without it.';
    context.sayOnce(`${storage.id} history`, words, { storageId: storage.id, error: errorRecord(thrown) });
  }
}
