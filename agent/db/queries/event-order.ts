import { z } from 'zod';
import type { Lease } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { leaseExecute } from './lease-fence.ts';

// What gateway events order of the file index. Every write is fenced by the lease of the job that carries the order out,
// and writing it again changes nothing.

/** Files as an event names them. */
export interface NamedFiles {
  /** iconik's file ids. */
  fileIds: readonly string[];
  assetIds: readonly string[];
  /** Relative to the mount; a folder stands for all files below it. */
  paths: readonly string[];
}

/** Names the rows of `NamedFiles` by $3 (storage) and $4–$6. */
const NAMED = `storage_id = $3 AND (iconik_file_id = ANY ($4::text[]) OR asset_id = ANY ($5::text[]) OR path_key = ANY ($6::text[])
    OR EXISTS (SELECT 1 FROM unnest($6::text[]) AS folder (key) WHERE starts_with(path_key, folder.key || '/')))`;

const valuesOf = (storageId: string, files: NamedFiles) => [
  storageId,
  files.fileIds,
  files.assetIds,
  files.paths.map((path) => path.normalize('NFC')),
];

const countRow = z.object({ known: z.number() });
const KNOWN = `SELECT count(*)::int AS known FROM storage_file WHERE ${NAMED.replaceAll(/\$(\d)/g, (_, n) => `$${Number(n) - 2}`)}`;

/** How many files of the index an event names. */
export async function countNamedFiles(sql: Sql, storageId: string, files: NamedFiles): Promise<number> {
  const [row] = await sql.query(KNOWN, valuesOf(storageId, files), countRow);
  return row?.known ?? 0;
}

// Files on their way get their checksum anyway, one that is being ingested has just got it; absent and empty ones have none.
const READ_AGAIN = `,
changed AS (
  UPDATE storage_file SET state = 'ready', xxh128 = NULL, md5 = NULL, attempts = 0, next_attempt_at = now(), error = NULL
  FROM fence WHERE ${NAMED} AND state IN ('hashed', 'ingested', 'faulty')
  RETURNING 1
)`;

/** Makes the named files be read again: their digests go, and the scan orders their checksum. Answers how many. */
export function readFilesAgain(sql: Sql, lease: Lease, storageId: string, files: NamedFiles): Promise<number> {
  return leaseExecute(sql, lease, READ_AGAIN, valuesOf(storageId, files));
}

const RESET = (which: string) => `,
changed AS (
  UPDATE storage_file SET attempts = 0, next_attempt_at = now(), error = NULL,
    state = CASE WHEN state = 'ingesting' THEN state WHEN md5 IS NOT NULL AND xxh128 IS NOT NULL THEN 'hashed' ELSE 'ready' END
  FROM fence WHERE ${which}
    AND (state = 'faulty' OR (state = 'skipped' AND md5 IS NOT NULL AND error ->> 'code' IS DISTINCT FROM 'exported')
      OR (state IN ('hashed', 'ingesting') AND error IS NOT NULL)
      OR (state = 'ingested' AND error ->> 'code' = 'sidecar-invalid'))
  RETURNING 1
)`;
const RESET_NAMED = RESET(NAMED);
const RESET_ALL = RESET('storage_id = $3');

/** Lets files that ingest refused or put off be tried again now; all of the storage when `files` is null. Answers how many. */
export function resetRefusedFiles(
  sql: Sql,
  lease: Lease,
  storageId: string,
  files: NamedFiles | null,
): Promise<number> {
  return files === null
    ? leaseExecute(sql, lease, RESET_ALL, [storageId])
    : leaseExecute(sql, lease, RESET_NAMED, valuesOf(storageId, files));
}

// A file that a download is putting in place is left alone, as the scan does.
const MARK_MISSING = `,
changed AS (
  UPDATE storage_file SET state = 'missing', attempts = 0, next_attempt_at = now(), error = NULL
  FROM fence WHERE storage_id = $3 AND path_key IN (
    SELECT path_key FROM storage_file
    WHERE storage_id = $3 AND directory = ANY ($4::text[]) AND state <> 'missing'
      AND NOT (state = 'ingesting' AND next_attempt_at > now())
    LIMIT $5)
  RETURNING 1
)`;

/** Marks up to `limit` files of these directories (not of those below) missing; answers how many. */
export function markDirectoriesMissing(
  sql: Sql,
  lease: Lease,
  at: { storageId: string; directories: readonly string[]; limit: number },
): Promise<number> {
  return leaseExecute(sql, lease, MARK_MISSING, [at.storageId, at.directories, at.limit]);
}

const mergedRow = z
  .object({ path_key: z.string(), path: z.string(), iconik_file_id: z.string().nullable() })
  .transform((row) => ({ pathKey: row.path_key, path: row.path, fileId: row.iconik_file_id }));
