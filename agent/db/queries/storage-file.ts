import { z } from 'zod';
import type { FileState } from '../../contract/index.ts';
import { fileStateSchema } from '../../contract/index.ts';
import type { ErrorRecord } from '../../runtime/errors.ts';
import type { Database, Sql } from '../../runtime/sql.ts';
import type { WrittenDirectory } from './directory-fingerprint.ts';
import { beginFingerprintedWrites, voidFingerprints, writeFingerprints } from './directory-fingerprint.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute, LEADER_LIMITS, withLeaderFence } from './fence.ts';

/** The index of files as a scan reads and writes it. Paths of `directory` and `path_key` are in NFC. */

/** 64-bit integers that arrive as text; sizes of files fit into a double. */
const integerText = z.string().regex(/^-?\d+$/);

const indexedRow = z
  .object({
    path_key: z.string(),
    path: z.string(),
    directory: z.string(),
    size_bytes: integerText,
    mtime_ns: integerText,
    file_id: z.string(),
    state: fileStateSchema,
    has_digests: z.boolean(),
    quiet_seconds: z.number(),
    is_held: z.boolean(),
  })
  .transform((row) => ({
    pathKey: row.path_key,
    path: row.path,
    directory: row.directory,
    sizeBytes: Number(row.size_bytes),
    mtimeNs: row.mtime_ns,
    fileId: row.file_id,
    state: row.state,
    hasDigests: row.has_digests,
    quietSeconds: row.quiet_seconds,
    isHeld: row.is_held,
  }));
/**
 * One row of the index as far as a scan needs it. `hasDigests`: both are there and belong to these facts. `quietSeconds`:
 * since a scan last saw the file differ, by the database's clock. `isHeld`: its writer holds the row until a later time (a
 * download that is not in place yet).
 */
export type IndexedFileRow = z.infer<typeof indexedRow>;

const READ_DIRECTORIES = `
SELECT path_key, path, directory, size_bytes::text, mtime_ns::text, file_id, state,
  (md5 IS NOT NULL AND xxh128 IS NOT NULL) AS has_digests,
  extract(epoch FROM now() - changed_at)::float8 AS quiet_seconds,
  (state = 'ingesting' AND next_attempt_at > now()) AS is_held
FROM storage_file WHERE storage_id = $1 AND directory = ANY ($2::text[])`;

/** All rows of some directories (not of those below them). */
export function readDirectories(
  sql: Sql,
  storageId: string,
  directories: readonly string[],
): Promise<IndexedFileRow[]> {
  return sql.query(READ_DIRECTORIES, [storageId, directories], indexedRow);
}

// Jumps from one distinct value to the next by the index instead of reading every row.
const NEXT_DIRECTORIES = `
WITH RECURSIVE known AS (
  (SELECT directory FROM storage_file WHERE storage_id = $1 AND directory > $2 ORDER BY directory LIMIT 1)
  UNION ALL
  SELECT (SELECT directory FROM storage_file WHERE storage_id = $1 AND directory > known.directory ORDER BY directory LIMIT 1)
  FROM known WHERE known.directory IS NOT NULL
)
SELECT directory FROM known WHERE directory IS NOT NULL LIMIT $3`;

/** Up to `limit` directories below the root that the index knows, in the index's order, after `after` ('' = from the start). */
export async function nextDirectories(sql: Sql, storageId: string, after: string, limit: number): Promise<string[]> {
  const rows = await sql.query(NEXT_DIRECTORIES, [storageId, after, limit], z.object({ directory: z.string() }));
  return rows.map((row) => row.directory);
}

/** What a row looked like when a change was planned. The change is dropped when it looks otherwise by now. */
export interface RowBefore {
  state: FileState;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
}

/** One row to insert (`before` null) or to change. */
export interface FileRowChange {
  pathKey: string;
  path: string;
  directory: string;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
  state: FileState;
  /** Keep digests and the time of the last change. */
  keepContent: boolean;
  before: RowBefore | null;
}

