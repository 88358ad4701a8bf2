import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { foldFileCounts, storageFigures } from '../../../agent/db/queries/report.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

const STATES = ['seen', 'ready', 'ingested', 'missing', 'skipped', 'faulty', 'empty'] as const;
const INSERT = `
INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state)
SELECT $1, n::text, n::text, '', 1, 1, '1', $3 FROM generate_series($2::int, $2::int + $4::int - 1) AS n
ON CONFLICT (storage_id, path_key) DO UPDATE SET state = excluded.state`;
const UPDATE = `UPDATE storage_file SET state = $3, storage_id = $5
WHERE storage_id = $1 AND path_key::int BETWEEN $2 AND $2::int + $4::int
  AND NOT EXISTS (SELECT 1 FROM storage_file AS other WHERE other.storage_id = $5 AND other.path_key = storage_file.path_key AND $5 <> $1)`;
const DELETE = 'DELETE FROM storage_file WHERE storage_id = $1 AND path_key::int BETWEEN $2 AND $2::int + $3::int';
const COUNTED = `SELECT state, count(*)::float8 AS n FROM storage_file WHERE storage_id = $1 GROUP BY state`;

const step = fc.record({
  what: fc.constantFrom('insert', 'update', 'delete', 'fold'),
  storage: fc.constantFrom('a', 'b'),
  to: fc.constantFrom('a', 'b'),
  from: fc.nat({ max: 40 }),
  many: fc.integer({ min: 1, max: 20 }),
  state: fc.constantFrom(...STATES),
});

describe('the counts of files by state', () => {
  it('are those of the index after any changes and folds, also several at once', async () => {
    const { database } = test;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        await Promise.all([foldFileCounts(database, 'a'), foldFileCounts(database, 'a')]);
        for (const { what, storage, to, from, many, state } of steps) {
          if (what === 'insert') await database.execute(INSERT, [storage, from, state, many]);
          if (what === 'update') await database.execute(UPDATE, [storage, from, state, many, to]);
          if (what === 'delete') await database.execute(DELETE, [storage, from, many]);
          if (what === 'fold')
            await Promise.all([foldFileCounts(database, storage), foldFileCounts(database, storage)]);
        }
        for (const storage of ['a', 'b']) {
          const rows = await database.query(COUNTED, [storage], z.object({ state: z.string(), n: z.number() }));
          const counted = Object.fromEntries(rows.map(({ state, n }) => [state, n]));
          const figures = await storageFigures(database, storage);
          expect({
            ingested: figures.ingestedFiles,
            missing: figures.missingFiles,
            faulty: figures.faultyFiles,
            empty: figures.emptyFiles,
            skipped: figures.skippedFiles,
            awaiting: figures.awaitChecksumFiles,
          }).toEqual({
            ingested: counted.ingested ?? 0,
            missing: counted.missing ?? 0,
            faulty: counted.faulty ?? 0,
            empty: counted.empty ?? 0,
            skipped: counted.skipped ?? 0,
            awaiting: (counted.seen ?? 0) + (counted.ready ?? 0),
          });
        }
      }),
      { numRuns: 8 },
    );
  });

  it('of a large index are read without reading it, nor the queue of other work', async () => {
    const { database } = test;
    await database.execute(INSERT, ['large', 1, 'ingested', 10_000]);
    await database.execute(
      `INSERT INTO job (role, kind, storage_id, payload, dedupe_key)
       SELECT 'CHECKSUM', 'checksum', 'large', '{}', n::text FROM generate_series(1, 10000) AS n`,
      [],
    );
    await foldFileCounts(database, 'large');
    await database.execute('ANALYZE storage_file', []);
    await database.execute('ANALYZE job', []);
    const plan: string[] = [];
    const explaining: Sql = {
      execute: (text, values) => database.execute(text, values),
      async query(text, values, row) {
        const planRow = z.object({ 'QUERY PLAN': z.string() });
        const lines = await database.query(`EXPLAIN (ANALYZE, BUFFERS) ${text}`, values, planRow);
        plan.push(...lines.map((line) => line['QUERY PLAN']));
        return database.query(text, values, row);
      },
    };
    expect((await storageFigures(explaining, 'large')).ingestedFiles).toBe(10_000);
    expect(plan.join('\n')).not.toMatch(/Seq Scan on (storage_file|job)\b(?!_)/);
    // Rows that any part of it went through.
    const rows = plan.flatMap((line) =>
      [...line.matchAll(/actual time=\S+ rows=([\d.]+)/g)].map((hit) => Number(hit[1])),
    );
    expect(rows.length).toBeGreaterThan(5);
    expect(Math.max(...rows)).toBeLessThan(100);
  });
});
