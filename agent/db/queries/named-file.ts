import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** Rows looked up by names: sidecars and the files they belong to, and versions before a version. */

const relativeRow = z
  .object({
    path: z.string(),
    path_key: z.string(),
    state: z.string(),
    asset_id: z.string().nullable(),
    version_id: z.string().nullable(),
  })
  .transform((row) => ({
    path: row.path,
    pathKey: row.path_key,
    state: row.state,
    assetId: row.asset_id,
    versionId: row.version_id,
  }));
/** A row beside another one. */
export type RelativeRow = z.infer<typeof relativeRow>;

const BY_KEYS = `
SELECT path, path_key, state, asset_id, version_id FROM storage_file
WHERE storage_id = $1 AND path_key = ANY ($2::text[]) AND state NOT IN ('missing', 'skipped')`;

/** Those of some paths whose files are there. */
export function rowsByKeys(sql: Sql, storageId: string, pathKeys: readonly string[]): Promise<RelativeRow[]> {
  return sql.query(BY_KEYS, [storageId, pathKeys], relativeRow);
}

const BY_STEM = `
SELECT path, path_key, state, asset_id, version_id FROM storage_file
WHERE storage_id = $1 AND directory = $2 AND state NOT IN ('missing', 'skipped')
  AND (path_key = $3 OR starts_with(path_key, $3 || '.'))
ORDER BY path_key LIMIT 100`;

/** Files of a folder whose path is a stem, or begins with it and a dot. */
export function rowsByStem(sql: Sql, storageId: string, folder: string, stem: string): Promise<RelativeRow[]> {
  return sql.query(BY_STEM, [storageId, folder, stem], relativeRow);
}

const SECONDS_KNOWN = `
SELECT extract(epoch FROM now() - changed_at)::float8 AS seconds FROM storage_file WHERE storage_id = $1 AND path_key = $2`;

/** Seconds since a scan last saw the file differ, by the database's clock; 0 for a row that is gone. */
export async function secondsKnown(sql: Sql, storageId: string, pathKey: string): Promise<number> {
  const [row] = await sql.query(SECONDS_KNOWN, [storageId, pathKey], z.object({ seconds: z.number() }));
  return row?.seconds ?? 0;
}
