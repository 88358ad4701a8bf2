import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { createDatabase, type DatabaseOptions } from '../../agent/db/database.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';
import type { Database } from '../../agent/runtime/sql.ts';

/** A database of a test's own: migrated, empty, dropped by `drop`. */
export interface TestDatabase {
  /** URI of the plain role `isg`, which owns the database. */
  uri: string;
  /** The same role through the product's own adapter. */
  database: Database;
  /** Closes `database`, ends other connections, removes the database. */
  drop(): Promise<void>;
}

/** What a test may want different. */
export interface TestDatabaseOptions extends Partial<Omit<DatabaseOptions, 'uri'>> {
  /** True: without tables, not even the schema `isg`. */
  isBare?: boolean;
}

/** Runs statements as superuser in the database `postgres` of this run. */
export async function asSuperuser(statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: inject('postgres').adminUri });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Clones the migrated template (about 0.1 s). Call `drop` when done. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { isBare = false, ...databaseOptions } = options;
  const { isgUri, template } = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const from = isBare ? 'template1' : template;
  await asSuperuser([`CREATE DATABASE ${name} OWNER isg TEMPLATE ${from} STRATEGY FILE_COPY`]);
  const uri = `${isgUri}/${name}?sslmode=disable`;
  const database = createDatabase({ uri, log: silentLogger, ...databaseOptions });
  return {
    uri,
    database,
    drop: async () => {
      await database.close();
      await asSuperuser([`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`]);
    },
  };
}
