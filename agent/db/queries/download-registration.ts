import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';

// Files that a download puts on a storage. They enter the index before they appear on the disk, so that a scan that meets
// them finds them known and makes no asset of its own. While the download goes on, the row is `ingesting` but not due:
// ingest would look at it only after the job has been silent for `HOLD`.

/** A downloaded file as the index is to know it. */
export interface DownloadedFile {
  storageId: string;
  /** NFC form of the path. */
  pathKey: string;
  path: string;
  /** Directory of the path in NFC form; '' = the root. */
  directory: string;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
  md5: string;
  xxh128: string;
  assetId: string;
  versionId: string | null;
  formatId: string;
}

/** What the index said. `taken`: the path belongs to another asset. `busy`: ingest is making an asset of it right now. */
export type Registration = 'registered' | 'taken' | 'busy';

const COLUMNS = `storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, md5, xxh128,
  asset_id, version_id, format_id`;

const valuesOf = (file: DownloadedFile) => [
  file.storageId,
  file.pathKey,
  file.path,
  file.directory,
  file.sizeBytes,
  file.mtimeNs,
  file.fileId,
  file.md5,
  file.xxh128,
  file.assetId,
  file.versionId,
  file.formatId,
];

const VALUES = `$1, $2, $3, $4, $5::bigint, $6::bigint, $7, $8, $9, $10, $11, $12`;

const CONTENT = `path = excluded.path, directory = excluded.directory, size_bytes = excluded.size_bytes,
  mtime_ns = excluded.mtime_ns, file_id = excluded.file_id, md5 = excluded.md5, xxh128 = excluded.xxh128,
  asset_id = excluded.asset_id, version_id = excluded.version_id, format_id = excluded.format_id,
  attempts = 0, error = NULL`;

// FOR SHARE on the job's row is the fence: whoever takes the lease away waits for this statement, and a statement that
// waited for it re-reads the row and finds the token gone.
const REGISTER = `
WITH fence AS MATERIALIZED (
  SELECT 1 FROM job WHERE job_id = $13::bigint AND lease_token = $14::bigint AND state = 'leased' FOR SHARE
), written AS (
  INSERT INTO storage_file AS known (${COLUMNS}, state, next_attempt_at)
  SELECT ${VALUES}, 'ingesting', now() + interval '1 hour' FROM fence
  ON CONFLICT (storage_id, path_key) DO UPDATE SET ${CONTENT}, state = 'ingesting',
    changed_at = now(), next_attempt_at = excluded.next_attempt_at,
    file_set_id = CASE WHEN known.asset_id = excluded.asset_id THEN known.file_set_id END,
    iconik_file_id = CASE WHEN known.asset_id = excluded.asset_id THEN known.iconik_file_id END
  WHERE known.asset_id = excluded.asset_id OR known.state = 'missing'
    OR (known.asset_id IS NULL AND known.state <> 'ingesting')
  RETURNING 1
)
SELECT (SELECT count(*) FROM fence)::int AS held, (SELECT count(*) FROM written)::int AS written,
  EXISTS (SELECT 1 FROM storage_file WHERE storage_id = $1 AND path_key = $2 AND asset_id IS NOT NULL) AS has_asset`;

const registerRow = z.object({ held: z.number(), written: z.number(), has_asset: z.boolean() });

/** Enters a file that is about to be put in place. Throws `lease-lost`, having changed nothing, unless the lease holds. */
export async function registerDownload(
  sql: Sql,
  lease: { jobId: string; leaseToken: string },
  file: DownloadedFile,
): Promise<Registration> {
  return verdictOn(await sql.query(REGISTER, [...valuesOf(file), lease.jobId, lease.leaseToken], registerRow));
}

function verdictOn([answer]: readonly z.infer<typeof registerRow>[]): Registration {
  if (!answer || answer.held === 0) {
    const message = 'The lease of this job went to another node; the download was not entered and stops here.';
    throw new IsgError('lease-lost', message, { retry: 'transient' });
  }
  if (answer.written > 0) return 'registered';
  return answer.has_asset ? 'taken' : 'busy';
}

/** What an order exports to a storage: a file that is no asset's copy there, and is not to become one by a scan. */
export type ExportedFile = Omit<DownloadedFile, 'versionId' | 'formatId'>;

