import type { NewJob } from '../../../contract/index.ts';
import type { IconikIds, IngestRow, PlaceInAsset } from '../../../db/queries/ingest.ts';
import type { FileRecord, FileStorageSettings, Storage } from '../../../iconik/api.ts';
import { compilePatterns } from '../../../storage/ignore-patterns.ts';
import { directoryOf, nameOf, pathKey } from '../../../storage/storage-path.ts';
import { filePriority } from '../priority-plan.ts';
import type { ProfileOf } from '../transcoders/transcoder-plan.ts';
import { directoryAssetOf, isRenditionSource } from './directory-plan.ts';
import type { FileSetPlace } from './file-set-plan.ts';
import { isAtPath, placeBody } from './move-plan.ts';

/**
 * What ingest does next and what it sends: pure functions of a row and its storage's settings. The row's ids are the
 * checkpoint: each step fills one in, so whoever takes over goes on where the row says.
 */

/** Name of the format that holds the files as they came (reference A.6). */
export const ORIGINAL = 'ORIGINAL';

/** The next step of a row. */
export type IngestStep =
  /** Find out which asset the file belongs to, or create one. */
  | { kind: 'asset' }
  | { kind: 'format'; assetId: string }
  | { kind: 'file-set'; assetId: string; formatId: string }
  | { kind: 'file'; assetId: string; formatId: string; fileSetId: string }
  /** The file record is new: close it and order what follows. */
  | { kind: 'close'; ids: CompleteIds }
  /** The file had a record before its content was read: bring the record up to date. */
  | { kind: 'update'; ids: CompleteIds };

/** Ids of a row that went through all steps. */
export interface CompleteIds {
  assetId: string;
  versionId: string | null;
  formatId: string;
  fileSetId: string;
  fileId: string;
}

/**
 * The next step. `hashed` with a file id means that the record is older than the content (modified, found again, or adopted);
 * `ingesting` with one means that this ingest created it.
 */
export function nextIngestStep(row: Pick<IngestRow, 'state' | keyof IconikIds>): IngestStep {
  const { assetId, versionId, formatId, fileSetId, fileId } = row;
  if (assetId === null) return { kind: 'asset' };
  if (formatId === null) return { kind: 'format', assetId };
  if (fileSetId === null) return { kind: 'file-set', assetId, formatId };
  if (fileId === null) return { kind: 'file', assetId, formatId, fileSetId };
  const ids = { assetId, versionId, formatId, fileSetId, fileId };
  return row.state === 'hashed' ? { kind: 'update', ids } : { kind: 'close', ids };
}

/** How a file's asset is found and named. */
export interface AssetIdentity {
  /** Natural key of the asset's creation. */
  key: string;
  /** Whether files of the same content share the asset. */
  isAggregated: boolean;
  /** Only files of this storage count when aggregating; null = all. */
  onlyStorageId: string | null;
  /** The directory that is the asset; null when the file is one itself. */
  directory: string | null;
}

const matchesAny = (patterns: readonly string[] | undefined, path: string): boolean =>
  compilePatterns(patterns ?? []).list.matches(path);

/** Whether a file is wanted by a pair of lists: with an include list only what it names, else all that is not ignored. */
export function isSelected(
  path: string,
  lists: { ignore?: string[] | undefined; include?: string[] | undefined },
): boolean {
  const include = (lists.include ?? []).filter((pattern) => pattern.trim() !== '');
  return include.length > 0 ? matchesAny(include, path) : !matchesAny(lists.ignore, path);
}

/** Which asset a file belongs to, by the settings of its storage (reference A.5). */
export function assetIdentity(row: IngestRow, settings: FileStorageSettings): AssetIdentity {
  const directory = directoryAssetOf(row.path, settings);
  if (directory !== null) {
    const key = `directory:${row.storageId}:${pathKey(directory)}`;
    return { key, isAggregated: false, onlyStorageId: null, directory };
  }
  const isAggregated = settings.aggregate_identical_files === true && !matchesAny(settings.aggregate_ignore, row.path);
  if (!isAggregated)
    return { key: `path:${row.storageId}:${row.pathKey}`, isAggregated, onlyStorageId: null, directory };
  const isLocal = settings.aggregate_only_on_same_storage === true;
  const key = isLocal ? `md5:${row.md5}@${row.storageId}` : `md5:${row.md5}`;
  return { key, isAggregated, onlyStorageId: isLocal ? row.storageId : null, directory };
}

