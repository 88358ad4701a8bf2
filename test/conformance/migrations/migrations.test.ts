import { globSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../../agent/db/migrate.ts';
import { VERSION } from '../../../agent/version.ts';
import { contractingStatements, type SchemaSoFar, uniqueIndexesOf } from './expand-only.ts';
import { statementsOf } from './sql-statements.ts';

/**
 * Nodes of one version and the next work on the same tables (agent/db/README.md, Migrations): what would stop the older ones
 * carries a min-version, and is then meant.
 */

const FOLDER = new URL('../../../agent/db/migrations/', import.meta.url);
const files = readdirSync(FOLDER).toSorted();
const textOf = (file: string) => readFileSync(new URL(file, FOLDER), 'utf8');
const soFar = (index: number): SchemaSoFar => ({
  uniqueIndexes: new Set(files.slice(0, index).flatMap((file) => uniqueIndexesOf(textOf(file)))),
});
const UNIQUE = { uniqueIndexes: new Set(['job_active_dedupe']) };

describe('every migration', () => {
  it.each(files.map((file, index) => ({ file, index })))(
    '$file only expands, or says which version it asks for',
    ({ file, index }) => {
      const text = textOf(file);
      const contracting = contractingStatements(text, soFar(index));
      const asked = /^-- min-version: (\d+\.\d+\.\d+)\n/.exec(text)?.[1];
      if (asked === undefined) expect(contracting).toEqual([]);
      else {
        expect(contracting, 'it would stop older nodes for nothing').not.toEqual([]);
        expect(compareVersions(asked, VERSION)).toBeLessThanOrEqual(0);
      }
      expect(text.split('\n').slice(1).join('\n'), 'only a first line counts').not.toContain('min-version:');
    },
  );

  it('has a number of its own', () => {
    const numbers = files.map((file) => /^(\d{6})_[a-z0-9-]+\.sql$/.exec(file)?.[1] ?? 'none');
    expect(numbers).not.toContain('none');
    expect(new Set(numbers).size).toBe(files.length);
  });
});

describe('what the check lets through', () => {
  it.each([
    'ALTER TABLE job ADD COLUMN note text',
    "ALTER TABLE job ADD COLUMN note text NOT NULL DEFAULT 'none; really', ADD COLUMN other int",
    'ALTER TABLE job ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now()',
    'ALTER TABLE job SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)',
    'CREATE TABLE hint (id int); CREATE UNIQUE INDEX hint_id ON hint (id); ALTER TABLE hint ADD CHECK (id > 0)',
    'CREATE INDEX job_note ON job (note) WHERE note IS NOT NULL',
    'CREATE FUNCTION f_2(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE job; END $$',
    'DROP INDEX job_finished',
    '-- DROP TABLE job;\nUPDATE job SET note = 1',
  ])('%s', (sql) => {
    expect(contractingStatements(sql, UNIQUE)).toEqual([]);
  });
});

describe('what the check takes for contracting', () => {
  it.each([
    'DROP TABLE intent_stray',
    'ALTER TABLE job DROP COLUMN progress_note',
    'ALTER TABLE job RENAME COLUMN progress_note TO note',
    'ALTER TABLE job RENAME TO work',
    'ALTER TABLE job ALTER COLUMN attempts TYPE bigint',
    'ALTER TABLE job ALTER COLUMN storage_id SET NOT NULL',
    'ALTER TABLE job ADD COLUMN note text NOT NULL',
    'ALTER TABLE job ADD COLUMN note int CHECK (note > 0)',
    'ALTER TABLE job ADD COLUMN word uuid DEFAULT gen_random_uuid()',
    'ALTER TABLE job ADD COLUMN note text UNIQUE',
    'ALTER TABLE job ADD CONSTRAINT kinds CHECK (kind <> 1)',
    'ALTER TABLE job ADD COLUMN note text, DROP COLUMN kind',
    'CREATE UNIQUE INDEX job_once ON job (kind)',
    'CREATE OR REPLACE FUNCTION job_exchange_2() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE TRIGGER refuse BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION refuse()',
    'DROP FUNCTION job_exchange_1',
    'DROP INDEX job_active_dedupe',
    'DELETE FROM job',
    'TRUNCATE job',
    'LOCK TABLE job',
  ])('%s', (sql) => {
    expect(contractingStatements(`CREATE TABLE other (id int);\n${sql};`, UNIQUE)).toEqual(statementsOf(sql));
  });
});

describe('what a node reads from the tables', () => {
  it('is never refused for a field that it does not know: a newer node may have written it', () => {
    const agent = new URL('../../../agent/', import.meta.url);
    const folders = ['cluster', 'db', 'jobs', 'leader', 'roles'];
    const readers = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: agent }));
    const isStrict = (file: string) => /strictObject\(|\.strict\(\)/.test(readFileSync(new URL(file, agent), 'utf8'));
    expect(readers.length).toBeGreaterThan(100);
    expect(readers.filter(isStrict)).toEqual([]);
  });
});
