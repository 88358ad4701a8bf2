import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { askOnce, type OwnPostgres, startOwnPostgres } from '../../support/own-postgres.ts';

/** A server of its own, because autovacuum must look every second there. */

/** For the launcher to come by and for a table of some hundred pages; a vacuum at this pace takes minutes. */
const SLOW_TABLE = `CREATE TABLE one (id int, fill text) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
  INSERT INTO one SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) AS n;
  DELETE FROM one WHERE id % 2 = 0`;

let server: OwnPostgres | null = null;
let database: Database | null = null;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-migrations-'));
});
afterEach(async () => {
  await database?.close();
  await server?.stop();
  [database, server] = [null, null];
  await rm(folder, { recursive: true, force: true });
});

describe.runIf(isLong)(`a migration of a table that autovacuum is busy with for minutes${onlyLong}`, () => {
  it('is applied, because it now and then waits until the vacuum makes way', { timeout: 180_000 }, async () => {
    server = await startOwnPostgres('vacuum', ['autovacuum=on', 'autovacuum_naptime=1s']);
    await askOnce(server.uriOf('postgres', 'postgres'), 'CREATE DATABASE vacuumed OWNER isg');
    database = createDatabase({ uri: `${server.uriOf('isg', 'vacuumed')}?sslmode=disable`, log: silentLogger });
    const said: unknown[] = [];
    const log = { ...silentLogger, info: (_: string, fields?: unknown) => said.push(fields) };
    const options = { version: '1.0.0', log, folder };
    await writeFile(join(folder, '000001_one.sql'), SLOW_TABLE);
    await migrate(database, options);
    const vacuums = "SELECT 1 FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND relation = 'one'::regclass";
    await expect.poll(() => database?.execute(vacuums, []), { timeout: 60_000, interval: 100 }).toBe(1);
    await writeFile(join(folder, '000002_two.sql'), 'ALTER TABLE one ADD COLUMN two int;');
    const startMs = performance.now();
    await migrate(database, options);
    expect(performance.now() - startMs).toBeLessThan(60_000);
    // The first attempts do not wait long enough: without the longer one it would have gone on so.
    expect(said).toContainEqual(expect.objectContaining({ migration: 'two', vacuum: expect.any(String) }));
  });
});
