import type { ErrorRecord } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';

// What a checksum job writes into the file index. Each statement changes the row only while it still is the one that was
// sent to be hashed: a scan that saw the file change meanwhile has moved it on, and its newer state stands.

/** The row as it was when the job was made. */
export interface HashedRow {
  storageId: string;
  /** NFC form of the path. */
  pathKey: string;
  sizeBytes: number;
  /** Decimal text. */
  mtimeNs: string;
}

const SAME_ROW = `storage_id = $1 AND path_key = $2 AND size_bytes = $3::bigint AND mtime_ns = $4::bigint AND state = 'hashing'`;

const identify = (row: HashedRow) => [row.storageId, row.pathKey, row.sizeBytes, row.mtimeNs];

const RECORD = `
UPDATE storage_file SET md5 = $5, xxh128 = $6, state = 'hashed', attempts = 0, next_attempt_at = now(), error = NULL
WHERE ${SAME_ROW}`;

/** Stores both digests (32 hex digits each) and hands the file to ingest. Answers whether the row took them. */
export async function recordDigests(
  sql: Sql,
  row: HashedRow,
  digests: { md5: string; xxh128: string },
): Promise<boolean> {
  return (await sql.execute(RECORD, [...identify(row), digests.md5, digests.xxh128])) > 0;
}

const RETURN_TO_SCAN = `
UPDATE storage_file SET state = 'seen', changed_at = now(), md5 = NULL, xxh128 = NULL, next_attempt_at = now()
WHERE ${SAME_ROW}`;

/** The file was not what the job described: the scan looks anew and waits for quiet again. */
export async function returnToScan(sql: Sql, row: HashedRow): Promise<boolean> {
  return (await sql.execute(RETURN_TO_SCAN, identify(row))) > 0;
}

const MARK_FAULTY = `UPDATE storage_file SET state = 'faulty', error = $5::jsonb WHERE ${SAME_ROW}`;

/** The file cannot be read and trying again will not help; `error` says why to people. */
export async function markUnreadable(sql: Sql, row: HashedRow, error: ErrorRecord): Promise<boolean> {
  return (await sql.execute(MARK_FAULTY, [...identify(row), JSON.stringify(error)])) > 0;
}
