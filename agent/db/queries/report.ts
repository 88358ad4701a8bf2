import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

const reportRow = z
  .object({
    files: z.record(z.string(), z.number()),
    root_files: z.number(),
    scan_files: z.number().nullable(),
    root_folders: z.number(),
    root_skipped: z.number(),
    last_scan_seconds: z.number().nullable(),
    last_scan_ended_at: z.string().nullable(),
    problem: z.string().nullable(),
    exported: z.number(),
    bad_sidecars: z.number(),
    uploads: z.number(),
    transcodes: z.number(),
    refused: z.array(z.object({ path: z.string(), message: z.string().nullable() })),
  })
  .transform((row) => {
    const inStates = (...states: string[]) => states.reduce((sum, state) => sum + (row.files[state] ?? 0), 0);
    const all = Object.values(row.files).reduce((sum, files) => sum + files, 0);
    return {
      /** Files on the storage: all rows but the missing ones. */
      totalFiles: all - inStates('missing'),
      ingestedFiles: inStates('ingested'),
      ingestingFiles: inStates('hashed', 'ingesting'),
      awaitChecksumFiles: inStates('seen', 'growing', 'ready', 'hashing'),
      missingFiles: inStates('missing'),
      /** Files the index keeps as skipped, but for the exported ones, plus entries the last scan passed over. */
      skippedFiles: Math.max(0, inStates('skipped') - row.exported) + row.root_skipped,
      /** Files that exports put here. */
      exportedFiles: row.exported,
      /** Sidecars that cannot be used until they are corrected. */
      badSidecars: row.bad_sidecars,
      faultyFiles: inStates('faulty'),
      emptyFiles: inStates('empty'),
      /** What the last full scan saw; before there was one, what the first has seen so far. */
      scannedFiles: row.last_scan_ended_at === null ? (row.scan_files ?? 0) : row.root_files,
      totalFolders: row.root_folders,
      lastScanSeconds: row.last_scan_seconds,
      /** ISO 8601 with offset; null before the first full scan. */
      lastScanEndedAt: row.last_scan_ended_at,
      /** Why the storage cannot be scanned, in words; null when it can. */
      problem: row.problem,
      /** Upload jobs waiting or running, relays to other gateways among them. */
      waitingUploads: row.uploads,
      /** Transcode jobs waiting or running. */
      waitingTranscodes: row.transcodes,
      /** The newest files that were given up or held back, with the reason, oldest first. */
      refused: row.refused.toReversed(),
    };
  });
/** The numbers of one storage that its report is made of. */
export type StorageFigures = z.infer<typeof reportRow>;

/** Refused files that are told by name. */
const REFUSED = 15;

// Each part of a queue by the index that holds it: what stands in the queue for others is not read.
const waiting = (role: string, kind: string): string => `(
    (SELECT count(*) FROM job WHERE state = 'queued' AND NOT deferred AND role = '${role}' AND kind = '${kind}'
      ${role === 'TRANSCODE' ? '' : "AND profile = ''"} AND coalesce(storage_id, '') = $1)
    + (SELECT count(*) FROM job WHERE state = 'queued' AND deferred AND role = '${role}' AND kind = '${kind}' AND storage_id = $1)
    + (SELECT count(*) FROM job WHERE state = 'leased' AND role = '${role}' AND kind = '${kind}' AND storage_id = $1)
  )::float8`;

const FIGURES = `
SELECT
  (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (
    SELECT state, sum(files) AS n FROM (
      SELECT state, files FROM storage_file_count WHERE storage_id = $1
      UNION ALL SELECT state, files FROM storage_file_change WHERE storage_id = $1) AS counted
    GROUP BY state HAVING sum(files) <> 0) AS by_state) AS files,
  (SELECT count(*) FROM storage_file WHERE storage_id = $1 AND error ->> 'code' = 'exported' AND state = 'skipped')::float8
    AS exported,
  (SELECT count(*) FROM storage_file WHERE storage_id = $1 AND error ->> 'code' = 'sidecar-invalid')::float8 AS bad_sidecars,
  ${waiting('TRANSFER', 'upload')} + ${waiting('TRANSFER', 'relay-upload')} AS uploads,
  ${waiting('TRANSCODE', 'transcode')} AS transcodes,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('path', path, 'message', message)), '[]') FROM (
    SELECT path, error ->> 'message' AS message FROM storage_file
    WHERE storage_id = $1 AND state IN ('faulty', 'skipped') AND error IS NOT NULL
      AND error ->> 'code' IS DISTINCT FROM 'exported'
    ORDER BY changed_at DESC LIMIT ${REFUSED}) AS newest) AS refused,
  coalesce(root.files, 0)::float8 AS root_files, root.scan_files::float8 AS scan_files, coalesce(root.folders, 0)::float8 AS root_folders,
  coalesce(root.skipped, 0)::float8 AS root_skipped, root.last_scan_seconds,
  to_char(root.last_scan_ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS last_scan_ended_at,
  root.problem
FROM (SELECT 1) AS always LEFT JOIN storage_root AS root ON root.storage_id = $1`;

/** All figures of one storage, from one statement and hence one instant. Costs the same however many files there are. */
export async function storageFigures(sql: Sql, storageId: string): Promise<StorageFigures> {
  const [row] = await sql.query(FIGURES, [storageId], reportRow);
  if (!row) throw new Error('An aggregate over one storage answers one row.');
  return row;
}

// Two that fold at once take different changes. In the order of states, so that no circle of waits forms.
const FOLD = `
WITH taken AS (
  DELETE FROM storage_file_change WHERE change_id IN (
    SELECT change_id FROM storage_file_change WHERE storage_id = $1 LIMIT 50000 FOR UPDATE SKIP LOCKED)
  RETURNING state, files
)
INSERT INTO storage_file_count (storage_id, state, files)
SELECT $1, state, sum(files) FROM taken GROUP BY state ORDER BY state
ON CONFLICT (storage_id, state) DO UPDATE SET files = storage_file_count.files + excluded.files`;

/** Folds the changes of the counts that have gathered into the counts; changes no figure. */
export async function foldFileCounts(sql: Sql, storageId: string): Promise<void> {
  await sql.execute(FOLD, [storageId]);
}
