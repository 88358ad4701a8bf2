import { statementsOf, topLevelParts } from './sql-statements.ts';

/** What earlier migrations left, as far as it decides what a later one may do. */
export interface SchemaSoFar {
  /** Indexes that keep something unique: statements of older nodes may name their columns (ON CONFLICT). */
  uniqueIndexes: ReadonlySet<string>;
}

/** Statements that older nodes never notice, whatever they do at the moment. */
const HARMLESS: readonly RegExp[] = [
  /^CREATE TABLE \w+ \(/,
  /^CREATE INDEX \w+ ON /,
  /^CREATE SEQUENCE \w+$/,
  /^CREATE VIEW \w+ /,
  // Another meaning gets another name: replaced, a function would change under the nodes that call it.
  /^CREATE FUNCTION \w+ ?\(/,
  /^CREATE TRIGGER \w+ AFTER /,
  /^COMMENT ON /,
  /^INSERT INTO \w+ /,
  /^UPDATE \w+ SET /,
];

/** Storage of a table, and what new rows get: nothing that a statement could run into. */
const HARMLESS_ACTIONS: readonly RegExp[] = [/^SET \(/, /^ALTER COLUMN \w+ SET (DEFAULT|STATISTICS) /];

/** A value that is the same for all rows: adding the column then rewrites no row and takes an instant. */
const CONSTANT_DEFAULT = / DEFAULT ('' ?(::\w+)?|-?[0-9.]+|true|false|now\(\))( |$)/;

function isHarmlessAction(action: string): boolean {
  if (HARMLESS_ACTIONS.some((form) => form.test(action))) return true;
  if (!/^ADD COLUMN \w+ /.test(action) || / (UNIQUE|PRIMARY KEY|REFERENCES|GENERATED)\b/.test(action)) return false;
  const hasDefault = / DEFAULT /.test(action);
  if (hasDefault) return CONSTANT_DEFAULT.test(action);
  return !/ (NOT NULL|CHECK)\b/.test(action);
}

function isHarmless(statement: string, made: ReadonlySet<string>, { uniqueIndexes }: SchemaSoFar): boolean {
  if (HARMLESS.some((form) => form.test(statement))) return true;
  const [, uniqueOn] = /^CREATE UNIQUE INDEX \w+ ON (\w+) /.exec(statement) ?? [];
  if (uniqueOn !== undefined) return made.has(uniqueOn);
  const [, dropped] = /^DROP INDEX (\w+)$/.exec(statement) ?? [];
  if (dropped !== undefined) return !uniqueIndexes.has(dropped);
  const [, table, actions] = /^ALTER TABLE (\w+) (.+)$/.exec(statement) ?? [];
  if (table === undefined || actions === undefined) return false;
  return made.has(table) || topLevelParts(actions).every(isHarmlessAction);
}

/** The statements of a migration that nodes of the version before may trip over. Pure. */
export function contractingStatements(sql: string, before: SchemaSoFar): string[] {
  const statements = statementsOf(sql);
  const made = new Set(statements.flatMap((one) => /^CREATE TABLE (\w+) /.exec(one)?.[1] ?? []));
  return statements.filter((one) => !isHarmless(one, made, before));
}

/** Names of the indexes that a migration makes to keep something unique. Pure. */
export function uniqueIndexesOf(sql: string): string[] {
  return statementsOf(sql).flatMap((one) => /^CREATE UNIQUE INDEX (\w+) /.exec(one)?.[1] ?? []);
}
