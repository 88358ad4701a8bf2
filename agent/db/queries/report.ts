import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

const reportRow = z
  .object({
    total: z.number(),
    ingested: z.number(),
    ingesting: z.number(),
    await_checksum: z.number(),
    missing: z.number(),
    skipped: z.number(),
    faulty: z.number(),
    empty: z.number(),
    root_files: z.number(),
    root_folders: z.number(),
    root_skipped: z.number(),
    last_scan_seconds: z.number().nullable(),
    last_scan_ended_at: z.string().nullable(),
    problem: z.string().nullable(),
    uploads: z.number(),
    transcodes: z.number(),
  })
  .transform((row) => ({
    /** Files on the storage: all rows but the missing ones. */
    totalFiles: row.total,
    ingestedFiles: row.ingested,
    ingestingFiles: row.ingesting,
    awaitChecksumFiles: row.await_checksum,
    missingFiles: row.missing,
    /** Files the index keeps as skipped, plus entries the last scan passed over. */
    skippedFiles: row.skipped + row.root_skipped,
    faultyFiles: row.faulty,
    emptyFiles: row.empty,
    /** What the last full scan saw. */
    scannedFiles: row.root_files,
    totalFolders: row.root_folders,
    lastScanSeconds: row.last_scan_seconds,
    /** ISO 8601 with offset; null before the first full scan. */
    lastScanEndedAt: row.last_scan_ended_at,
    /** Why the storage cannot be scanned, in words; null when it can. */
    problem: row.problem,
    /** Upload jobs waiting or running. */
    waitingUploads: row.uploads,
    /** Transcode jobs waiting or running. */
    waitingTranscodes: row.transcodes,
  }));
/** The numbers of one storage that its report is made of. */
export type StorageFigures = z.infer<typeof reportRow>;

const FIGURES = `
WITH files AS (
  SELECT count(*) FILTER (WHERE state <> 'missing')::float8 AS total,
    count(*) FILTER (WHERE state = 'ingested')::float8 AS ingested,
    count(*) FILTER (WHERE state IN ('hashed', 'ingesting'))::float8 AS ingesting,
    count(*) FILTER (WHERE state IN ('seen', 'growing', 'ready', 'hashing'))::float8 AS await_checksum,
    count(*) FILTER (WHERE state = 'missing')::float8 AS missing,
    count(*) FILTER (WHERE state = 'skipped')::float8 AS skipped,
    count(*) FILTER (WHERE state = 'faulty')::float8 AS faulty,
    count(*) FILTER (WHERE state = 'empty')::float8 AS empty
  FROM storage_file WHERE storage_id = $1
),
jobs AS (
  SELECT count(*) FILTER (WHERE role = 'TRANSFER' AND kind = 'upload')::float8 AS uploads,
    count(*) FILTER (WHERE role = 'TRANSCODE' AND kind = 'transcode')::float8 AS transcodes
  FROM job WHERE storage_id = $1 AND state IN ('queued', 'leased')
)
SELECT files.*, jobs.*,
  coalesce(root.files, 0)::float8 AS root_files, coalesce(root.folders, 0)::float8 AS root_folders,
  coalesce(root.skipped, 0)::float8 AS root_skipped, root.last_scan_seconds,
  to_char(root.last_scan_ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS last_scan_ended_at,
  root.problem
FROM files CROSS JOIN jobs LEFT JOIN storage_root AS root ON root.storage_id = $1`;

/** All figures of one storage, from one statement and hence one instant. */
export async function storageFigures(sql: Sql, storageId: string): Promise<StorageFigures> {
  const [row] = await sql.query(FIGURES, [storageId], reportRow);
  if (!row) throw new Error('An aggregate over one storage answers one row.');
  return row;
}