// The rows to update are named once more as an array: right after a first scan the planner knows nothing of the table
// and would read all of it for each batch.
// A row that another wrote meanwhile (a digest that arrived, a download) is left to the next pass: the plan was made
// from what it looked like before.
const APPLY = `,
incoming AS (
  SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::bool[],
                       $12::text[], $13::bigint[], $14::bigint[], $15::text[])
    AS file (path_key, path, directory, size_bytes, mtime_ns, file_id, state, keep_content,
             old_state, old_size_bytes, old_mtime_ns, old_file_id)
),
inserted AS (
  INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state)
  SELECT $3, path_key, path, directory, size_bytes, mtime_ns, file_id, state FROM incoming, fence WHERE old_state IS NULL
  ON CONFLICT (storage_id, path_key) DO NOTHING RETURNING 1
),
updated AS (
  UPDATE storage_file AS file SET
    path = incoming.path, directory = incoming.directory, size_bytes = incoming.size_bytes,
    mtime_ns = incoming.mtime_ns, file_id = incoming.file_id, state = incoming.state,
    changed_at = CASE WHEN keep_content THEN file.changed_at ELSE now() END,
    xxh128 = CASE WHEN keep_content THEN file.xxh128 END, md5 = CASE WHEN keep_content THEN file.md5 END,
    attempts = 0, next_attempt_at = now(), error = NULL
  FROM incoming, fence
  WHERE file.storage_id = $3 AND file.path_key = ANY ($16::text[]) AND file.path_key = incoming.path_key AND file.state = old_state
    AND file.size_bytes = old_size_bytes AND file.mtime_ns = old_mtime_ns AND file.file_id = old_file_id
  RETURNING 1
),
changed AS (SELECT 1 FROM inserted UNION ALL SELECT 1 FROM updated)`;

/** Writes what a scan found; answers how many rows took it. Keep the batch to about 1,000 rows. */
export function applyChanges(
  sql: Sql,
  holder: FenceHolder,
  storageId: string,
  changes: readonly FileRowChange[],
): Promise<number> {
  return fencedExecute(sql, holder, APPLY, [
    storageId,
    changes.map((change) => change.pathKey),
    changes.map((change) => change.path),
    changes.map((change) => change.directory),
    changes.map((change) => change.sizeBytes),
    changes.map((change) => change.mtimeNs),
    changes.map((change) => change.fileId),
    changes.map((change) => change.state),
    changes.map((change) => change.keepContent),
    changes.map((change) => change.before?.state ?? null),
    changes.map((change) => change.before?.sizeBytes ?? null),
    changes.map((change) => change.before?.mtimeNs ?? null),
    changes.map((change) => change.before?.fileId ?? null),
    changes.filter((change) => change.before !== null).map((change) => change.pathKey),
  ]);
}

/** The index that `applyWithFingerprints` writes to, and by whose leave. */
export interface FingerprintedIndex {
  database: Database;
  leadership: FenceHolder;
  storageId: string;
}

/**
 * `applyChanges` together with the fingerprints of the directories that the rows are of, in one fenced transaction. When a
 * row did not take its change (somebody else wrote it meanwhile), no fingerprint is written.
 */
export function applyWithFingerprints(
  index: FingerprintedIndex,
  changes: readonly FileRowChange[],
  written: readonly WrittenDirectory[],
): Promise<number> {
  const { database, leadership, storageId } = index;
  return withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) => {
    if (changes.length === 0) {
      await writeFingerprints(sql, storageId, written);
      return 0;
    }
    await beginFingerprintedWrites(sql);
    const changed = await applyChanges(sql, leadership, storageId, changes);
    const isWhole = changed === changes.length;
    await (isWhole ? writeFingerprints(sql, storageId, written) : voidFingerprints(sql, storageId, written));
    return changed;
  });
}

/**
 * Has the planner learn the table after many rows were written: the statistics that autovacuum makes come a minute late, and
 * until then batches may be planned as for an empty table. Gives up quickly when the table is being worked on.
 */