/** Natural key of a file record's creation. */
export function fileKey(row: Pick<IngestRow, 'storageId' | 'path'>): string {
  return `${row.storageId}/${directoryOf(row.path)}/${nameOf(row.path)}`;
}

/**
 * Title of a new asset: the file's name in NFC, with or without its extension (with, unless the storage says otherwise), or
 * the name of the directory that is the asset.
 */
export function assetTitle(path: string, settings: FileStorageSettings): string {
  const directory = directoryAssetOf(path, settings);
  if (directory !== null) return nameOf(directory).normalize('NFC');
  const name = nameOf(path).normalize('NFC');
  const dot = name.lastIndexOf('.');
  return settings.title_includes_extension === false && dot > 0 ? name.slice(0, dot) : name;
}

/** Body of an asset's creation (reference C.8). */
export function assetBody(row: IngestRow, settings: FileStorageSettings): Record<string, unknown> {
  const named = directoryAssetOf(row.path, settings) ?? row.path;
  const externalId = settings.filename_is_external_id === true ? { external_id: nameOf(named) } : {};
  return { title: assetTitle(row.path, settings), type: 'ASSET', is_online: true, ...externalId };
}

const versionOf = (versionId: string | null) => (versionId === null ? {} : { version_id: versionId });

/** Body of the format's creation. */
export function formatBody(row: IngestRow): Record<string, unknown> {
  return { name: ORIGINAL, storage_methods: ['FILE'], is_online: true, ...versionOf(row.versionId) };
}

/** Body of the file set's creation. */
export function fileSetBody(row: IngestRow, formatId: string, place: FileSetPlace): Record<string, unknown> {
  return {
    format_id: formatId,
    storage_id: row.storageId,
    base_dir: place.baseDir,
    name: place.name,
    component_ids: [],
    ...versionOf(row.versionId),
  };
}

/** Nanoseconds since the epoch as ISO 8601 in UTC. */
export function isoTime(mtimeNs: string): string {
  return new Date(Number(BigInt(mtimeNs) / 1_000_000n)).toISOString();
}

/** Body of the file record's creation. */
export function fileBody(row: IngestRow, ids: { formatId: string; fileSetId: string }): Record<string, unknown> {
  const name = nameOf(row.path);
  const modified = isoTime(row.mtimeNs);
  return {
    original_name: name,
    // Without a name the server would make one up from the id (reference C.8).
    name,
    directory_path: directoryOf(row.path),
    type: 'FILE',
    status: 'OPEN',
    size: row.sizeBytes,
    checksum: row.md5,
    file_date_created: modified,
    file_date_modified: modified,
    file_set_id: ids.fileSetId,
    format_id: ids.formatId,
    storage_id: row.storageId,
    ...versionOf(row.versionId),
  };
}

/** Body that closes a file record. */
export function closeBody(row: IngestRow): Record<string, unknown> {
  return { status: 'CLOSED', size: row.sizeBytes, checksum: row.md5, file_date_modified: isoTime(row.mtimeNs) };
}

/**
 * Body that brings a record up to date: content, and place if it moved. A file that was shown as missing and is there with
 * the content it had is rediscovered (design 7).
 */
export function updateBody(row: IngestRow, record: FileRecord): Record<string, unknown> {
  const place = isAtPath(record, row.path) ? {} : placeBody(row.path);
  const isFound = record.status === 'MISSING' && record.checksum === row.md5;
  return { ...closeBody(row), ...place, ...(isFound ? { status: 'REDISCOVERED' } : {}) };
}

/** Whether a record already says what the file is and where. */
export function isUpToDate(record: FileRecord, row: IngestRow): boolean {
  const isOpen = record.status !== 'CLOSED' && record.status !== 'REDISCOVERED';
  return !isOpen && record.checksum === row.md5 && record.size === row.sizeBytes && isAtPath(record, row.path);
}

/** A record that stands for a file: not deleted, and part of an asset. */
export function isLivingRecord(record: FileRecord): boolean {
  return record.status !== 'DELETED' && record.asset_id !== null;
}

/** A record whose ids an index row can take over. */
export function adoptableIds(
  record: FileRecord,
): (Omit<CompleteIds, 'versionId'> & { versionId: string | null }) | null {
  const { id, asset_id, version_id, format_id, file_set_id } = record;
  if (!isLivingRecord(record) || asset_id === null || format_id === null || file_set_id === null) return null;
  return { assetId: asset_id, versionId: version_id, formatId: format_id, fileSetId: file_set_id, fileId: id };
}

