import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';
import type { FenceHolder } from './fence.ts';
import { fencedExecute } from './fence.ts';

/** Fingerprints of directories: what stands for all rows of one (migration 000006). Directories are keys, in NFC. */

const knownRow = z
  .object({ directory: z.string(), fingerprint: z.string().nullable(), is_waiting: z.boolean() })
  .transform((row) => ({ directory: row.directory, fingerprint: row.fingerprint, isWaiting: row.is_waiting }));
/** What the index knows of a directory. `isWaiting`: it holds files that are ready once they are quiet. */
export type KnownDirectory = z.infer<typeof knownRow>;

const READ_KNOWN = `
SELECT directory, fingerprint, EXISTS (
  SELECT 1 FROM storage_file AS file
  WHERE file.storage_id = known.storage_id AND file.directory = known.directory AND file.state IN ('seen', 'growing')
) AS is_waiting
FROM storage_directory AS known WHERE storage_id = $1 AND directory = ANY ($2::text[]) AND fingerprint IS NOT NULL`;

/** The directories among these that have a fingerprint. */
export function readFingerprints(
  sql: Sql,
  storageId: string,
  directories: readonly string[],
): Promise<KnownDirectory[]> {
  return sql.query(READ_KNOWN, [storageId, directories], knownRow);
}

const generationRow = z.object({ directory: z.string(), generation: z.string() });

const READ_GENERATIONS = `
SELECT directory, generation::text FROM storage_directory WHERE storage_id = $1 AND directory = ANY ($2::text[])`;

/**
 * How often the rows of directories were changed by others so far; '0' for one never heard of. Read it before the rows: a
 * fingerprint of what was read then is refused when somebody has changed them since.
 */
export async function readGenerations(
  sql: Sql,
  storageId: string,
  directories: readonly string[],
): Promise<(directory: string) => string> {
  const rows = await sql.query(READ_GENERATIONS, [storageId, directories], generationRow);
  const known = new Map(rows.map((row) => [row.directory, row.generation]));
  return (directory) => known.get(directory) ?? '0';
}

const BEGIN_PASS = "SELECT set_config('isg.scan_pass', 'on', true)";

/** From here to the end of the transaction, writes of rows leave fingerprints alone: `writeFingerprints` must end it. */
export async function beginFingerprintedWrites(sql: Sql): Promise<void> {
  await sql.execute(BEGIN_PASS, []);
}

/** The fingerprint of a directory whose rows say just what it is of. */
export interface WrittenDirectory {
  directory: string;
  fingerprint: string;
  /** As `readGenerations` told before the rows were read. */
  generation: string;
}

const WRITE = `
INSERT INTO storage_directory AS known (storage_id, directory, generation, fingerprint)
SELECT $1, directory, generation, fingerprint
FROM unnest($2::text[], $3::bigint[], $4::text[]) AS written (directory, generation, fingerprint)
ORDER BY directory
ON CONFLICT (storage_id, directory) DO UPDATE SET
  fingerprint = CASE WHEN known.generation = excluded.generation THEN excluded.fingerprint END`;

/** Writes fingerprints inside a fenced transaction, after the rows; of a directory changed by others meanwhile, none. */
export async function writeFingerprints(
  sql: Sql,
  storageId: string,
  written: readonly WrittenDirectory[],
): Promise<void> {
  await sql.execute(WRITE, [
    storageId,
    written.map((one) => one.directory),
    written.map((one) => one.generation),
    written.map((one) => one.fingerprint),
  ]);
}

const VOID = `
INSERT INTO storage_directory AS known (storage_id, directory, generation)
SELECT $1, directory, 1 FROM unnest($2::text[]) AS touched (directory) ORDER BY directory
ON CONFLICT (storage_id, directory) DO UPDATE SET generation = known.generation + 1, fingerprint = NULL`;

/** Makes the fingerprints of directories void: what they say is not all that the rows should say. Each at most once. */
export async function voidFingerprints(
  sql: Sql,
  storageId: string,
  written: readonly Pick<WrittenDirectory, 'directory'>[],
): Promise<void> {
  const directories = written.map((one) => one.directory);
  await sql.execute(VOID, [storageId, directories]);
}

// By ctid: right after a first scan the planner knows nothing of the table, and by any other key it would read all waiting
// files of the storage for each directory. A row that moved meanwhile is left to the next round.
const PROMOTE = `,
due AS MATERIALIZED (
  SELECT ctid AS place FROM storage_file
  WHERE storage_id = $3 AND directory = $4 AND state IN ('seen', 'growing')
    AND changed_at <= now() - make_interval(secs => $5)
  LIMIT $6
),
changed AS (
  UPDATE storage_file AS file SET state = 'ready', attempts = 0, next_attempt_at = now(), error = NULL
  FROM fence
  WHERE file.ctid = ANY (ARRAY(SELECT place FROM due))
    AND file.storage_id = $3 AND file.directory = $4 AND file.state IN ('seen', 'growing')
    AND file.changed_at <= now() - make_interval(secs => $5)
  RETURNING 1
)`;

/** Makes up to `limit` files ready that were quiet for `quietSeconds`, in a directory that a pass found unchanged. */
export function promoteQuiet(
  sql: Sql,
  holder: FenceHolder,
  storageId: string,
  quiet: { directory: string; quietSeconds: number; limit: number },
): Promise<number> {
  return fencedExecute(sql, holder, PROMOTE, [storageId, quiet.directory, quiet.quietSeconds, quiet.limit]);
}

const NEXT_KNOWN = `
SELECT directory FROM storage_directory WHERE storage_id = $1 AND directory > $2 ORDER BY directory LIMIT $3`;

/** Up to `limit` directories below the root of which anything is remembered, after `after` ('' = from the start). */
export async function nextKnownDirectories(
  sql: Sql,
  storageId: string,
  after: string,
  limit: number,
): Promise<string[]> {
  const rows = await sql.query(NEXT_KNOWN, [storageId, after, limit], z.object({ directory: z.string() }));
  return rows.map((row) => row.directory);
}

const FORGET = `,
changed AS (
  DELETE FROM storage_directory AS known USING fence
  WHERE known.storage_id = $3 AND known.directory = ANY ($4::text[]) AND NOT EXISTS (
    SELECT 1 FROM storage_file AS file
    WHERE file.storage_id = known.storage_id AND file.directory = known.directory AND file.state NOT IN ('missing', 'skipped')
  )
  RETURNING 1
)`;

/** Forgets directories in which no file is present; the generation begins anew, so no pass may be comparing them. */
export function forgetDirectories(
  sql: Sql,
  holder: FenceHolder,
  storageId: string,
  directories: readonly string[],
): Promise<number> {
  return fencedExecute(sql, holder, FORGET, [storageId, directories]);
}
