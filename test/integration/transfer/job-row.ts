import { z } from 'zod';
import type { Sql } from '../../../agent/runtime/sql.ts';

const leasedRow = z.object({ job_id: z.string(), lease_token: z.string() });

/** A leased job row of this kind, as the runner would have made it. */
export async function insertLeasedJob(sql: Sql, kind: string): Promise<{ jobId: string; leaseToken: string }> {
  const [row] = await sql.query(
    `INSERT INTO job (role, kind, payload, dedupe_key, state, lease_token)
     VALUES ('TRANSFER', $1, '{}', gen_random_uuid()::text, 'leased', nextval('lease_token'))
     RETURNING job_id::text, lease_token::text`,
    [kind],
    leasedRow,
  );
  if (!row) throw new Error('no row');
  return { jobId: row.job_id, leaseToken: row.lease_token };
}

const fileRow = z.object({
  path_key: z.string(),
  state: z.string(),
  size_bytes: z.string(),
  mtime_ns: z.string(),
  file_id: z.string(),
  md5: z.string().nullable(),
  xxh128: z.string().nullable(),
  asset_id: z.string().nullable(),
  format_id: z.string().nullable(),
  file_set_id: z.string().nullable(),
  iconik_file_id: z.string().nullable(),
  is_due: z.boolean(),
  error: z.unknown(),
});
/** A row of the file index as tests look at it. */
export type IndexRow = z.infer<typeof fileRow>;

/** The index of a storage, by path. */
export function indexRows(sql: Sql, storageId: string): Promise<IndexRow[]> {
  return sql.query(
    `SELECT path_key, state, size_bytes::text, mtime_ns::text, file_id, md5, xxh128, asset_id, format_id, file_set_id,
       iconik_file_id, next_attempt_at <= now() AS is_due, error
     FROM storage_file WHERE storage_id = $1 ORDER BY path_key`,
    [storageId],
    fileRow,
  );
}

/** Puts a file into the index. */
export async function insertIndexRow(
  sql: Sql,
  row: {
    storageId: string;
    path: string;
    state: string;
    sizeBytes?: number;
    mtimeNs?: string;
    assetId?: string | null;
  },
): Promise<void> {
  await sql.execute(
    `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, asset_id)
     VALUES ($1, $2, $2, '', $3, $4::bigint, '1', $5, $6)`,
    [row.storageId, row.path, row.sizeBytes ?? 1, row.mtimeNs ?? '1', row.state, row.assetId ?? null],
  );
}
