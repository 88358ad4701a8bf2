import { z } from 'zod';
import type { ErrorRecord } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';

/** Rows on their way into iconik. Every write holds only while the row's content is the one that was read. */

const ingestRow = z
  .object({
    storage_id: z.string(),
    path_key: z.string(),
    path: z.string(),
    size_bytes: z.string(),
    mtime_ns: z.string(),
    state: z.enum(['hashed', 'ingesting']),
    md5: z.string(),
    asset_id: z.string().nullable(),
    version_id: z.string().nullable(),
    format_id: z.string().nullable(),
    file_set_id: z.string().nullable(),
    iconik_file_id: z.string().nullable(),
    attempts: z.number(),
  })
  .transform((row) => ({
    storageId: row.storage_id,
    pathKey: row.path_key,
    path: row.path,
    sizeBytes: Number(row.size_bytes),
    mtimeNs: row.mtime_ns,
    state: row.state,
    md5: row.md5,
    assetId: row.asset_id,
    versionId: row.version_id,
    formatId: row.format_id,
    fileSetId: row.file_set_id,
    fileId: row.iconik_file_id,
    attempts: row.attempts,
  }));
/** A file to be ingested, as its row said when it was read. */
export type IngestRow = z.infer<typeof ingestRow>;

/** Ids of iconik that a row carries. */
export type IconikIds = Pick<IngestRow, 'assetId' | 'versionId' | 'formatId' | 'fileSetId' | 'fileId'>;

const DUE = `
SELECT storage_id, path_key, path, size_bytes::text, mtime_ns::text, state, md5,
  asset_id, version_id, format_id, file_set_id, iconik_file_id, attempts
FROM storage_file
WHERE storage_id = ANY ($1::text[]) AND state IN ('hashed', 'ingesting') AND next_attempt_at <= now() AND md5 IS NOT NULL
  AND md5 <> ALL ($2::text[])
ORDER BY next_attempt_at, path_key LIMIT $3`;

/** Files that may be worked on now, oldest first, without those whose content (MD5) is in work already. */
export function dueFiles(
  sql: Sql,
  storageIds: readonly string[],
  search: { exceptContents: readonly string[]; limit: number },
): Promise<IngestRow[]> {
  return sql.query(DUE, [storageIds, search.exceptContents, search.limit], ingestRow);
}

/** Names the row and the content that a write is about ($3–$7). */
const SAME_CONTENT = `storage_id = $3 AND path_key = $4 AND md5 = $5 AND size_bytes = $6::bigint AND mtime_ns = $7::bigint
    AND state IN ('hashed', 'ingesting')`;

const contentOf = (row: IngestRow) => [row.storageId, row.pathKey, row.md5, row.sizeBytes, row.mtimeNs];

const CHECKPOINT = `,
changed AS (
  UPDATE storage_file SET state = $8, asset_id = $9, version_id = $10, format_id = $11, file_set_id = $12, iconik_file_id = $13
  FROM fence WHERE ${SAME_CONTENT} RETURNING 1
)`;

/** Stores how far the ingest of a row has come; false when the row's content changed meanwhile (nothing is stored then). */
export async function checkpointIngest(
  sql: Sql,
  holder: FenceHolder,
  row: IngestRow,
  next: IconikIds & Pick<IngestRow, 'state'>,
): Promise<boolean> {
  const ids = [next.assetId, next.versionId, next.formatId, next.fileSetId, next.fileId];
  return (await fencedExecute(sql, holder, CHECKPOINT, [...contentOf(row), next.state, ...ids])) === 1;
}

const FINISH = `
UPDATE storage_file SET state = 'ingested', attempts = 0, error = $6::jsonb
WHERE storage_id = $1 AND path_key = $2 AND md5 = $3 AND size_bytes = $4::bigint AND mtime_ns = $5::bigint
  AND state IN ('hashed', 'ingesting')`;

/**
 * Ends the ingest of a row; call it in a fenced transaction. `error`: what is to be shown at the file all the same. False
 * when the row's content changed meanwhile.
 */
