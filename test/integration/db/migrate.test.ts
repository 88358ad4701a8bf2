import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { startPgBouncer } from '../../support/pgbouncer.ts';
import { asSuperuser, createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const ledgerRow = z.object({ version: z.number(), name: z.string() });
const readLedger = (test: TestDatabase) =>
  test.database.query('SELECT version, name FROM schema_migration ORDER BY version', [], ledgerRow);

describe('migrate', () => {
  let test: TestDatabase;
  let folder: string;
  beforeEach(async () => {
    test = await createTestDatabase({ isBare: true });
    folder = await mkdtemp(join(tmpdir(), 'isg-pro-migrations-'));
  });
  afterEach(async () => {
    await test.drop();
    await rm(folder, { recursive: true });
  });

  it('makes the tables in the connection’s default schema, once, also when several nodes start at the same time', async () => {
    const nodes = Array.from({ length: 6 }, () =>
      createDatabase({ uri: test.uri, log: silentLogger, maxConnections: 2 }),
    );
    await Promise.all(nodes.map((node) => migrate(node, { version: '1.0.0', log: silentLogger })));
    await Promise.all(nodes.map((node) => node.close()));
    expect(await readLedger(test)).toContainEqual({ version: 1, name: 'initial' });
    expect(await test.database.execute('SELECT term FROM leader_term', [])).toBe(1);
    await migrate(test.database, { version: '1.0.0', log: silentLogger });
  });

  it('applies only what is missing, in order, and nothing of a migration that fails', async () => {
    const options = { version: '1.0.0', log: silentLogger, folder };
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int); INSERT INTO one VALUES (1);');
    await migrate(test.database, options);
    await writeFile(join(folder, '000002_two.sql'), 'INSERT INTO one VALUES (2); SELECT 1 / 0;');
    await expect(migrate(test.database, options)).rejects.toMatchObject({
      code: 'schema-failed',
      message: expect.stringMatching(/"two".*division by zero.*Nothing of it was applied/),
    });
    expect(await test.database.execute('SELECT 1 FROM one', [])).toBe(1);
    await writeFile(join(folder, '000002_two.sql'), 'INSERT INTO one VALUES (2);');
    await migrate(test.database, options);
    expect(await test.database.execute('SELECT 1 FROM one', [])).toBe(2);
    expect(await readLedger(test)).toEqual([
      { version: 1, name: 'one' },
      { version: 2, name: 'two' },
    ]);
  });

  it('waits for a table in use without keeping others from it, and goes on when it is free', async () => {
    const options = { version: '1.0.0', log: silentLogger, folder };
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int);');
    await migrate(test.database, options);
    await writeFile(join(folder, '000002_two.sql'), 'ALTER TABLE one ADD COLUMN two int;');
    const other = createDatabase({ uri: test.uri, log: silentLogger, maxConnections: 2 });
    let migrated: Promise<void> | undefined;
    await test.database.transaction(async (sql) => {
      await sql.execute('SELECT id FROM one', []);
      migrated = migrate(other, options);
      const waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'one'::regclass";
      const isWaiting = async () => (await sql.execute(waiting, [])) > 0;
      await expect.poll(isWaiting, { timeout: 10_000 }).toBe(true);
      // Stands behind the migration in the queue of locks, until that lets go.
      expect(await test.database.execute('SELECT id FROM one', [])).toBe(0);
    });
    await migrated;
    await other.close();
    expect(await test.database.execute('SELECT two FROM one', [])).toBe(0);
  });

  it('is ended for good by a row that exists already only when that is the migration’s own doing', async () => {
    const options = { version: '1.0.0', log: silentLogger, folder };
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int); INSERT INTO one VALUES (1), (1);');
    await migrate(test.database, options);
    await writeFile(join(folder, '000002_two.sql'), 'CREATE UNIQUE INDEX one_id ON one (id);');
    await expect(migrate(test.database, options)).rejects.toMatchObject({ code: 'schema-failed' });
    expect(await readLedger(test)).toHaveLength(1);
  });

  it.each(['directly', 'through pgBouncer in transaction mode'])(
    'holds no table longer than the change takes when its node stops in the middle, %s',
    async (way) => {
      const options = { version: '1.0.0', log: silentLogger, folder };
      await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int); INSERT INTO one VALUES (1);');
      await migrate(test.database, options);
      await writeFile(join(folder, '000002_two.sql'), 'ALTER TABLE one ADD COLUMN two int; SELECT pg_sleep(1);');
      const pooler = way === 'directly' ? null : await startPgBouncer(test.uri, { poolSize: 2 });
      const target = new URL(pooler?.uri ?? test.uri);
      // What a stopped process is to others: it hears no answer, and its connection stays.
      const proxy = await startFaultProxy({ targetPort: Number(target.port) });
      target.port = String(proxy.port);
      const stopping = createDatabase({ uri: target.href, log: silentLogger, maxConnections: 1 });
      const given = migrate(stopping, options).catch((thrown: unknown) => thrown);
      try {
        const held =
          "SELECT 1 FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'one'::regclass";
        const isHeld = async () => (await test.database.execute(held, [])) > 0;
        await expect.poll(isHeld, { timeout: 10_000, interval: 20 }).toBe(true);
        await proxy.setFaults({ cut: { down: 'hold' } });
        await test.database.transaction((sql) => sql.execute('UPDATE one SET id = 2', []), { lockTimeoutMs: 10_000 });
        expect(await test.database.execute('SELECT two FROM one', [])).toBe(1);
        expect(await readLedger(test)).toContainEqual({ version: 2, name: 'two' });
      } finally {
        await stopping.close();
        expect(await given).toMatchObject({ code: 'database-unreachable', fields: { inDoubt: true } });
        await proxy.stop();
        await pooler?.stop();
      }
      // At its next start there is nothing left to do.
      await migrate(test.database, options);
    },
  );

  it('says what it does before it does it, and nothing when there is nothing to do', async () => {
    const said: string[] = [];
    const options = { version: '1.0.0', log: silentLogger, folder, onApplying: (words: string) => said.push(words) };
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int);');
    await migrate(test.database, options);
    await migrate(test.database, options);
    expect(said).toEqual([expect.stringContaining('(one)')]);
  });

  it.each([
    ['000001-one.sql', 'SELECT 1'],
    ['000001_one.sql', '-- min-version: next\nSELECT 1'],
    ['000001_one.sql', "-- min-version: 1.0.0'); DROP TABLE one; --\nSELECT 1"],
  ])('refuses a file that is no migration: %s, %s', async (file, text) => {
    await writeFile(join(folder, file), text);
    const refused = migrate(test.database, { version: '1.0.0', log: silentLogger, folder });
    await expect(refused).rejects.toMatchObject({ code: 'schema-failed' });
  });

  it('stops a node that is older than the schema’s min_version, and only such a node', async () => {
    await writeFile(join(folder, '000001_one.sql'), '-- min-version: 2.10.0\nCREATE TABLE one (id int);');
    await migrate(test.database, { version: '2.10.0', log: silentLogger, folder });
    await rm(join(folder, '000001_one.sql'));
    await writeFile(join(folder, '000000_zero.sql'), 'CREATE TABLE zero (id int);');
    const old = migrate(test.database, { version: '2.9.1', log: silentLogger, folder });
    await expect(old).rejects.toMatchObject({ code: 'schema-too-new', retry: 'permanent' });
  });

  it('accepts a schema that is newer but still fits, and says what that means', async () => {
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int);');
    await migrate(test.database, { version: '1.0.0', log: silentLogger, folder });
    await test.database.execute("INSERT INTO schema_migration VALUES (2, 'later', '0.9.0')", []);
    const said: [string, unknown][] = [];
    const log = { ...silentLogger, info: (words: string, fields?: unknown) => said.push([words, fields]) };
    await migrate(test.database, { version: '1.0.0', log, folder });
    expect(said).toEqual([
      [expect.stringMatching(/^This node runs 1\.0\.0; .* It keeps working/), { newer: ['later'] }],
    ]);
  });

  it('refuses a second set of tables beside one that the connection no longer sees', async () => {
    await migrate(test.database, { version: '1.0.0', log: silentLogger });
    const name = new URL(test.uri).pathname.slice(1);
    await test.database.execute('CREATE SCHEMA isg', []);
    await asSuperuser([`ALTER ROLE isg IN DATABASE ${name} SET search_path = isg`]);
    const database = createDatabase({ uri: test.uri, log: silentLogger });
    const second = migrate(database, { version: '1.0.0', log: silentLogger });
    await expect(second).rejects.toMatchObject({
      code: 'database-refused',
      message: expect.stringContaining('"public"'),
    });
    await database.close();
  });

  it('keeps later tables beside the first ones when another schema comes to stand before them', async () => {
    const options = { version: '1.0.0', log: silentLogger, folder };
    await writeFile(join(folder, '000001_one.sql'), 'CREATE TABLE one (id int);');
    await migrate(test.database, options);
    await test.database.execute('CREATE SCHEMA isg', []);
    await writeFile(join(folder, '000002_two.sql'), 'CREATE TABLE two (id int);');
    await migrate(test.database, options);
    const schemas = await test.database.query(
      "SELECT schemaname AS schema FROM pg_tables WHERE tablename IN ('one', 'two', 'schema_migration')",
      [],
      z.object({ schema: z.string() }),
    );
    expect(schemas).toEqual([{ schema: 'public' }, { schema: 'public' }, { schema: 'public' }]);
  });

  it('says which rights are missing when it may not make tables', async () => {
    const name = new URL(test.uri).pathname.slice(1);
    await asSuperuser([`ALTER DATABASE ${name} OWNER TO postgres`]);
    await expect(migrate(test.database, { version: '1.0.0', log: silentLogger })).rejects.toMatchObject({
      code: 'database-refused',
      message: expect.stringContaining('CREATE SCHEMA isg'),
    });
  });
});
