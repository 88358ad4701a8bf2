import type { z } from 'zod';

/**
 * A place where SQL statements run: the pool (each statement its own transaction, on whatever connection is free) or one
 * transaction. Text is a static constant, `values` its parameters; every row is parsed by `row`.
 * Throws `IsgError` as classified by `db/pg-errors.ts`.
 */
export interface Sql {
  /** Rows of a statement. */
  query<T>(text: string, values: readonly unknown[], row: z.ZodType<T>): Promise<T[]>;
  /** Number of rows a statement changed. */
  execute(text: string, values: readonly unknown[]): Promise<number>;
}

/** Limits of one transaction, set by `SET LOCAL` (a session SET would leak to other clients of pgBouncer). */
export interface TransactionLimits {
  lockTimeoutMs?: number;
  statementTimeoutMs?: number;
  idleTimeoutMs?: number;
}

/** The cluster's database. */
export interface Database extends Sql {
  /** Runs `work` in one transaction; commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (sql: Sql) => Promise<T>, limits?: TransactionLimits): Promise<T>;
  /**
   * Runs statements without parameters, sent as one message, in one transaction that the server begins and ends by itself: a
   * caller that stops or vanishes once it is sent holds no lock longer than the statements take. `statementTimeoutMs` holds
   * for each of them, and is how long the answer to all is waited for; one that does not come is `inDoubt`.
   */
  script(text: string, limits: TransactionLimits): Promise<void>;
  /** Ends all connections; later calls throw. */
  close(): Promise<void>;
}