const OF_ASSETS = `
SELECT path_key, path, iconik_file_id FROM storage_file WHERE storage_id = $1 AND asset_id = ANY ($2::text[])
ORDER BY path_key`;

/** Files of a storage that belong to one of these assets. */
export function filesOfAssets(
  sql: Sql,
  storageId: string,
  assetIds: readonly string[],
): Promise<z.infer<typeof mergedRow>[]> {
  return sql.query(OF_ASSETS, [storageId, assetIds], mergedRow);
}

/** What iconik says of a file after its asset was merged into another. */
export interface MergedFile {
  pathKey: string;
  fileId: string;
  versionId: string | null;
  formatId: string | null;
  fileSetId: string | null;
}

const FOLLOW_MERGE = `,
changed AS (
  UPDATE storage_file SET asset_id = $4, version_id = coalesce($5, version_id), format_id = coalesce($6, format_id),
    file_set_id = coalesce($7, file_set_id)
  FROM fence WHERE storage_id = $3 AND path_key = $8 AND iconik_file_id = $9 AND asset_id = ANY ($10::text[])
  RETURNING 1
)`;

/** Moves a file's row to the asset that its own was merged into; 0 when the row belongs elsewhere by now. */
export function followMerge(
  sql: Sql,
  lease: Lease,
  merge: { storageId: string; oldAssetIds: readonly string[]; newAssetId: string },
  file: MergedFile,
): Promise<number> {
  const ids = [file.versionId, file.formatId, file.fileSetId];
  const values = [merge.storageId, merge.newAssetId, ...ids, file.pathKey, file.fileId, merge.oldAssetIds];
  return leaseExecute(sql, lease, FOLLOW_MERGE, values);
}

// Running jobs keep what they have read; should they fail for it, their next try works with the new id.
const RENAME_ASSET_IN_JOBS = `,
changed AS (
  UPDATE job SET payload = jsonb_set(payload, '{assetId}', to_jsonb($3::text)) FROM fence
  WHERE job_id IN (
    SELECT job_id FROM job WHERE state IN ('queued', 'leased') AND payload ->> 'assetId' = ANY ($4::text[])
      AND storage_id = $5 ORDER BY job_id FOR UPDATE SKIP LOCKED)
  RETURNING 1
)`;

/** Lets unfinished jobs of a storage work for the asset that theirs was merged into. Answers how many. */
export function followMergeInJobs(
  sql: Sql,
  lease: Lease,
  merge: { storageId: string; oldAssetIds: readonly string[]; newAssetId: string },
): Promise<number> {
  return leaseExecute(sql, lease, RENAME_ASSET_IN_JOBS, [merge.newAssetId, merge.oldAssetIds, merge.storageId]);
}

const FORGET_COLLECTIONS = `,
changed AS (
  UPDATE intent SET state = 'void', created_id = NULL FROM fence
  WHERE kind LIKE 'collection%' AND created_id = ANY ($3::text[]) AND state = 'created' RETURNING 1
)`;

/** Forgets collections that we created and iconik deleted, so that the next file of their folders makes new ones. */
export function forgetCollections(sql: Sql, lease: Lease, collectionIds: readonly string[]): Promise<number> {
  return leaseExecute(sql, lease, FORGET_COLLECTIONS, [collectionIds]);
}

const ingestedRow = z
  .object({ path_key: z.string(), path: z.string(), asset_id: z.string() })
  .transform((row) => ({ pathKey: row.path_key, path: row.path, assetId: row.asset_id }));
const INGESTED = `
SELECT path_key, path, asset_id FROM storage_file
WHERE storage_id = $1 AND path_key > $2 AND asset_id IS NOT NULL AND state = 'ingested'
  AND ($3 = '' OR path_key = $3 OR starts_with(path_key, $3 || '/'))
ORDER BY path_key LIMIT $4`;

/** Ingested files of a storage below `folder` ('' = all), by path, those after `afterPathKey`. */
export function ingestedFiles(
  sql: Sql,
  storageId: string,
  page: { folder: string; afterPathKey: string; limit: number },
): Promise<z.infer<typeof ingestedRow>[]> {
  return sql.query(INGESTED, [storageId, page.afterPathKey, page.folder.normalize('NFC'), page.limit], ingestedRow);
}

const WITH_FILES = `
SELECT DISTINCT directory FROM storage_file
WHERE storage_id = $1 AND directory = ANY ($2::text[]) AND state NOT IN ('missing', 'skipped') ORDER BY directory`;

/** Those of some folders that hold files now. */
export async function directoriesWithFiles(
  sql: Sql,
  storageId: string,
  directories: readonly string[],
): Promise<string[]> {
  if (directories.length === 0) return [];
  const rows = await sql.query(WITH_FILES, [storageId, directories], z.object({ directory: z.string() }));
  return rows.map((row) => row.directory);
}
