import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';

/** What scans know of a storage's root. */

const rootRow = z.object({ placed_marker: z.boolean() });

const READ_ROOT = 'SELECT placed_marker FROM storage_root WHERE storage_id = $1';

/** Whether the storage's root once carried our identity marker. */
export async function hasPlacedMarker(sql: Sql, storageId: string): Promise<boolean> {
  const [row] = await sql.query(READ_ROOT, [storageId], rootRow);
  return row?.placed_marker ?? false;
}

const usedRow = z.object({ used: z.boolean() });

const EVER_USED = `
SELECT EXISTS (SELECT 1 FROM storage_file WHERE storage_id = $1)
  OR EXISTS (SELECT 1 FROM storage_root WHERE storage_id = $1 AND (placed_marker OR files > 0)) AS used`;

/** Whether the index knows or once knew of a file or of our marker on the storage: then its root cannot be new. */
export async function hasEverHeldFiles(sql: Sql, storageId: string): Promise<boolean> {
  const [row] = await sql.query(EVER_USED, [storageId], usedRow);
  return row?.used ?? true;
}

const RECORD_MARKER = `,
changed AS (
  INSERT INTO storage_root (storage_id, placed_marker) SELECT $3, true FROM fence
  ON CONFLICT (storage_id) DO UPDATE SET placed_marker = true RETURNING 1
)`;

/** Remembers that the root carries our marker: from now on a root without it is not this storage. */
export function recordMarkerPlaced(sql: Sql, holder: FenceHolder, storageId: string): Promise<number> {
  return fencedExecute(sql, holder, RECORD_MARKER, [storageId]);
}

/** Sums of one finished pass. */
export interface ScanSums {
  files: number;
  folders: number;
  skipped: number;
  seconds: number;
  /** What was wrong although the pass ended; null when nothing. */
  problem: string | null;
}

const RECORD_SCAN = `,
changed AS (
  INSERT INTO storage_root (storage_id, last_scan_started_at, last_scan_ended_at, last_scan_seconds, files, folders, skipped, problem)
  SELECT $3, now() - make_interval(secs => $4), now(), $4, $5, $6, $7, $8 FROM fence
  ON CONFLICT (storage_id) DO UPDATE SET last_scan_started_at = excluded.last_scan_started_at,
    last_scan_ended_at = excluded.last_scan_ended_at, last_scan_seconds = excluded.last_scan_seconds,
    files = excluded.files, folders = excluded.folders, skipped = excluded.skipped, problem = excluded.problem,
    scan_files = NULL
  RETURNING 1
)`;

/** Records a pass that ended. */
export function recordScan(sql: Sql, holder: FenceHolder, storageId: string, sums: ScanSums): Promise<number> {
  return fencedExecute(sql, holder, RECORD_SCAN, [
    storageId,
    Math.round(sums.seconds),
    sums.files,
    sums.folders,
    sums.skipped,
    sums.problem,
  ]);
}

const RECORD_PROGRESS = `,
changed AS (
  INSERT INTO storage_root (storage_id, scan_files) SELECT $3, $4 FROM fence
  ON CONFLICT (storage_id) DO UPDATE SET scan_files = excluded.scan_files RETURNING 1
)`;

/** Records how many files the pass under way has seen; its end takes the number away. */
export function recordScanProgress(sql: Sql, holder: FenceHolder, storageId: string, files: number): Promise<number> {
  return fencedExecute(sql, holder, RECORD_PROGRESS, [storageId, files]);
}

const RECORD_PROBLEM = `,
changed AS (
  INSERT INTO storage_root (storage_id, problem) SELECT $3, $4 FROM fence
  ON CONFLICT (storage_id) DO UPDATE SET problem = excluded.problem, scan_files = NULL RETURNING 1
)`;

/** Records why a storage could not be scanned; the sums of the last pass stay. */
export function recordScanProblem(sql: Sql, holder: FenceHolder, storageId: string, problem: string): Promise<number> {
  return fencedExecute(sql, holder, RECORD_PROBLEM, [storageId, problem]);
}
