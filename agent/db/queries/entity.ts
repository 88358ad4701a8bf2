import { z } from 'zod';
import type { Sql } from '../../runtime/sql.ts';

/** Kinds of iconik entities that are kept for times when iconik is away. */
export type EntityKind = 'storage_gateway' | 'cluster' | 'storage';

// The newest copy that any node has seen counts for all; an older one never replaces it.
const KEEP = `
INSERT INTO entity (kind, id, body, date_modified) VALUES ($1, $2, $3::jsonb, $4)
ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, date_modified = excluded.date_modified, seen_at = now()
WHERE entity.date_modified IS NULL OR excluded.date_modified >= entity.date_modified`;

/** Keeps a copy of an entity. `body` must hold no secret. */
export async function keepEntity(
  sql: Sql,
  entity: { kind: EntityKind; id: string; body: Record<string, unknown>; dateModified: string | null },
): Promise<void> {
  await sql.execute(KEEP, [entity.kind, entity.id, JSON.stringify(entity.body), entity.dateModified]);
}

const entityRow = z.object({ body: z.record(z.string(), z.unknown()) });

/** The kept copy, or null. */
export async function keptEntity(sql: Sql, kind: EntityKind, id: string): Promise<Record<string, unknown> | null> {
  const [row] = await sql.query('SELECT body FROM entity WHERE kind = $1 AND id = $2', [kind, id], entityRow);
  return row?.body ?? null;
}
