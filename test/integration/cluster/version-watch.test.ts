import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VersionWatch } from '../../../agent/cluster/version-watch.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import type { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const CONTRACTION =
  "INSERT INTO schema_migration (version, name, min_version) VALUES (999002, 'next-contract', '0.2.0')";

let test: TestDatabase;
let watch: VersionWatch | null = null;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await watch?.stop();
  await test.database.execute('DELETE FROM schema_migration WHERE version = 999002', []);
});
afterAll(() => test.drop());

async function watched(version: string) {
  const told = Promise.withResolvers<IsgError>();
  let count = 0;
  let looks = 0;
  const onOutdated = (error: IsgError) => {
    count += 1;
    told.resolve(error);
  };
  const database: Sql = {
    execute: (text, values) => test.database.execute(text, values),
    query: async (text, values, row) => {
      const rows = await test.database.query(text, values, row);
      looks += 1;
      return rows;
    },
  };
  const parts = { clock: systemClock, log: silentLogger, members: () => [], everyMs: 20 };
  watch = new VersionWatch({ database, version, onOutdated, ...parts });
  await watch.start();
  return { told: told.promise, count: () => count, looks: () => looks };
}

describe('a running node', () => {
  it('is told once when a newer one has brought a change that asks for more than its version', async () => {
    const { told, count } = await watched('0.1.0');
    expect(count()).toBe(0);
    await test.database.execute(CONTRACTION, []);
    expect(await told).toMatchObject({
      code: 'schema-too-new',
      message:
        'The database schema ("next-contract") needs version 0.2.0 or newer, this node is 0.1.0. Update this node.',
    });
    await watch?.stop();
    expect(count()).toBe(1);
  });

  it('of the version that the change asks for goes on', async () => {
    const { count, looks } = await watched('0.2.0');
    await test.database.execute(CONTRACTION, []);
    const before = looks();
    await expect.poll(looks, { timeout: 10_000 }).toBeGreaterThan(before + 2);
    await watch?.stop();
    expect(count()).toBe(0);
  });
});