export async function refreshFileStatistics(database: Database): Promise<void> {
  const limits = { lockTimeoutMs: 300, statementTimeoutMs: 10_000 };
  await database.transaction((sql) => sql.execute('ANALYZE storage_file, storage_directory', []), limits);
}

const MARK_MISSING = `,
absent AS (
  SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS file (path_key, state, size_bytes, mtime_ns)
),
changed AS (
  UPDATE storage_file AS file SET state = 'missing', attempts = 0, next_attempt_at = now(), error = NULL
  FROM absent, fence
  WHERE file.storage_id = $3 AND file.path_key = absent.path_key AND file.state = absent.state
    AND file.size_bytes = absent.size_bytes AND file.mtime_ns = absent.mtime_ns
  RETURNING 1
)`;

/** Marks rows missing whose absence is proven; a row that changed since it was read stays. */
export function markMissing(
  sql: Sql,
  holder: FenceHolder,
  storageId: string,
  rows: readonly (RowBefore & { pathKey: string })[],
): Promise<number> {
  return fencedExecute(sql, holder, MARK_MISSING, [
    storageId,
    rows.map((row) => row.pathKey),
    rows.map((row) => row.state),
    rows.map((row) => row.sizeBytes),
    rows.map((row) => row.mtimeNs),
  ]);
}

const countRow = z.object({ present: z.boolean() });

const HAS_PRESENT = `SELECT EXISTS (
  SELECT 1 FROM storage_file WHERE storage_id = $1 AND state NOT IN ('missing', 'skipped')) AS present`;

/** Whether the index holds any file of the storage for present. */
export async function hasPresentFiles(sql: Sql, storageId: string): Promise<boolean> {
  const [row] = await sql.query(HAS_PRESENT, [storageId], countRow);
  return row?.present ?? false;
}

const missingRow = z
  .object({ path_key: z.string(), path: z.string(), attempts: z.number() })
  .transform((row) => ({ pathKey: row.path_key, path: row.path, attempts: row.attempts }));
/** A missing file that iconik has not been told of. */
export type UnreportedMissing = z.infer<typeof missingRow>;

// A missing row without an error is one that iconik has not been told of: `markMissing` clears the error, and telling sets it.
const UNREPORTED_MISSING = `
SELECT path_key, path, attempts FROM storage_file
WHERE storage_id = $1 AND state = 'missing' AND iconik_file_id IS NOT NULL AND error IS NULL AND next_attempt_at <= now()
ORDER BY next_attempt_at LIMIT $2`;

/** Missing files with a record in iconik that does not say so yet, oldest first. */
export function unreportedMissing(sql: Sql, storageId: string, limit: number): Promise<UnreportedMissing[]> {
  return sql.query(UNREPORTED_MISSING, [storageId, limit], missingRow);
}

const REPORTED = `,
changed AS (
  UPDATE storage_file SET error = $5::jsonb FROM fence
  WHERE storage_id = $3 AND path_key = $4 AND state = 'missing' RETURNING 1
)`;

/** Remembers that iconik shows the file as missing; `error` says so to people. */
export function recordMissingReported(
  sql: Sql,
  holder: FenceHolder,
  file: { storageId: string; pathKey: string },
  error: ErrorRecord,
): Promise<number> {
  return fencedExecute(sql, holder, REPORTED, [file.storageId, file.pathKey, JSON.stringify(error)]);
}

const REPORT_LATER = `,
changed AS (
  UPDATE storage_file SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $5 / 1000.0) FROM fence
  WHERE storage_id = $3 AND path_key = $4 AND state = 'missing' RETURNING 1
)`;

/** Puts the report of a missing file off. */
export function postponeMissingReport(
  sql: Sql,
  holder: FenceHolder,
  file: { storageId: string; pathKey: string },
  afterMs: number,
): Promise<number> {
  return fencedExecute(sql, holder, REPORT_LATER, [file.storageId, file.pathKey, Math.ceil(afterMs)]);
}
