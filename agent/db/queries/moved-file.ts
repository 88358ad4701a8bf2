import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';
import type { IngestRow } from './ingest.ts';

/** Rows whose file may have become another one by moving or renaming, and creations that were begun for a row. */

const formerRow = z
  .object({ path: z.string(), path_key: z.string(), is_missing: z.boolean(), is_same_file: z.boolean() })
  .transform((row) => ({
    path: row.path,
    pathKey: row.path_key,
    isMissing: row.is_missing,
    isSameFile: row.is_same_file,
  }));
/**
 * A row with the content of another one and a record in iconik. `isMissing`: its file is proven gone. `isSameFile`: both
 * have the file id (inode) of one file.
 */
export type FormerRow = z.infer<typeof formerRow>;

const FORMER_ROWS = `
SELECT former.path, former.path_key, former.state = 'missing' AS is_missing, former.file_id = own.file_id AS is_same_file
FROM storage_file AS own
JOIN storage_file AS former ON former.storage_id = own.storage_id AND former.md5 = own.md5
  AND former.size_bytes = own.size_bytes AND former.path_key <> own.path_key
WHERE own.storage_id = $1 AND own.path_key = $2 AND own.md5 = $3 AND former.iconik_file_id IS NOT NULL
  AND (former.state = 'missing' OR (former.state = 'ingested' AND former.file_id = own.file_id))
ORDER BY is_missing DESC, is_same_file DESC, former.path_key LIMIT 50`;

/** Rows that a new row may be the new place of; missing ones first. */
export function formerRows(sql: Sql, row: IngestRow): Promise<FormerRow[]> {
  return sql.query(FORMER_ROWS, [row.storageId, row.pathKey, row.md5], formerRow);
}

// The row is locked first, so that the former one goes only when its ids find their new place.
const MOVE = `,
own AS MATERIALIZED (
  SELECT file.storage_id, file.path_key FROM storage_file AS file, fence
  WHERE file.storage_id = $3 AND file.path_key = $4 AND file.md5 = $5 AND file.size_bytes = $6::bigint
    AND file.mtime_ns = $7::bigint AND file.state IN ('hashed', 'ingesting') AND file.asset_id IS NULL
  FOR UPDATE OF file
),
former AS (
  DELETE FROM storage_file AS gone USING own
  WHERE gone.storage_id = own.storage_id AND gone.path_key = $8 AND gone.md5 = $5 AND gone.iconik_file_id IS NOT NULL
    AND gone.state = CASE WHEN $9::bool THEN 'missing' ELSE 'ingested' END
  RETURNING gone.asset_id, gone.version_id, gone.format_id, gone.file_set_id, gone.iconik_file_id
),
changed AS (
  UPDATE storage_file AS file SET state = 'hashed', asset_id = former.asset_id, version_id = former.version_id,
    format_id = former.format_id, file_set_id = former.file_set_id, iconik_file_id = former.iconik_file_id
  FROM former, own WHERE file.storage_id = own.storage_id AND file.path_key = own.path_key RETURNING 1
)`;

/**
 * Gives a row the ids of the one it used to be, which ends. False when either changed meanwhile (nothing is written then).
 * The row becomes `hashed` with a record: one that has to be brought up to date.
 */
export async function moveIds(sql: Sql, holder: FenceHolder, row: IngestRow, former: FormerRow): Promise<boolean> {
  const own = [row.storageId, row.pathKey, row.md5, row.sizeBytes, row.mtimeNs];
  return (await fencedExecute(sql, holder, MOVE, [...own, former.pathKey, former.isMissing])) === 1;
}

const IDS_OF = `
SELECT asset_id, version_id, format_id, file_set_id, iconik_file_id FROM storage_file
WHERE storage_id = $1 AND path_key = $2`;

const idsRow = z
  .object({
    asset_id: z.string().nullable(),
    version_id: z.string().nullable(),
    format_id: z.string().nullable(),
    file_set_id: z.string().nullable(),
    iconik_file_id: z.string().nullable(),
  })
  .transform((row) => ({
    assetId: row.asset_id,
    versionId: row.version_id,
    formatId: row.format_id,
    fileSetId: row.file_set_id,
    fileId: row.iconik_file_id,
  }));

/** Ids of iconik that a row has now. */
export async function idsOfRow(sql: Sql, row: Pick<IngestRow, 'storageId' | 'pathKey'>) {
  const [ids] = await sql.query(IDS_OF, [row.storageId, row.pathKey], idsRow);
  return ids ?? null;
}

const BEGUN = `
SELECT state, created_id, EXISTS (SELECT 1 FROM storage_file WHERE asset_id = intent.created_id) AS is_used
FROM intent WHERE kind = 'asset' AND key = $1`;

const begunRow = z.object({ state: z.string(), created_id: z.string().nullable(), is_used: z.boolean() });

/**
 * Whether an asset was begun under a natural key that no row has yet: its creation has to be finished, or an empty asset
 * would stay behind. Follows the keys of later lives (create-living.ts).
 */
export async function hasBegunAsset(sql: Sql, key: string): Promise<boolean> {
  let next = key;
  for (let life = 0; life < 50; life += 1) {
    const [begun] = await sql.query(BEGUN, [next], begunRow);
    if (begun === undefined || begun.state === 'void') return false;
    if (begun.state === 'open' || !begun.is_used || begun.created_id === null) return true;
    next = `${key}!after:${begun.created_id}`;
  }
  return false;
}

const HOLDERS = `
SELECT DISTINCT iconik_file_id FROM storage_file
WHERE storage_id = $1 AND iconik_file_id = ANY ($2::text[]) AND path_key <> $3`;

/** Those of some records that belong to other rows of the storage: files that moved and that iconik still shows here. */
export async function recordsOfOthers(sql: Sql, row: IngestRow, recordIds: readonly string[]): Promise<Set<string>> {
  if (recordIds.length === 0) return new Set();
  const values = [row.storageId, recordIds, row.pathKey];
  const rows = await sql.query(HOLDERS, values, z.object({ iconik_file_id: z.string() }));
  return new Set(rows.map((holder) => holder.iconik_file_id));
}