/** The TRANSCODE job of a file, or null when its storage wants none. */
export function transcodeJob(
  row: IngestRow,
  ids: CompleteIds,
  order: { settings: FileStorageSettings; dedupeKey: string; profileOf: ProfileOf },
): NewJob | null {
  const { settings, dedupeKey, profileOf } = order;
  const wantProxy = settings.local_proxy_creation === true;
  const wantKeyframes = settings.local_keyframe_creation === true;
  const lists = { ignore: settings.transcode_ignore, include: settings.transcode_include };
  if ((!wantProxy && !wantKeyframes) || !isSelected(row.path, lists)) return null;
  if (directoryAssetOf(row.path, settings) !== null && !isRenditionSource(row.path, settings)) return null;
  const payload = { storageId: row.storageId, path: row.path, ...ids, wantProxy, wantKeyframes };
  const profile = profileOf(row.path);
  return { role: 'TRANSCODE', kind: 'transcode', storageId: row.storageId, profile, payload, dedupeKey };
}

/** A cloud directory: the storage's remote path and the file's own directory, without outer slashes. */
export function remoteDirectory(remotePath: string | undefined, directory: string): string {
  return [remotePath ?? '', directory]
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter((part) => part !== '')
    .join('/');
}

/** Key of an upload: one at a time of the same content to the same place; the files of a directory asset are all wanted. */
export function uploadKey(
  file: { path: string; formatId: string; fileId: string },
  destinationStorageId: string,
  settings: FileStorageSettings,
): string {
  const isMember = directoryAssetOf(file.path, settings) !== null;
  return `upload:${isMember ? file.fileId : file.formatId}:${destinationStorageId}`;
}

/** The TRANSFER job that copies a file to the cloud, or null when its storage wants none. */
export function uploadJob(row: IngestRow, ids: CompleteIds, settings: FileStorageSettings): NewJob | null {
  const destinationStorageId = settings.remote_storage_id;
  if (settings.upload_files !== true || !destinationStorageId || matchesAny(settings.upload_ignore, row.path))
    return null;
  const destinationDirectoryPath = remoteDirectory(settings.remote_path, directoryOf(row.path));
  return {
    role: 'TRANSFER',
    kind: 'upload',
    storageId: row.storageId,
    payload: { ...uploadSource(row, ids), destinationStorageId, destinationDirectoryPath },
    dedupeKey: uploadKey({ path: row.path, ...ids }, destinationStorageId, settings),
  };
}

function uploadSource(row: IngestRow, ids: CompleteIds): Record<string, unknown> {
  const { storageId, path, sizeBytes, md5, mtimeNs } = row;
  return { storageId, path, ...ids, sizeBytes, md5, mtimeNs };
}

/** A copy of a file in the cloud. */
export interface CloudCopy {
  record: FileRecord;
  storageId: string;
  fileSetName: string | null;
}

/** The TRANSFER job that brings a cloud copy of a modified file up to date, at the very place where the copy is. */
export function uploadAgainJob(row: IngestRow, ids: CompleteIds, copy: CloudCopy): NewJob {
  const { record, storageId, fileSetName } = copy;
  return {
    role: 'TRANSFER',
    kind: 'upload',
    storageId: row.storageId,
    payload: {
      ...uploadSource(row, ids),
      destinationStorageId: storageId,
      destinationDirectoryPath: record.directory_path,
      destinationFilename: record.name ?? record.original_name,
      destinationFileSetName: fileSetName,
    },
    dedupeKey: `upload:${ids.formatId}:${storageId}:${row.md5}`,
  };
}

/**
 * Work that is ordered when a file has been ingested. Renditions once for an asset that we made. An upload once for such an
 * asset, and for a file that joined somebody else's (the upload itself finds out whether the copy is there already).
 */
export function followUpJobs(
  row: IngestRow,
  ids: CompleteIds,
  order: { storage: Storage; profileOf: ProfileOf; place: PlaceInAsset; upload: NewJob | null },
): NewJob[] {
  const { storage, profileOf, place, upload } = order;
  // Files of a directory asset are all wanted, also those that are alike.
  const isMember = directoryAssetOf(row.path, storage.settings) !== null;
  if (place === 'later' && !isMember) return [];
  const isFirst = place !== 'foreign';
  const dedupeKey = `transcode:${ids.fileId}`;
  const transcode = isFirst ? transcodeJob(row, ids, { settings: storage.settings, profileOf, dedupeKey }) : null;
  const priority = filePriority(row.path, storage.settings);
  return [transcode, upload]
    .filter((job) => job !== null)
    .map((job) => (priority === undefined ? job : { ...job, priority }));
}
