import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** Versions of assets, as far as the index and the intents know them. */

const USED = 'SELECT DISTINCT version_id AS id FROM storage_file WHERE asset_id = $1 AND version_id IS NOT NULL';

/** Versions of an asset that files belong to. */
export async function versionsInUse(sql: Sql, assetId: string): Promise<Set<string>> {
  const rows = await sql.query(USED, [assetId], z.object({ id: z.string() }));
  return new Set(rows.map((row) => row.id));
}

const IS_OWN = `SELECT 1 AS one FROM intent WHERE kind = 'version' AND created_id = $1`;

/** Whether a version was added to its asset by us (it then has formats of its own). */
export async function isAddedVersion(sql: Sql, versionId: string): Promise<boolean> {
  return (await sql.query(IS_OWN, [versionId], z.object({ one: z.number() }))).length > 0;
}

const AGE = `
SELECT extract(epoch FROM now() - max(started_at))::float8 AS seconds FROM intent
WHERE (kind = 'version' AND created_id = $1) OR (kind = 'asset' AND created_id = $2 AND NOT EXISTS (
  SELECT 1 FROM intent AS own WHERE own.kind = 'version' AND own.created_id = $1))`;

/** Seconds since a version (or, for the first one, its asset) was begun by us; null when somebody else made it. */
export async function secondsSinceCreated(
  sql: Sql,
  version: { assetId: string; versionId: string | null },
): Promise<number | null> {
  const values = [version.versionId ?? '', version.assetId];
  const [row] = await sql.query(AGE, values, z.object({ seconds: z.number().nullable() }));
  return row?.seconds ?? null;
}
