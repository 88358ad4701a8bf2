import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach } from 'vitest';
import { z } from 'zod';
import type { NewJob } from '../../../agent/contract/index.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import type { Database, Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

/** Slots for checksums. */
export const lanesOf = (slots: number) => [{ role: 'CHECKSUM', kinds: ['checksum'], slots }];
/** Four slots for checksums. */
export const lanes = lanesOf(4);
/** A claimer that reaches storage s1 and does not lead. */
export const reach = { storageIds: ['s1'], term: null, visibilityTimeoutS: 3_600 };
/** A checksum job of storage s1. */
export const job = (over: Partial<NewJob> = {}): NewJob => ({
  role: 'CHECKSUM',
  kind: 'checksum',
  storageId: 's1',
  payload: { path: 'a' },
  dedupeKey: randomUUID(),
  ...over,
});
const read = z.object({ fetched: z.number() });

/** Gives each test of the file a queue of its own, and what tests do with it. Call it once, outside of tests. */
export function useQueue() {
  let current: TestDatabase;
  beforeEach(async () => {
    current = await createTestDatabase();
  });
  afterEach(() => current.drop());
  const test = {
    get database(): Database {
      return current.database;
    },
    get uri(): string {
      return current.uri;
    },
  };

  const worker = () => {
    const owner = { runId: randomUUID(), workerId: randomUUID() };
    return { ...owner, store: createPgJobStore(test.database, owner) };
  };
  const register = (workerId: string, runId: string) =>
    test.database.execute(
      `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status, heartbeat)
       VALUES ($1, 'g', $2, 'n', 'h', 'm', 'b', '1', '{}', 'available', 11)`,
      [workerId, runId],
    );
  const stateOf = async (jobId: string) => {
    const row = z.object({ state: z.string(), attempts: z.number() });
    const [found] = await test.database.query('SELECT state, attempts FROM job WHERE job_id = $1', [jobId], row);
    return found;
  };
  /** Rows of the queue that a transaction has read so far, by scan or index. */
  const fetched = async (sql: Sql) => {
    const text = `SELECT (pg_stat_get_xact_tuples_fetched('job'::regclass)
      + pg_stat_get_xact_tuples_returned('job'::regclass))::int AS fetched`;
    return (await sql.query(text, [], read))[0]?.fetched ?? 0;
  };
  const claimOne = async (store: ReturnType<typeof worker>['store']) => {
    const [claimed] = await store.claim(lanes, reach);
    if (!claimed) throw new Error('nothing to claim');
    return claimed;
  };

  return { test, worker, register, stateOf, fetched, claimOne };
}
