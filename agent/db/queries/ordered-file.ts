import { z } from 'zod';
import { fileStateSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';

// Rows of the file index as iconik's orders name them: by file set, by file id, or by path.

const orderedFileRow = z
  .object({
    path: z.string(),
    path_key: z.string(),
    size_bytes: z.string(),
    mtime_ns: z.string(),
    state: fileStateSchema,
    md5: z.string().nullable(),
    asset_id: z.string().nullable(),
    version_id: z.string().nullable(),
    format_id: z.string().nullable(),
    file_set_id: z.string().nullable(),
    iconik_file_id: z.string().nullable(),
  })
  .transform((row) => ({
    path: row.path,
    pathKey: row.path_key,
    sizeBytes: Number(row.size_bytes),
    mtimeNs: row.mtime_ns,
    state: row.state,
    md5: row.md5,
    assetId: row.asset_id,
    versionId: row.version_id,
    formatId: row.format_id,
    fileSetId: row.file_set_id,
    iconikFileId: row.iconik_file_id,
  }));
/** A file of the index, with what iconik calls it. Sizes in bytes; `mtimeNs` decimal text. */
export type OrderedFile = z.infer<typeof orderedFileRow>;

const COLUMNS = `path, path_key, size_bytes::text, mtime_ns::text, state, md5, asset_id, version_id, format_id,
  file_set_id, iconik_file_id`;

const BY_FILE_SET = `SELECT ${COLUMNS} FROM storage_file WHERE storage_id = $1 AND file_set_id = ANY ($2::text[])`;

/** Files of a storage that belong to one of these file sets. */
export function filesOfFileSets(sql: Sql, storageId: string, fileSetIds: readonly string[]): Promise<OrderedFile[]> {
  return sql.query(BY_FILE_SET, [storageId, fileSetIds], orderedFileRow);
}

const BY_PATH = `SELECT ${COLUMNS} FROM storage_file WHERE storage_id = $1 AND path_key = $2`;

/** The file at a path of a storage, whatever Unicode form the path comes in; null when the index has none. */
export async function fileAtPath(sql: Sql, storageId: string, path: string): Promise<OrderedFile | null> {
  const [row] = await sql.query(BY_PATH, [storageId, path.normalize('NFC')], orderedFileRow);
  return row ?? null;
}

const BY_FILE_ID = `SELECT ${COLUMNS} FROM storage_file WHERE storage_id = $1 AND iconik_file_id = $2`;

/** The files of a storage that carry this iconik file id: normally one. */
export function filesByIconikId(sql: Sql, storageId: string, iconikFileId: string): Promise<OrderedFile[]> {
  return sql.query(BY_FILE_ID, [storageId, iconikFileId], orderedFileRow);
}

const BELOW = `
SELECT ${COLUMNS} FROM storage_file
WHERE storage_id = $1 AND starts_with(path_key, $2) AND ($3 OR position('/' IN substr(path_key, length($2) + 1)) = 0)
ORDER BY path_key`;

/** The files of the index in a directory ('' = the root), with those in the directories below it when `isDeep`. */
export function filesBelow(
  sql: Sql,
  storageId: string,
  directory: string,
  options: { isDeep: boolean },
): Promise<OrderedFile[]> {
  const prefix = directory === '' ? '' : `${directory.normalize('NFC')}/`;
  return sql.query(BELOW, [storageId, prefix, options.isDeep], orderedFileRow);
}

const NAMED = `
SELECT ${COLUMNS} FROM storage_file
WHERE storage_id = $1 AND iconik_file_id IS NOT NULL AND (iconik_file_id = ANY ($2::text[]) OR asset_id = ANY ($3::text[])
  OR file_set_id = ANY ($4::text[]) OR path_key = ANY ($5::text[]))
ORDER BY path_key`;

/** The files of a storage that iconik knows by one of these names. */
export function namedFiles(
  sql: Sql,
  storageId: string,
  names: {
    fileIds: readonly string[];
    assetIds: readonly string[];
    fileSetIds: readonly string[];
    paths: readonly string[];
  },
): Promise<OrderedFile[]> {
  const paths = names.paths.map((path) => path.normalize('NFC'));
  return sql.query(NAMED, [storageId, names.fileIds, names.assetIds, names.fileSetIds, paths], orderedFileRow);
}

const scannedRow = z.object({ scanned: z.boolean() });
const SCANNED = `
SELECT EXISTS (SELECT 1 FROM storage_root WHERE storage_id = $1 AND last_scan_ended_at IS NOT NULL) AS scanned`;

/** Whether a scan of the storage has ever come to its end: before that, a file missing in the index proves nothing. */
export async function hasBeenScanned(sql: Sql, storageId: string): Promise<boolean> {
  const [row] = await sql.query(SCANNED, [storageId], scannedRow);
  return row?.scanned ?? false;
}
