import { globSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../../agent/db/migrate.ts';
import { VERSION } from '../../../agent/version.ts';
import { busyTablesHeld, contractingStatements, schemaAfter } from './expand-only.ts';
import { statementsOf } from './sql-statements.ts';

/**
 * Nodes of one version and the next work on the same tables (agent/db/README.md, Migrations): what would stop the older ones
 * carries a min-version, and is then meant.
 */

const FOLDER = new URL('../../../agent/db/migrations/', import.meta.url);
const files = readdirSync(FOLDER).toSorted();
const textOf = (file: string) => readFileSync(new URL(file, FOLDER), 'utf8');
const soFar = (index: number) => schemaAfter(files.slice(0, index).map(textOf));

/** What was looked at by people and found to be no trouble: how each statement begins, and why. */
const LOOKED_AT: Readonly<Record<string, string[]>> = {
  // A column with a condition about an old one; what older nodes write leaves the new one at its default, which fits any.
  '000004_job-queue.sql': ['ALTER TABLE job ADD COLUMN profile text'],
  // Triggers that only write to tables of their own.
  '000006_directory-fingerprint.sql': ['CREATE TRIGGER storage_file_'],
  '000007_request-share-and-counts.sql': ['CREATE TRIGGER storage_file_'],
};
/** Came before the first release: there were no older nodes. */
const HOLDS_SEVERAL = ['000003_hand-over.sql'];

const BEFORE = schemaAfter([
  `CREATE TABLE job (id int); CREATE UNIQUE INDEX job_active_dedupe ON job (dedupe_key); CREATE INDEX job_finished ON job (at);
  CREATE FUNCTION job_exchange_2(a int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;`,
]);

describe('every migration', () => {
  it.each(files.map((file, index) => ({ file, index })))(
    '$file only expands, or says which version it asks for',
    ({ file, index }) => {
      const text = textOf(file);
      const lookedAt = LOOKED_AT[file] ?? [];
      const found = contractingStatements(text, soFar(index));
      const contracting = found.filter((one) => !lookedAt.some((begin) => one.startsWith(begin)));
      expect(lookedAt.filter((begin) => !found.some((one) => one.startsWith(begin)))).toEqual([]);
      const asked = /^-- min-version: (\d+\.\d+\.\d+)\n/.exec(text)?.[1];
      if (asked === undefined) expect(contracting).toEqual([]);
      else {
        expect(contracting, 'it would stop older nodes for nothing').not.toEqual([]);
        expect(compareVersions(asked, VERSION), 'it ships a release after the one that does without').toBeLessThan(0);
      }
      expect(text.split('\n').slice(1).join('\n'), 'only a first line counts').not.toContain('min-version:');
    },
  );

  it.each(files.map((file, index) => ({ file, index })))(
    '$file holds at most one of the tables that older nodes write all the time',
    ({ file, index }) => {
      const held = busyTablesHeld(textOf(file), soFar(index));
      expect(held.length > 1).toBe(HOLDS_SEVERAL.includes(file));
    },
  );

  it('leaves its transaction to its one message', () => {
    const words = files.flatMap((file) => statementsOf(textOf(file)).map((one) => one.split(' ')[0]));
    expect(words.filter((word) => /^(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT)$/i.test(word ?? ''))).toEqual([]);
  });

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
    '-- DROP TABLE job;\nALTER TABLE job ADD COLUMN note int; UPDATE job SET note = id WHERE note IS NULL',
    "ALTER TABLE job ADD COLUMN a text DEFAULT '' CHECK (a <> 'x' OR b IS NULL), ADD COLUMN b text",
    'CREATE TABLE hint (id int); INSERT INTO hint VALUES (1); UPDATE hint SET id = 2',
    'CREATE TABLE hint (id int); CREATE TRIGGER h AFTER INSERT ON hint FOR EACH ROW EXECUTE FUNCTION f()',
  ])('%s', (sql) => {
    expect(contractingStatements(sql, BEFORE)).toEqual([]);
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
    "ALTER TABLE job ADD COLUMN a text DEFAULT '' CHECK (state <> 'failed')",
    "ALTER TABLE job ADD COLUMN a text DEFAULT '' CHECK (a = '') CHECK (role = 'MAIN')",
    'ALTER TABLE job ADD COLUMN word uuid DEFAULT gen_random_uuid()',
    'ALTER TABLE job ADD COLUMN note text UNIQUE',
    'ALTER TABLE job ADD CONSTRAINT kinds CHECK (kind <> 1)',
    'ALTER TABLE job ADD COLUMN note text, DROP COLUMN kind',
    'CREATE UNIQUE INDEX job_once ON job (kind)',
    'CREATE OR REPLACE FUNCTION job_exchange_2() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE FUNCTION job_exchange_2(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE TRIGGER refuse AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION refuse()',
    'CREATE TRIGGER refuse BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION refuse()',
    'DROP FUNCTION job_exchange_1',
    'DROP INDEX job_active_dedupe',
    'DROP INDEX who_knows',
    "UPDATE job SET state = 'queued'",
    "UPDATE worker SET note = 1, roles = '{}' WHERE id = 1",
    'INSERT INTO job (id) VALUES (1)',
    'DO $$ BEGIN DROP TABLE job; END $$',
    'DELETE FROM job',
    'TRUNCATE job',
    'LOCK TABLE job',
  ])('%s', (sql) => {
    const made = 'CREATE TABLE other (id int);';
    expect(contractingStatements(`${made}\n${sql};`, BEFORE)).toEqual(statementsOf(sql));
  });
});

describe('the busy tables that a migration holds', () => {
  it.each([
    ['ALTER TABLE job ADD COLUMN a int; CREATE INDEX worker_a ON worker (a)', ['job', 'worker']],
    ['DROP INDEX job_finished; UPDATE gateway_hold SET a = 1', ['job', 'gateway_hold']],
    [
      'ALTER TABLE leader_lease ADD COLUMN a int; CREATE TRIGGER t AFTER INSERT OR UPDATE ON job FOR EACH ROW',
      ['leader_lease', 'job'],
    ],
    [
      'CREATE UNIQUE INDEX j ON job (a); ALTER TABLE job ADD COLUMN a int; ALTER TABLE storage_file ADD COLUMN a int',
      ['job'],
    ],
    [
      'CREATE TABLE leader_word (a int); CREATE INDEX w ON leader_word (a); ALTER TABLE worker ADD COLUMN a int',
      ['worker'],
    ],
  ])('%s', (sql, held) => {
    expect(busyTablesHeld(sql, BEFORE)).toEqual(held);
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
