import type { FileStorageSettings, MetadataValues } from '../../../iconik/api.ts';
import { directoryOf, nameOf, pathKey } from '../../../storage/storage-path.ts';

/** What an asset gets besides its files: tags, permissions, places in collections. Pure. */

/** Marks the collection that holds one collection for each storage (reference A.6). */
export const ROOT_EXTERNAL_ID = 'ebb41a68-e4cb-11e7-af85-f45c89b15ba1';
/** Title of that collection. */
const ROOT_TITLE = 'Storage Gateways';
/** Permissions that the access group of a storage gets. Which ones iconik itself gives is not published. */
export const GROUP_PERMISSIONS = ['read', 'write'] as const;

/** One collection on the way from the root to a folder. */
export interface CollectionStep {
  externalId: string;
  title: string;
  /** The storage's own collection carries its id. */
  storageId: string | null;
}

/**
 * The collections that mirror a folder, outermost first: the common root, the storage's, and one for each folder. External
 * ids are the storage's id and the path below it in NFC, so that every node comes to the same ones.
 */
export function collectionSteps(storage: { id: string; name: string }, folder: string): CollectionStep[] {
  const segments = folder === '' ? [] : pathKey(folder).split('/');
  const folders = segments.map((title, at) => ({
    externalId: `${storage.id}/${segments.slice(0, at + 1).join('/')}`,
    title,
    storageId: null,
  }));
  return [
    { externalId: ROOT_EXTERNAL_ID, title: ROOT_TITLE, storageId: null },
    { externalId: `${storage.id}/`, title: storage.name || storage.id, storageId: storage.id },
    ...folders,
  ];
}

/** The names of a file's folders as values of the storage's tag field, or null when it has none or wants none. */
export function folderTags(
  path: string,
  settings: FileStorageSettings,
): { viewId: string; values: MetadataValues } | null {
  const field = settings.folder_name_tags_metadata_field_name;
  const viewId = settings.folder_name_tags_metadata_view_id;
  const names = [
    ...new Set(
      pathKey(directoryOf(path))
        .split('/')
        .filter((name) => name !== ''),
    ),
  ];
  if (!field || !viewId || names.length === 0) return null;
  return { viewId, values: { [field]: { field_values: names.map((value) => ({ value })) } } };
}

/** The entry of an asset's history that tells of a file's ingest. */
export function historyBody(
  path: string,
  storageName: string,
  what: 'first' | 'version' | 'copy',
): Record<string, unknown> {
  const types = { first: 'ADD_FORMAT', version: 'VERSION_CREATE', copy: 'MODIFY_FILESET' };
  return {
    operation_type: types[what],
    operation_description: `${nameOf(path)} ingested from ${storageName}: ${path}`,
  };
}
