import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

const problemRow = z.object({
  path: z.string(),
  path_key: z.string(),
  state: z.string(),
  size_bytes: z.number(),
  message: z.string().nullable(),
  next_attempt_ms: z.number(),
});
/** A file that needs attention, as it is listed. */
export type ProblemFileRow = z.infer<typeof problemRow>;

// The condition is that of the index storage_file_problem, word for word.
const PROBLEMS = `
SELECT path, path_key, state, size_bytes::float8, error ->> 'message' AS message,
  (extract(epoch FROM next_attempt_at) * 1000)::float8 AS next_attempt_ms
FROM storage_file
WHERE storage_id = $1 AND path_key > $2
  AND (state IN ('missing', 'faulty', 'skipped', 'empty') OR error IS NOT NULL)
ORDER BY path_key LIMIT $3`;

/** Files of a storage that need attention, by path, those after `afterPathKey` ('' = from the beginning). */
export function problemFiles(
  sql: Sql,
  storageId: string,
  page: { afterPathKey: string; limit: number },
): Promise<ProblemFileRow[]> {
  return sql.query(PROBLEMS, [storageId, page.afterPathKey, page.limit], problemRow);
}