export async function finishIngest(sql: Sql, row: IngestRow, error: ErrorRecord | null): Promise<boolean> {
  const shown = error === null ? null : JSON.stringify(error);
  return (await sql.execute(FINISH, [...contentOf(row), shown])) === 1;
}

const SHOW_SIDECAR = `
UPDATE storage_file SET error = $3::jsonb
WHERE storage_id = $1 AND path_key = $2 AND state = 'ingested' AND (error IS NULL OR error ->> 'code' = 'sidecar-invalid')
  AND error IS DISTINCT FROM $3::jsonb`;

/** Shows at an ingested file what became of its sidecar (null = all is well); other complaints stay. For fenced transactions. */
export async function showSidecar(
  sql: Sql,
  storageId: string,
  pathKey: string,
  error: ErrorRecord | null,
): Promise<void> {
  await sql.execute(SHOW_SIDECAR, [storageId, pathKey, error === null ? null : JSON.stringify(error)]);
}

const WAKE_HELD = `,
changed AS (
  UPDATE storage_file SET next_attempt_at = now() FROM fence
  WHERE storage_id = $3 AND path_key = ANY ($4::text[]) AND state = 'hashed' AND next_attempt_at > now()
    AND error ->> 'code' = 'sidecar-awaited' RETURNING 1
)`;

/** Has files that wait for their sidecar looked at now. */
export async function wakeHeldFiles(
  sql: Sql,
  holder: FenceHolder,
  storageId: string,
  pathKeys: readonly string[],
): Promise<void> {
  await fencedExecute(sql, holder, WAKE_HELD, [storageId, pathKeys]);
}

const LOCK_CONTENT = `
SELECT 1 AS one FROM storage_file
WHERE storage_id = $1 AND path_key = $2 AND md5 = $3 AND size_bytes = $4::bigint AND mtime_ns = $5::bigint
  AND state IN ('hashed', 'ingesting') FOR UPDATE`;

const oneRow = z.object({ one: z.number() });

/** Locks a row whose content is still the one that was read; false when it is not. For fenced transactions. */
export async function lockContent(sql: Sql, row: IngestRow): Promise<boolean> {
  return (await sql.query(LOCK_CONTENT, contentOf(row), oneRow)).length === 1;
}

const POSTPONE = `,
changed AS (
  UPDATE storage_file SET next_attempt_at = now() + make_interval(secs => $8 / 1000.0), attempts = $9, error = $10::jsonb
  FROM fence WHERE ${SAME_CONTENT} RETURNING 1
)`;

/** Puts a row off for `afterMs`; `attempts` and `error` are stored as given. */
export async function postponeIngest(
  sql: Sql,
  holder: FenceHolder,
  row: IngestRow,
  until: { afterMs: number; attempts: number; error: ErrorRecord | null },
): Promise<void> {
  const error = until.error === null ? null : JSON.stringify(until.error);
  await fencedExecute(sql, holder, POSTPONE, [...contentOf(row), Math.ceil(until.afterMs), until.attempts, error]);
}

const FAIL = `,
changed AS (
  UPDATE storage_file SET state = 'faulty', attempts = $8, error = $9::jsonb FROM fence WHERE ${SAME_CONTENT} RETURNING 1
)`;

/** Gives a row up until its file changes or somebody retries it by hand. */
export async function failIngest(
  sql: Sql,
  holder: FenceHolder,
  row: IngestRow,
  end: { attempts: number; error: ErrorRecord },
): Promise<void> {
  await fencedExecute(sql, holder, FAIL, [...contentOf(row), end.attempts, JSON.stringify(end.error)]);
}

const siblingRow = z
  .object({ asset_id: z.string(), version_id: z.string().nullable() })
  .transform((row) => ({ assetId: row.asset_id, versionId: row.version_id }));

const SAME_CONTENT_ELSEWHERE = `
SELECT DISTINCT ON (asset_id) asset_id, version_id FROM storage_file
WHERE md5 = $1 AND asset_id IS NOT NULL AND ($2::text IS NULL OR storage_id = $2)
  AND NOT (storage_id = $3 AND path_key = $4)
ORDER BY asset_id, version_id LIMIT 20`;

