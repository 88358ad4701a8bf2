import { statementsOf, topLevelParts } from './sql-statements.ts';

/** What earlier migrations left, as far as it decides what a later one may do. */
export interface SchemaSoFar {
  /** Indexes by name: their table, and whether they keep something unique (ON CONFLICT of older nodes may name their columns). */
  indexes: ReadonlyMap<string, { table: string; isUnique: boolean }>;
  /** Names of functions. Another one of the same name makes calls of older nodes ambiguous, or changes what they call. */
  functions: ReadonlySet<string>;
}

/** What migrations in this order leave. Pure. */
export function schemaAfter(migrations: readonly string[]): SchemaSoFar {
  const statements = migrations.flatMap(statementsOf);
  const indexes = statements.flatMap((one) => {
    const [, unique, name, table] = /^CREATE (UNIQUE )?INDEX (\w+) ON (\w+) /.exec(one) ?? [];
    return name === undefined || table === undefined
      ? []
      : [[name, { table, isUnique: unique !== undefined }] as const];
  });
  const functions = statements.flatMap((one) => /^CREATE FUNCTION (\w+)/.exec(one)?.[1] ?? []);
  return { indexes: new Map(indexes), functions: new Set(functions) };
}

/** What a migration has made by itself: no older node knows of it. */
interface Own {
  tables: ReadonlySet<string>;
  /** Columns added to tables that were there, as "table.column". */
  columns: ReadonlySet<string>;
}

function ownOf(statements: readonly string[]): Own {
  const tables = statements.flatMap((one) => /^CREATE TABLE (\w+) /.exec(one)?.[1] ?? []);
  const columns = statements.flatMap((one) => {
    const [, table, actions] = /^ALTER TABLE (\w+) (.+)$/.exec(one) ?? [];
    return topLevelParts(actions ?? '').flatMap((action) => {
      const name = /^ADD COLUMN (\w+) /.exec(action)?.[1];
      return name === undefined ? [] : [`${table}.${name}`];
    });
  });
  return { tables: new Set(tables), columns: new Set(columns) };
}

/** Statements that older nodes never notice, whatever they do at the moment. */
const HARMLESS: readonly RegExp[] = [
  /^CREATE TABLE \w+ \(/,
  /^CREATE INDEX \w+ ON /,
  /^CREATE SEQUENCE \w+$/,
  /^CREATE VIEW \w+ /,
  /^COMMENT ON /,
];

/** Storage of a table, and what new rows get: nothing that a statement could run into. */
const HARMLESS_ACTIONS: readonly RegExp[] = [/^SET \(/, /^ALTER COLUMN \w+ SET (DEFAULT|STATISTICS) /];

/** A value that is the same for all rows: adding the column then rewrites no row and takes an instant. */
const CONSTANT_DEFAULT = / DEFAULT ('' ?(::\w+)?|-?[0-9.]+|true|false|now\(\))( |$)/;

/** Words of a condition that are no columns. */
const CONDITION_WORDS = new Set(['and', 'or', 'not', 'is', 'null', 'in', 'between', 'true', 'false', 'like', 'any']);

/** Whether the conditions of a new column are about new columns alone: what an older node writes then always holds. */
function isAboutOwn(table: string, action: string, { columns }: Own): boolean {
  const [, conditions = ''] = / CHECK (.*)$/.exec(action) ?? [];
  const named = (conditions.match(/[a-z_]\w*/gi) ?? []).map((word) => word.toLowerCase());
  return named.every((word) => word === 'check' || CONDITION_WORDS.has(word) || columns.has(`${table}.${word}`));
}

function isHarmlessAction(table: string, action: string, own: Own): boolean {
  if (HARMLESS_ACTIONS.some((form) => form.test(action))) return true;
  if (!/^ADD COLUMN \w+ /.test(action) || / (UNIQUE|PRIMARY KEY|REFERENCES|GENERATED)\b/.test(action)) return false;
  if (/ DEFAULT /.test(action)) return CONSTANT_DEFAULT.test(action) && isAboutOwn(table, action, own);
  return !/ (NOT NULL|CHECK)\b/.test(action);
}

/** What rows get may be written only where no older node reads it. */
function isOwnUpdate(table: string, assignments: string, { tables, columns }: Own): boolean {
  if (tables.has(table)) return true;
  const [set = ''] = assignments.split(/ (?:FROM|WHERE|RETURNING) /);
  return topLevelParts(set).every((one) => columns.has(`${table}.${/^(\w+) =/.exec(one)?.[1]}`));
}

function isHarmless(statement: string, own: Own, { indexes, functions }: SchemaSoFar): boolean {
  if (HARMLESS.some((form) => form.test(statement))) return true;
  // It runs in statements of older nodes, too.
  const [, triggerOn] = /^CREATE TRIGGER \w+ AFTER .*? ON (\w+) /.exec(statement) ?? [];
  const [, filled] = /^INSERT INTO (\w+) /.exec(statement) ?? [];
  const [, uniqueOn] = /^CREATE UNIQUE INDEX \w+ ON (\w+) /.exec(statement) ?? [];
  const ofTable = triggerOn ?? filled ?? uniqueOn;
  if (ofTable !== undefined) return own.tables.has(ofTable);
  // Another meaning gets another name: replaced, a function would change under the nodes that call it.
  const [, made] = /^CREATE FUNCTION (\w+) ?\(/.exec(statement) ?? [];
  if (made !== undefined) return !functions.has(made);
  const [, updated, assignments] = /^UPDATE (\w+) SET (.+)$/.exec(statement) ?? [];
  if (updated !== undefined && assignments !== undefined) return isOwnUpdate(updated, assignments, own);
  const [, dropped] = /^DROP INDEX (\w+)$/.exec(statement) ?? [];
  if (dropped !== undefined) return indexes.get(dropped)?.isUnique === false;
  const [, table, actions] = /^ALTER TABLE (\w+) (.+)$/.exec(statement) ?? [];
  if (table === undefined || actions === undefined) return false;
  return own.tables.has(table) || topLevelParts(actions).every((action) => isHarmlessAction(table, action, own));
}

/** The statements of a migration that nodes of the version before may trip over. Pure. */
export function contractingStatements(sql: string, before: SchemaSoFar): string[] {
  const statements = statementsOf(sql);
  const own = ownOf(statements);
  return statements.filter((one) => !isHarmless(one, own, before));
}

/** Tables that every node writes every second or two: who waits for one stops beating, renewing or working. */
const HOT = /^(leader_\w+|worker|gateway_hold|job)$/;

function tableOf(statement: string, { indexes }: SchemaSoFar): string | undefined {
  const dropped = /^DROP INDEX (\w+)$/.exec(statement)?.[1];
  if (dropped !== undefined) return indexes.get(dropped)?.table;
  const direct = /^(?:ALTER TABLE|UPDATE|DELETE FROM|INSERT INTO|TRUNCATE|DROP TABLE|LOCK TABLE) (\w+)/.exec(statement);
  return direct?.[1] ?? /^CREATE (?:UNIQUE )?(?:INDEX|TRIGGER) .*? ?ON (\w+)/.exec(statement)?.[1];
}

/**
 * Busy tables of older nodes that a migration holds at once, until it commits. With one of them it waits for none while it holds
 * another: what limits the wait for a lock then limits how long the cluster stands. Pure.
 */
export function busyTablesHeld(sql: string, before: SchemaSoFar): string[] {
  const statements = statementsOf(sql);
  const { tables } = ownOf(statements);
  const touched = statements.flatMap((one) => tableOf(one, before) ?? []);
  return [...new Set(touched)].filter((table) => HOT.test(table) && !tables.has(table));
}
