import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

const recordedRow = z.object({
  path: z.string(),
  path_key: z.string(),
  size_bytes: z.number(),
  mtime_ns: z.string(),
  file_id: z.string(),
  xxh128: z.string().nullable(),
  md5: z.string(),
});

/** A file whose content is recorded. */
export interface RecordedFile {
  path: string;
  pathKey: string;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
  xxh128: string | null;
  md5: string;
}

// Of states in which the digests belong to the size and time in the row.
const RECORDED = `storage_id = $1 AND ($2 = '' OR starts_with(path_key, $2 || '/')) AND md5 IS NOT NULL
  AND state IN ('hashed', 'ingesting', 'ingested')`;

const LIST = `
SELECT path, path_key, size_bytes::float8, mtime_ns::text, file_id, xxh128, md5 FROM storage_file
WHERE ${RECORDED} AND path_key > $3 ORDER BY path_key LIMIT $4`;

/** Files in and below a directory (NFC, '' = all) with recorded digests, by path, those after `afterPathKey`. */
export async function recordedFiles(
  sql: Sql,
  where: { storageId: string; directoryKey: string },
  page: { afterPathKey: string; limit: number },
): Promise<RecordedFile[]> {
  const rows = await sql.query(LIST, [where.storageId, where.directoryKey, page.afterPathKey, page.limit], recordedRow);
  return rows.map((row) => ({
    path: row.path,
    pathKey: row.path_key,
    sizeBytes: row.size_bytes,
    mtimeNs: row.mtime_ns,
    fileId: row.file_id,
    xxh128: row.xxh128,
    md5: row.md5,
  }));
}

const sumRow = z.object({ files: z.number(), bytes: z.number() });
const SUM = `SELECT count(*)::float8 AS files, coalesce(sum(size_bytes), 0)::float8 AS bytes FROM storage_file WHERE ${RECORDED}`;

/** How many such files there are, and their bytes together. */
export async function sumRecorded(
  sql: Sql,
  where: { storageId: string; directoryKey: string },
): Promise<{ files: number; bytes: number }> {
  const [row] = await sql.query(SUM, [where.storageId, where.directoryKey], sumRow);
  return row ?? { files: 0, bytes: 0 };
}
