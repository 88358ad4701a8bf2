import type { PoolClient } from 'pg';
import type { z } from 'zod';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';
import { createHostPools, type HostPools } from './host-pools.ts';
import { breaksConnection, classifyPgError } from './pg-errors.ts';
import { parseRows, runStatement } from './statement.ts';

/** How to reach the database and how patient to be; all times in milliseconds. */
export interface WarmConnectionOptions {
  /** libpq connection URI; a secret. */
  uri: string;
  applicationName: string;
  log: Logger;
  connectTimeoutMs: number;
  /** Longest wait for an answer before the connection is destroyed and replaced. */
  statementTimeoutMs: number;
  /** Uniform in [0, 1); default Math.random. */
  random?: () => number;
  /** Told whenever the connection becomes free: connected anew, or the last statement is over. */
  onFree: () => void;
}

/** Pauses between attempts to connect, each shortened by up to a half: nodes that lost one server must not come back in step. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * One connection that is kept open, and replaced at once in the background when it breaks, so that a statement never waits
 * for a connection to be made: on a slow link that takes longer than a leadership lasts. One statement at a time.
 */
export class WarmConnection implements Sql {
  readonly #options: WarmConnectionOptions;
  readonly #pools: HostPools;
  readonly #kept: Promise<void>;
  #client: PoolClient | null = null;
  #isBusy = false;
  #isClosed = false;
  #breaks: (() => void) | null = null;
  #stopPause: (() => void) | null = null;
  #trouble = '';

  /** Begins to connect. Throws `config-invalid` for a wrong URI. */
  constructor(options: WarmConnectionOptions) {
    this.#options = options;
    this.#pools = createHostPools({ ...options, maxConnections: 1 });
    this.#kept = this.#keep();
  }

  /** Whether a statement would be sent at once. */
  isFree(): boolean {
    return this.#client !== null && !this.#isBusy;
  }

  async query<T>(text: string, values: readonly unknown[], row: z.ZodType<T>): Promise<T[]> {
    return parseRows((await this.#run(text, values)).rows, row, text);
  }

  async execute(text: string, values: readonly unknown[]): Promise<number> {
    return (await this.#run(text, values)).rowCount ?? 0;
  }

  /** Ends the connection; never waits for a silent server. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#breaks?.();
    this.#stopPause?.();
    await this.#pools.close();
    await this.#kept;
  }

  async #run(text: string, values: readonly unknown[]) {
    const client = this.#client;
    if (client === null || this.#isBusy)
      throw new IsgError('database-unreachable', 'The connection to the database is not free.', { retry: 'transient' });
    this.#isBusy = true;
    try {
      return await runStatement(client, text, values, this.#options.statementTimeoutMs);
    } catch (thrown) {
      const error = classifyPgError(thrown, 'statement');
      if (breaksConnection(error)) this.#lose(client);
      throw error;
    } finally {
      this.#isBusy = false;
      if (this.#client !== null) this.#options.onFree();
    }
  }

  // A statement may still be waiting on it: nothing new is sent over it from here on.
  #lose(client: PoolClient): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#breaks?.();
  }

  async #keep(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isClosed) {
      const client = await this.#connect();
      if (client === null) {
        await this.#pause(pauseMs * (1 - (this.#options.random ?? Math.random)() / 2));
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        continue;
      }
      pauseMs = FIRST_PAUSE_MS;
      await this.#hold(client);
    }
  }

  async #connect(): Promise<PoolClient | null> {
    try {
      const client = await this.#pools.acquire();
      this.#trouble = '';
      return client;
    } catch (thrown) {
      const { message } = coerceError(thrown);
      if (message !== this.#trouble && !this.#isClosed)
        this.#options.log.debug('A connection for renewals could not be made', { error: message });
      this.#trouble = message;
      return null;
    }
  }

  async #hold(client: PoolClient): Promise<void> {
    const broken = new Promise<void>((resolve) => {
      this.#breaks = resolve;
      client.once('end', () => this.#lose(client));
      client.once('error', () => this.#lose(client));
    });
    if (!this.#isClosed) {
      this.#client = client;
      this.#options.onFree();
      await broken;
    }
    this.#client = null;
    this.#breaks = null;
    client.release(true);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#stopPause = null;
  }
}