// Refused like what ingest does not take; with digests, so that scans leave it alone while it stays as it is. `exportedFrom`
// is what a later order to overwrite it is held against.
const REGISTER_EXPORT = `
WITH fence AS MATERIALIZED (
  SELECT 1 FROM job WHERE job_id = $11::bigint AND lease_token = $12::bigint AND state = 'leased' FOR SHARE
), written AS (
  INSERT INTO storage_file AS known
    (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, md5, xxh128, error, state)
  SELECT $1, $2, $3, $4, $5::bigint, $6::bigint, $7, $8, $9,
    jsonb_build_object('code', 'exported', 'retry', 'permanent', 'exportedFrom', $10::text,
      'message', 'Exported by an order of iconik; it is no asset of its own.'), 'skipped'
  FROM fence
  ON CONFLICT (storage_id, path_key) DO UPDATE SET path = excluded.path, directory = excluded.directory,
    size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, file_id = excluded.file_id, md5 = excluded.md5,
    xxh128 = excluded.xxh128, error = excluded.error, state = 'skipped', changed_at = now(), attempts = 0,
    asset_id = NULL, version_id = NULL, format_id = NULL, file_set_id = NULL, iconik_file_id = NULL
  WHERE known.state = 'missing' OR (known.asset_id IS NULL AND known.state <> 'ingesting')
  RETURNING 1
)
SELECT (SELECT count(*) FROM fence)::int AS held, (SELECT count(*) FROM written)::int AS written,
  EXISTS (SELECT 1 FROM storage_file WHERE storage_id = $1 AND path_key = $2 AND asset_id IS NOT NULL) AS has_asset`;

/** Enters an exported file that is about to be put in place. Throws `lease-lost` as `registerDownload` does. */
export async function registerExport(
  sql: Sql,
  lease: { jobId: string; leaseToken: string },
  file: ExportedFile,
): Promise<Registration> {
  const { storageId, pathKey, path, directory, sizeBytes, mtimeNs, fileId, md5, xxh128, assetId } = file;
  const values = [storageId, pathKey, path, directory, sizeBytes, mtimeNs, fileId, md5, xxh128, assetId];
  return verdictOn(await sql.query(REGISTER_EXPORT, [...values, lease.jobId, lease.leaseToken], registerRow));
}

const replaceableRow = z.object({ replaceable: z.boolean() });
const REPLACEABLE = `
SELECT EXISTS (
  SELECT 1 FROM storage_file WHERE storage_id = $1 AND path_key = $2 AND size_bytes = $3::bigint AND mtime_ns = $4::bigint
    AND ((state = 'skipped' AND error ->> 'exportedFrom' = $5) OR ($6 AND state = 'ingested' AND asset_id = $5))
) AS replaceable`;

/**
 * Whether the file that stands at a path, by size and time, is the very one that the index knows for the same asset: what an
 * earlier order put there, or, where the new one becomes the asset's copy too, the asset's copy.
 */
export async function isReplaceable(
  sql: Sql,
  file: { storageId: string; pathKey: string; sizeBytes: number; mtimeNs: string; assetId: string; asCopy: boolean },
): Promise<boolean> {
  const { storageId, pathKey, sizeBytes, mtimeNs, assetId, asCopy } = file;
  const values = [storageId, pathKey, sizeBytes, mtimeNs, assetId, asCopy];
  const [row] = await sql.query(REPLACEABLE, values, replaceableRow);
  return row?.replaceable === true;
}

const FINISH = `
INSERT INTO storage_file AS known (${COLUMNS}, file_set_id, iconik_file_id, state)
VALUES (${VALUES}, $13, $14, 'ingested')
ON CONFLICT (storage_id, path_key) DO UPDATE SET ${CONTENT}, state = 'ingested', next_attempt_at = now(),
  file_set_id = excluded.file_set_id, iconik_file_id = excluded.iconik_file_id
WHERE known.asset_id = excluded.asset_id OR known.asset_id IS NULL`;

/** The file is in place and closed in iconik. Runs in the transaction that ends the job, which carries the fence. */
export async function finishDownload(
  sql: Sql,
  file: DownloadedFile,
  record: { fileSetId: string; iconikFileId: string },
): Promise<void> {
  await sql.execute(FINISH, [...valuesOf(file), record.fileSetId, record.iconikFileId]);
}

const WITHDRAW = `
DELETE FROM storage_file
WHERE storage_id = $1 AND path_key = ANY ($2::text[]) AND (
  (asset_id = $3 AND state = 'ingesting' AND iconik_file_id IS NULL) OR (state = 'skipped' AND error ->> 'exportedFrom' = $3))`;

/** Forgets files of a failed download that never came into place. */
export async function withdrawDownload(
  sql: Sql,
  files: { storageId: string; pathKeys: readonly string[]; assetId: string },
): Promise<void> {
  await sql.execute(WITHDRAW, [files.storageId, files.pathKeys, files.assetId]);
}
