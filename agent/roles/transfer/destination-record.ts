import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import { createLiving } from '../../iconik/creation/create-living.ts';
import type { CreateOnce } from '../../iconik/creation/create-once.ts';
import { findFile, findFileSet } from '../../iconik/creation/find.ts';
import { isSamePath } from '../../iconik/record-path.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import { type LeaseContext, leaseRight } from './lease-right.ts';

/** What making records at a destination needs. */
export interface DestinationDeps {
  api: IconikApi;
  createOnce: CreateOnce;
}

/** Whose copy on which storage. */
interface DestinationOwner {
  assetId: string;
  versionId: string | null;
  formatId: string;
  storageId: string;
}

/** A file set at a destination. */
export interface DestinationFileSet extends DestinationOwner {
  /** Directory on the storage, without leading or trailing slash; '' = the root. */
  baseDir: string;
  name: string;
}

/** A file at a destination. */
export interface DestinationFile extends DestinationOwner {
  fileSetId: string;
  /** Without leading or trailing slash; '' = the root. */
  directoryPath: string;
  name: string;
  /** Name the file had at its source. */
  originalName: string;
  sizeBytes: number;
  /** 32 hex digits. */
  md5: string;
  /**
   * What to do when another asset has a record of this path. `refuse`: its bytes lie there (cloud). `replace`: the index of
   * this cluster knows better, what is on the disk under this path is ours.
   */
  onForeign: 'refuse' | 'replace';
}

/** iconik's index of a storage may lag this far behind its records, milliseconds (cf. `iconik-settle-ms`). */
const INDEX_LAG_MS = 20_000;

/** Id of the file set, made if there is none. Its natural key is the one that ingest uses for the same thing. */
export function ensureFileSet(deps: DestinationDeps, context: LeaseContext, set: DestinationFileSet): Promise<string> {
  const { api } = deps;
  const limits = { signal: context.signal };
  return createLiving(deps.createOnce, leaseRight(context), {
    kind: 'file-set',
    key: `${set.formatId}/${set.storageId}/${set.baseDir}/${set.name}`,
    create: (signal) => api.files.createFileSet(set.assetId, fileSetBody(set), { signal }),
    find: () => findFileSet(api, set, limits),
    isUsable: async (id) => (await unlessGone(api.files.fileSetFiles(set.assetId, id, limits))) !== null,
  });
}

function fileSetBody(set: DestinationFileSet): Record<string, unknown> {
  return {
    format_id: set.formatId,
    storage_id: set.storageId,
    base_dir: set.baseDir,
    name: set.name,
    component_ids: [],
    ...(set.versionId ? { version_id: set.versionId } : {}),
  };
}

/**
 * The file record, made (OPEN) if there is none. Throws `content-differs` when the path at the destination belongs to
 * another asset or format and may not be replaced.
 */
export async function ensureFile(
  deps: DestinationDeps,
  context: LeaseContext,
  file: DestinationFile,
): Promise<FileRecord> {
  const { api } = deps;
  const limits = { signal: context.signal };
  const known = new Map<string, FileRecord>();
  const fileId = await createLiving(deps.createOnce, leaseRight(context), {
    kind: 'file',
    key: `${file.storageId}/${file.directoryPath}/${file.name}`,
    create: async (signal) => {
      const made = await api.files.createFile(file.assetId, fileBody(file), { signal });
      // This answer carries the upload URLs; only a record of an earlier attempt has to be asked for.
      known.set(made.id, made);
      return made;
    },
    find: () => findFile(api, file, limits),
    isUsable: async (id) => {
      const record = await unlessGone(api.files.getFile(file.assetId, id, limits));
      if (record && isOurs(record, file)) known.set(id, record);
      else await assertReplaceable(deps, context, { file, id, record });
      return known.has(id);
    },
  });
  return known.get(fileId) ?? (await api.files.getFile(file.assetId, fileId, limits));
}

function fileBody(file: DestinationFile): Record<string, unknown> {
  return {
    name: file.name,
    original_name: file.originalName,
    directory_path: file.directoryPath,
    type: 'FILE',
    status: 'OPEN',
    file_set_id: file.fileSetId,
    format_id: file.formatId,
    storage_id: file.storageId,
    size: file.sizeBytes,
    checksum: file.md5,
    ...(file.versionId ? { version_id: file.versionId } : {}),
  };
}

function isOurs(record: FileRecord, file: DestinationFile): boolean {
  return (
    record.status !== 'DELETED' &&
    (record.asset_id ?? file.assetId) === file.assetId &&
    (record.format_id ?? file.formatId) === file.formatId
  );
}

/**
 * Passes when no bytes of anybody else can lie under the path: the record is deleted, and the storage's index shows no
 * other. The index lags, so a first attempt that finds nothing there comes back later.
 */
async function assertReplaceable(
  deps: DestinationDeps,
  context: LeaseContext,
  found: { file: DestinationFile; id: string; record: FileRecord | null },
): Promise<void> {
  const { file, id, record } = found;
  if (file.onForeign === 'replace') return;
  if (record && record.status !== 'DELETED') throw taken(file, record.id);
  const { storageId, directoryPath, name } = file;
  const listed = await deps.api.storages.findFiles(storageId, { directoryPath, name }, { signal: context.signal });
  const other = listed.find((one) => one.status !== 'DELETED' && isSamePath(one, file) && !isOurs(one, file));
  if (other) throw taken(file, other.id);
  if (record || context.job.attempts > 1) return;
  const message = `iconik does not show the file record ${id} under this asset: it was deleted, or the path belongs to another asset. It is looked at again in ${INDEX_LAG_MS / 1000} s.`;
  const fields = { fileId: id, retryAfterMs: INDEX_LAG_MS };
  throw new IsgError('iconik-not-found', message, { retry: 'transient', fields });
}

function taken(file: DestinationFile, fileId: string): IsgError {
  const place = file.directoryPath ? `${file.directoryPath}/${file.name}` : file.name;
  const message = `${place} already belongs to another asset or format in iconik (file ${fileId}); nothing was transferred. Choose another destination path.`;
  return new IsgError('content-differs', message, { retry: 'permanent', fields: { fileId } });
}

/**
 * A record that can take bytes. iconik gives upload URLs only while a record waits for its bytes, so one that was closed
 * (the source has changed since) or failed (an earlier order) is opened again.
 */
export async function openForUpload(
  deps: DestinationDeps,
  context: LeaseContext,
  opened: { record: FileRecord; assetId: string; sizeBytes: number; md5: string },
): Promise<FileRecord> {
  const { record, assetId } = opened;
  if (record.upload_url || record.multipart_upload_url) return record;
  const limits = { signal: context.signal };
  const body = { status: 'OPEN', size: opened.sizeBytes, checksum: opened.md5 };
  await deps.api.files.patchFile(assetId, record.id, body, limits);
  return await deps.api.files.getFile(assetId, record.id, limits);
}

/** Marks a record CLOSED with what the file really is. A record that is closed already counts as closed. */
export async function closeFile(
  deps: DestinationDeps,
  context: LeaseContext,
  closed: { assetId: string; fileId: string; sizeBytes: number; md5: string },
): Promise<void> {
  const body = { status: 'CLOSED', size: closed.sizeBytes, checksum: closed.md5 };
  try {
    await deps.api.files.patchFile(closed.assetId, closed.fileId, body, { signal: context.signal });
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.code !== 'iconik-conflict') throw error;
  }
}

/** null instead of an error when iconik does not know the thing. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.code === 'iconik-not-found') return null;
    throw error;
  }
}
