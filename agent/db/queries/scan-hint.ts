import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** What tells where to look between scans. */

const directoryOfPath = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

const newestRow = z
  .object({ path: z.string(), newest_ms: z.number() })
  .transform((row) => ({ directory: directoryOfPath(row.path), newestMs: row.newest_ms }));

// The path of a file, not the key of its directory: the name on the storage need not be in NFC.
const NEWEST = `
SELECT min(path) AS path, (max(mtime_ns) / 1000000)::float8 AS newest_ms FROM storage_file
WHERE storage_id = $1 AND state NOT IN ('missing', 'skipped')
GROUP BY directory ORDER BY max(mtime_ns) DESC LIMIT $2`;

/** Directories by their newest file, newest first, as the storage names them. Reads all rows of the storage: once a leadership. */
export function newestDirectories(
  sql: Sql,
  storageId: string,
  limit: number,
): Promise<{ directory: string; newestMs: number }[]> {
  return sql.query(NEWEST, [storageId, limit], newestRow);
}

const quietRow = z
  .object({ path: z.string(), due_ms: z.number() })
  .transform((row) => ({ directory: directoryOfPath(row.path), dueMs: row.due_ms }));

const QUIET = `
SELECT min(path) AS path, (extract(epoch FROM min(changed_at) - now()) * 1000 + $2 * 1000)::float8 AS due_ms
FROM storage_file WHERE storage_id = $1 AND state IN ('seen', 'growing')
GROUP BY directory ORDER BY min(changed_at) LIMIT $3`;

/**
 * Directories with files that wait to be quiet, soonest first; `dueMs` is how long from now, by the database's clock (negative:
 * it should have been looked at).
 */
export function nextQuiet(
  sql: Sql,
  storageId: string,
  quietSeconds: number,
  limit: number,
): Promise<{ directory: string; dueMs: number }[]> {
  return sql.query(QUIET, [storageId, quietSeconds, limit], quietRow);
}

const knownRow = z.object({ directory: z.string() }).transform((row) => row.directory);

const KNOWN = 'SELECT directory FROM storage_directory WHERE storage_id = $1 AND directory = ANY ($2::text[])';

/** Those of some directories (keys) that a scan has listed at some time. */
export function knownDirectories(sql: Sql, storageId: string, directories: readonly string[]): Promise<string[]> {
  return sql.query(KNOWN, [storageId, directories], knownRow);
}