/** Assets that other files with this content belong to; `onlyStorageId` limits the search to one storage. */
export function assetsWithContent(
  sql: Sql,
  row: IngestRow,
  onlyStorageId: string | null,
): Promise<z.infer<typeof siblingRow>[]> {
  return sql.query(SAME_CONTENT_ELSEWHERE, [row.md5, onlyStorageId, row.storageId, row.pathKey], siblingRow);
}

const PATHS_WITH_CONTENT = 'SELECT path FROM storage_file WHERE md5 = $1 ORDER BY storage_id, path_key LIMIT 100';

/** Paths of the files with a content, on all storages (the first 100). */
export async function pathsWithContent(sql: Sql, md5: string): Promise<string[]> {
  const rows = await sql.query(PATHS_WITH_CONTENT, [md5], z.object({ path: z.string() }));
  return rows.map((row) => row.path);
}

const useRow = z.object({ same: z.number(), other: z.number() });

const USE_OF_ASSET = `
SELECT count(*) FILTER (WHERE md5 = $2)::int AS same, count(*) FILTER (WHERE md5 IS DISTINCT FROM $2)::int AS other
FROM storage_file WHERE asset_id = $1 AND NOT (storage_id = $3 AND path_key = $4)`;

/** How many other rows belong to an asset, with this row's content and with another one. */
export async function useOfAsset(sql: Sql, assetId: string, row: IngestRow): Promise<z.infer<typeof useRow>> {
  const [use] = await sql.query(USE_OF_ASSET, [assetId, row.md5, row.storageId, row.pathKey], useRow);
  return use ?? { same: 0, other: 0 };
}

const LOCK_ASSET_INTENT = `
SELECT 1 AS one FROM intent WHERE (kind = 'asset' AND created_id = $1) OR (kind = 'version' AND created_id = $2)
ORDER BY kind FOR UPDATE`;
const OTHER_INGESTED = `
SELECT 1 AS one FROM storage_file
WHERE md5 = $1 AND asset_id = $2 AND iconik_file_id IS NOT NULL AND state <> 'ingesting'
  AND NOT (storage_id = $3 AND path_key = $4) LIMIT 1`;

/**
 * `first` and `later`: of the finished files with one content, in an asset or version that
 * we created. `foreign`: somebody else's. */
export type PlaceInAsset = 'first' | 'later' | 'foreign';

/**
 * Which of an asset's files this row is, so that follow-up work is ordered once for an asset. Locks the intent until the
 * transaction ends: two files of one asset that end together are told apart.
 */
export async function placeInAsset(
  sql: Sql,
  row: IngestRow,
  { assetId, versionId }: { assetId: string; versionId: string | null },
): Promise<PlaceInAsset> {
  const own = await sql.query(LOCK_ASSET_INTENT, [assetId, versionId], oneRow);
  if (own.length === 0) return 'foreign';
  const others = await sql.query(OTHER_INGESTED, [row.md5, assetId, row.storageId, row.pathKey], oneRow);
  return others.length === 0 ? 'first' : 'later';
}

// A record that another row has is not this path's any more: its file moved.
const RECENT_FILE_INTENT = `
SELECT 1 AS one FROM intent
WHERE kind = 'file' AND key = $1 AND state <> 'void' AND started_at > now() - make_interval(secs => $2)
  AND NOT EXISTS (
    SELECT 1 FROM storage_file AS other
    WHERE other.storage_id = $3 AND other.iconik_file_id = intent.created_id AND other.path_key <> $4)`;

/** Whether a record of this very file was created, or begun, by any part of the cluster within `withinS` seconds. */
export async function hasRecentFileIntent(sql: Sql, row: IngestRow, key: string, withinS: number): Promise<boolean> {
  return (await sql.query(RECENT_FILE_INTENT, [key, withinS, row.storageId, row.pathKey], oneRow)).length > 0;
}
