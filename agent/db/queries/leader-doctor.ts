import { z } from 'zod';
import { checkResultSchema } from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';

// One look from outside, by a process that has not watched: here, and only here, ages are taken from the database's clock.

const madeRow = z.object({ made: z.boolean() });
const lookRow = z.object({
  leaderless_ms: z.number().nullable(),
  members: z.array(
    z.object({
      name: z.string(),
      age_ms: z.number(),
      availability: z.string(),
      reason: z.string(),
      roles: z.array(z.string()),
      health: z.array(checkResultSchema).catch([]),
    }),
  ),
});
/** How long nobody has led (null: somebody does), and what each node said last. */
export type LeadershipLook = z.infer<typeof lookRow>;

const MADE = `SELECT to_regclass('leader_lease') IS NOT NULL AS made`;
const LOOK = `
SELECT (
    SELECT CASE WHEN released OR expires_at < now() THEN extract(epoch FROM now() - CASE
        WHEN NOT released THEN expires_at
        ELSE coalesce((SELECT max(ended_at) FROM leader_history), (SELECT min(started_at) FROM worker)) END) * 1000
      END::float8 FROM leader_lease) AS leaderless_ms,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'age_ms', extract(epoch FROM now() - last_seen_at) * 1000,
    'availability', availability_status, 'reason', status_reason, 'roles', roles, 'health', health) ORDER BY name), '[]')
    FROM worker) AS members`;

/** Null while the cluster has no tables yet. */
export async function lookAtLeadership(sql: Sql): Promise<LeadershipLook | null> {
  const [found] = await sql.query(MADE, [], madeRow);
  if (!found?.made) return null;
  const [look] = await sql.query(LOOK, [], lookRow);
  return look ?? null;
}
