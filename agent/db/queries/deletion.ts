import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import type { OrderedFile } from './ordered-file.ts';

// Conditional on everything the decision rested on: a scan that saw a new file at the path meanwhile keeps its row.
const REMOVE = `
DELETE FROM storage_file
WHERE storage_id = $1 AND path_key = $2 AND size_bytes = $3::bigint AND mtime_ns = $4::bigint
  AND iconik_file_id IS NOT DISTINCT FROM $5`;

/**
 * Removes the row of a deleted file, so that a file that appears at the path later counts as new. A row that changed
 * since `file` was read stays.
 */
export async function removeFileRow(
  sql: Sql,
  storageId: string,
  file: Pick<OrderedFile, 'pathKey' | 'sizeBytes' | 'mtimeNs' | 'iconikFileId'>,
): Promise<void> {
  await sql.execute(REMOVE, [storageId, file.pathKey, String(file.sizeBytes), file.mtimeNs, file.iconikFileId]);
}

const markerRow = z.object({ placed_marker: z.boolean() });
const MARKER = 'SELECT placed_marker FROM storage_root WHERE storage_id = $1';

/** Whether the storage's root once carried our identity marker. */
export async function hasPlacedMarker(sql: Sql, storageId: string): Promise<boolean> {
  const [row] = await sql.query(MARKER, [storageId], markerRow);
  return row?.placed_marker ?? false;
}
