import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database, Sql } from '../runtime/sql.ts';
import { applyMigration } from './apply-migration.ts';
import { type Migration, readMigrations } from './migration-file.ts';

/** What `migrate` needs to know. */
export interface MigrateOptions {
  /** This program's version; a schema whose `min_version` is above it is not touched. */
  version: string;
  log: Logger;
  /** Folder of NNNNNN_slug.sql files; default is the one beside this file. */
  folder?: string;
  /** Told before a migration is applied, which may take minutes; in words for people. */
  onApplying?: (words: string) => void;
}

const CREATE_LEDGER = `CREATE TABLE IF NOT EXISTS schema_migration (
  version int PRIMARY KEY,
  name text NOT NULL,
  min_version text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

/** Where tables of ours are, and whether we may make some where unqualified names go. */
const FIND_PLACE = `SELECT current_schema()::text AS schema, current_user::text AS "user",
  coalesce(has_schema_privilege(current_schema()::text, 'CREATE'), false) AS may_create,
  to_regclass('schema_migration') IS NOT NULL AS is_ours,
  (SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'leader_term' AND c.relkind = 'r'
      AND EXISTS (SELECT 1 FROM pg_class m WHERE m.relnamespace = n.oid AND m.relname = 'schema_migration')
    ORDER BY n.nspname LIMIT 1) AS elsewhere`;
const placeRow = z.object({
  schema: z.string().nullable(),
  user: z.string(),
  may_create: z.boolean(),
  is_ours: z.boolean(),
  elsewhere: z.string().nullable(),
});

const appliedRow = z.object({ version: z.number(), name: z.string(), min_version: z.string() });

/** Compares dotted version numbers; what follows a hyphen is ignored. Negative when a is older than b. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string) => (text.split('-')[0] ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Whether tables of ours are in sight. Refuses to start a second set beside one that the connection cannot see (README:
 * where the tables are).
 */
async function findTables(database: Database): Promise<boolean> {
  const [place] = await database.query(FIND_PLACE, [], placeRow);
  if (place?.is_ours) return true;
  if (place === undefined) return false;
  if (place.elsewhere !== null) {
    throw new IsgError(
      'database-refused',
      `This database holds ISG Pro tables in schema "${place.elsewhere}", but new tables of user "${place.user}" would go to schema "${place.schema}". ` +
        `Use the user that made them, or ALTER ROLE "${place.user}" IN DATABASE … SET search_path = "${place.elsewhere}" and reconnect pgBouncer.`,
      { retry: 'permanent' },
    );
  }
  if (place.schema !== null && place.may_create) return false;
  throw new IsgError(
    'database-refused',
    `The database user "${place.user}" may not create tables. Run: CREATE SCHEMA isg AUTHORIZATION "${place.user}"; ALTER ROLE "${place.user}" IN DATABASE … SET search_path = isg.`,
    { retry: 'permanent' },
  );
}

/** How PostgreSQL refuses one of two nodes that both found the table absent: by row type, catalogue key or name. */
const MADE_MEANWHILE: readonly unknown[] = ['42710', '23505', '42P07'];

/** Racing nodes: whoever is refused looks again and finds the table there. */
async function createLedger(database: Database): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await database.execute(CREATE_LEDGER, []);
      return;
    } catch (thrown) {
      const state = thrown instanceof IsgError ? thrown.fields.sqlState : undefined;
      if (!MADE_MEANWHILE.includes(state) || attempt === 5) throw thrown;
    }
  }
}

const APPLIED = 'SELECT version, name, min_version FROM schema_migration';

function assertNotTooNew(applied: readonly z.infer<typeof appliedRow>[], ownVersion: string): void {
  for (const { name, min_version: needed } of applied) {
    if (compareVersions(ownVersion, needed) >= 0) continue;
    throw new IsgError(
      'schema-too-new',
      `The database schema ("${name}") needs version ${needed} or newer, this node is ${ownVersion}. Update this node.`,
      { retry: 'permanent', fields: { needed, ownVersion } },
    );
  }
}

/**
 * Throws `schema-too-new` when a contracting migration (README: min-version) asks for a newer program than `ownVersion`. For a
 * node that runs: a newer one may have brought that migration since it started. Also the database's own errors.
 */
export async function assertSchemaFits(sql: Sql, ownVersion: string): Promise<void> {
  assertNotTooNew(await sql.query(APPLIED, [], appliedRow), ownVersion);
}

/**
 * Brings the schema to the newest shape this program knows; forward only, each migration in a transaction of its own, safe
 * when several nodes do it at once. Throws `schema-too-new` when the schema needs a newer program, `schema-failed` when a
 * migration cannot be applied for good, `database-refused` when the tables cannot be made or are elsewhere, and the database's
 * other errors. May be called again after any error.
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<void> {
  const migrations = await readMigrations(options.folder ?? fileURLToPath(new URL('./migrations', import.meta.url)));
  if (!(await findTables(database))) await createLedger(database);
  for (const migration of migrations) {
    const applied = await database.query(APPLIED, [], appliedRow);
    assertNotTooNew(applied, options.version);
    const known = applied.find((row) => row.version === migration.version);
    if (known !== undefined && known.name !== migration.name) {
      throw new IsgError(
        'schema-failed',
        `The database knows migration ${migration.version} as "${known.name}", this program as "${migration.name}": it belongs to another program or build.`,
        { retry: 'permanent' },
      );
    }
    if (known !== undefined) continue;
    options.onApplying?.(
      `The tables of the database are brought to this version (${migration.name}). That waits for a moment in which nobody uses them, and may take minutes where they are large.`,
    );
    if (await applyMigration(database, migration, options.log))
      options.log.info('database schema changed', { migration: migration.name });
  }
  await sayNewer(database, migrations, options);
}

/** A node that is older than its database works on; that it is older must not come as a surprise. */
async function sayNewer(database: Database, migrations: Migration[], { version, log }: MigrateOptions): Promise<void> {
  const own = new Set(migrations.map((migration) => migration.version));
  const applied = await database.query(APPLIED, [], appliedRow);
  const newer = applied.filter((row) => !own.has(row.version)).map(({ name }) => name);
  if (newer.length === 0) return;
  log.info(
    `This node runs ${version}; the cluster's database holds changes of a newer version. It keeps working; new kinds of jobs are left to newer nodes.`,
    { newer },
  );
}
