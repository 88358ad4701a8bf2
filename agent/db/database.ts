import type { PoolClient } from 'pg';
import type { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database, Sql, TransactionLimits } from '../runtime/sql.ts';
import { createHostPools, type HostPools } from './host-pools.ts';
import { breaksConnection, classifyPgError, type PgPhase } from './pg-errors.ts';
import { parseRows, runStatement } from './statement.ts';

/** How to reach the database and how patient to be; all times in milliseconds. */
export interface DatabaseOptions {
  /** libpq connection URI; a secret. */
  uri: string;
  /** Shown in pg_stat_activity; the only thing beside user and database that goes into the startup packet. */
  applicationName?: string;
  log: Logger;
  /** Most connections at a time; default 10. */
  maxConnections?: number;
  /** Longest wait for a connection, per host; default 5 s. connect_timeout in the URI wins. */
  connectTimeoutMs?: number;
  /** Longest wait for the answer to one statement before its connection is destroyed; default 15 s. Transactions may say otherwise. */
  statementTimeoutMs?: number;
}

/** What the client waits beyond a server-side limit, so that the server's own clearer error normally comes first. */
const ANSWER_MARGIN_MS = 1_000;

interface Patience {
  statementMs: number;
}

/** A transaction left alone by a client that went silent keeps its locks no longer than this. */
const DEFAULT_IDLE_MS = 60_000;

/** The limits that hold when the caller names none: the server gives up when this process would. */
function completeLimits(limits: TransactionLimits, patience: Patience) {
  return {
    lock_timeout: limits.lockTimeoutMs,
    statement_timeout: limits.statementTimeoutMs ?? patience.statementMs,
    idle_in_transaction_session_timeout: limits.idleTimeoutMs ?? DEFAULT_IDLE_MS,
  };
}

/** Statements that set limits for one transaction. Numbers only, so nothing can be injected. */
function limitTexts(limits: ReturnType<typeof completeLimits>): string[] {
  return Object.entries(limits)
    .filter((entry): entry is [string, number] => entry[1] !== undefined)
    .map(([name, ms]) => `SET LOCAL ${name} = ${Math.max(1, Math.trunc(ms))}`);
}

async function ask(client: PoolClient, text: string, values: readonly unknown[], deadlineMs: number, phase: PgPhase) {
  try {
    return await runStatement(client, text, values, deadlineMs);
  } catch (thrown) {
    throw classifyPgError(thrown, phase);
  }
}

/** A transaction's `Sql`. After the first error on the connection, or after its end, every further statement is refused. */
class TransactionSql implements Sql {
  readonly #client: PoolClient;
  readonly #deadlineMs: number;
  broken: IsgError | undefined;
  isOver = false;

  constructor(client: PoolClient, deadlineMs: number) {
    this.#client = client;
    this.#deadlineMs = deadlineMs;
  }

  async query<T>(text: string, values: readonly unknown[], row: z.ZodType<T>): Promise<T[]> {
    return parseRows((await this.#run(text, values)).rows, row, text);
  }

  async execute(text: string, values: readonly unknown[]): Promise<number> {
    return (await this.#run(text, values)).rowCount ?? 0;
  }

  async #run(text: string, values: readonly unknown[]) {
    if (this.isOver) {
      throw new IsgError('unexpected', 'A statement came after its transaction had ended.', { retry: 'permanent' });
    }
    if (this.broken !== undefined) throw this.broken;
    try {
      return await ask(this.#client, text, values, this.#deadlineMs, 'inside');
    } catch (thrown) {
      const error = classifyPgError(thrown, 'inside');
      if (breaksConnection(error)) this.broken = error;
      throw error;
    }
  }
}

async function commit(client: PoolClient, deadlineMs: number): Promise<void> {
  const result = await ask(client, 'COMMIT', [], deadlineMs, 'commit');
  if (result.command !== 'ROLLBACK') return;
  // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, not with an error
  throw new IsgError('database-conflict', 'The transaction was rolled back because one of its statements had failed.', {
    retry: 'transient',
  });
}

async function inTransaction<T>(
  client: PoolClient,
  work: (sql: Sql) => Promise<T>,
  limits: TransactionLimits,
  patience: Patience,
): Promise<T> {
  const complete = completeLimits(limits, patience);
  const deadlineMs = complete.statement_timeout + ANSWER_MARGIN_MS;
  const sql = new TransactionSql(client, deadlineMs);
  let reason: boolean | Error = true;
  try {
    // in one round trip
    await sql.execute(['BEGIN', ...limitTexts(complete)].join('; '), []);
    const value = await work(sql);
    sql.isOver = true;
    if (sql.broken !== undefined) throw sql.broken;
    await commit(client, deadlineMs);
    reason = false;
    return value;
  } catch (thrown) {
    if (!sql.isOver && sql.broken === undefined) reason = await rollBack(client, deadlineMs);
    throw thrown;
  } finally {
    sql.isOver = true;
    client.release(reason);
  }
}

/** Rolls back; returns whether the connection must be thrown away. */
async function rollBack(client: PoolClient, deadlineMs: number): Promise<boolean> {
  try {
    await runStatement(client, 'ROLLBACK', [], Math.min(deadlineMs, 5_000));
    return false;
  } catch {
    // ignored because the server rolls back by itself when the connection goes, and it goes now
    return true;
  }
}

/** Without BEGIN: PostgreSQL makes one transaction of the statements of a message, and ends it with the message either way. */
async function runScript(client: PoolClient, text: string, limits: TransactionLimits, patience: Patience) {
  const complete = completeLimits(limits, patience);
  const whole = [...limitTexts(complete), text].join(';\n');
  await ask(client, whole, [], complete.statement_timeout + ANSWER_MARGIN_MS, 'statement');
}

async function onOwn<T>(pools: HostPools, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pools.acquire();
  try {
    const value = await use(client);
    client.release();
    return value;
  } catch (thrown) {
    const error = classifyPgError(thrown, 'statement');
    client.release(breaksConnection(error));
    throw error;
  }
}

/**
 * The cluster's database behind a connection URI (agent/db/README.md). Nothing is connected before the first statement.
 * Every statement is unnamed and has a deadline; a connection on which one passed, or whose transaction ended unclearly,
 * is destroyed. Throws `config-invalid` for a wrong URI. Statements reject with `database-unreachable` (transient;
 * `fields.inDoubt` when the work may have been done nevertheless), `database-refused` or `database-conflict`.
 */
export function createDatabase(options: DatabaseOptions): Database {
  const pools = createHostPools({
    uri: options.uri,
    applicationName: options.applicationName ?? 'isg-pro',
    log: options.log,
    maxConnections: options.maxConnections ?? 10,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
  });
  const patience: Patience = { statementMs: options.statementTimeoutMs ?? 15_000 };
  const run = (text: string, values: readonly unknown[]) =>
    onOwn(pools, (client) => ask(client, text, values, patience.statementMs, 'statement'));
  return {
    query: async (text, values, row) => parseRows((await run(text, values)).rows, row, text),
    execute: async (text, values) => (await run(text, values)).rowCount ?? 0,
    transaction: async (work, limits = {}) => inTransaction(await pools.acquire(), work, limits, patience),
    script: (text, limits) => onOwn(pools, (client) => runScript(client, text, limits, patience)),
    close: () => pools.close(),
  };
}
