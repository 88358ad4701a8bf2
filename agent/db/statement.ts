import type { QueryResult } from 'pg';
import type { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';

/** The part of pg's client that a statement needs. */
export interface StatementClient {
  query(text: string, values?: unknown[]): Promise<QueryResult | QueryResult[]>;
}

/** Ends the socket under a pg client at once. `end()` would first say goodbye, which a half-open connection never hears. */
export function destroySocket(client: object): void {
  const connection: unknown = Reflect.get(client, 'connection');
  if (typeof connection !== 'object' || connection === null) return;
  const stream: unknown = Reflect.get(connection, 'stream');
  if (typeof stream !== 'object' || stream === null) return;
  const destroy: unknown = Reflect.get(stream, 'destroy');
  if (typeof destroy === 'function') destroy.call(stream);
}

/**
 * Runs one unnamed statement with a deadline of this process's own: on a connection that has gone silent the server's
 * timeouts never arrive. When the deadline passes the socket is destroyed, so nothing can be read from it by mistake later.
 * Without values the text goes by the simple protocol and may hold several statements; the last result counts.
 * Rejects with pg's own errors (to be classified by the caller).
 */
export async function runStatement(
  client: StatementClient,
  text: string,
  values: readonly unknown[],
  deadlineMs: number,
): Promise<QueryResult> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`no answer within ${deadlineMs} ms`), { code: 'ETIMEDOUT' }));
      destroySocket(client);
    }, deadlineMs);
  });
  try {
    const answer = values.length === 0 ? client.query(text) : client.query(text, [...values]);
    const result = await Promise.race([answer, silence]);
    const last = Array.isArray(result) ? result.at(-1) : result;
    if (last === undefined) throw new Error('the database gave no result');
    return last;
  } finally {
    clearTimeout(timer);
  }
}

/** Parses rows; a row that does not fit is a mistake in the program or a foreign schema, told without the row's values. */
export function parseRows<T>(rows: readonly unknown[], schema: z.ZodType<T>, text: string): T[] {
  return rows.map((row) => {
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(row)'}: ${issue.code}`).join('; ');
    throw new IsgError('unexpected', `A database row has another shape than expected (${where}).`, {
      retry: 'permanent',
      fields: { statement: text.trim().slice(0, 120) },
    });
  });
}
