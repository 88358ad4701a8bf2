import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import type { Database, Sql } from '../../../agent/runtime/sql.ts';

/** Role and kind of all jobs here. */
export const WORK = { role: 'CHECKSUM', kind: 'checksum' } as const;

/** What a job of these tests is told to do. */
export const orderSchema = z.object({
  /** Tells jobs apart. */
  at: z.number(),
  workMs: z.number(),
  /**
   * `alongside`: its effect is a row in the ledger, committed with its end. `external`: an effect outside of the database
   * after `confirmLease`, then the same. `plain`: no effect; its end rides along with a claim. `fails`: fails for good half
   * of the time, else like `alongside`. `block`: blocks the main loop while it works, then like `alongside`.
   */
  how: z.enum(['alongside', 'external', 'plain', 'fails', 'block']),
  /** Whether it stops when it is told to; if not, it goes on to its end. */
  listens: z.boolean(),
});
/** What a job is told to do. */
export type Order = z.infer<typeof orderSchema>;

/** Makes the ledger: no key guards it, so that an effect applied twice is two rows. */
export async function createLedger(sql: Sql): Promise<void> {
  await sql.execute('CREATE TABLE effect (at int NOT NULL, token bigint NOT NULL)', []);
  await sql.execute('CREATE TABLE batch (number int PRIMARY KEY)', []);
}

/** Applies a job's effect; to be committed with its end. */
export async function applyEffect(sql: Sql, at: number, token: string): Promise<void> {
  await sql.execute('INSERT INTO effect VALUES ($1, $2)', [at, token]);
}

/** Enqueues a batch once, in one transaction, however often the answer gets lost; priorities differ. */
export async function enqueueBatch(database: Database, number: number, orders: readonly Order[]): Promise<void> {
  const jobs = orders.map((payload) => ({
    ...WORK,
    storageId: null,
    payload,
    // Long ones first, also when they were freed: others have them before the worker that lost them is back.
    priority: payload.workMs >= 300 ? 10 : (payload.at % 10) + 1,
    dedupeKey: `at ${payload.at}`,
    // Nothing here is the job's doing: none becomes a dead letter because many nodes died under it.
    maxAttempts: 1_000,
  }));
  for (;;) {
    try {
      await database.transaction(async (sql) => {
        const isNew = await sql.execute('INSERT INTO batch VALUES ($1) ON CONFLICT DO NOTHING', [number]);
        if (isNew === 1) await enqueueJobs(sql, jobs);
      });
      return;
    } catch {
      // ignored because the database is away, or went away in the middle: the batch's number tells whether it is in
      await sleep(200);
    }
  }
}

const openRow = z.object({ jobs: z.number() });
// By partial indexes: without reading the jobs that have ended.
const OPEN = `SELECT (SELECT count(*) FROM job WHERE state = 'leased')::int
  + (SELECT count(*) FROM job WHERE state = 'queued' AND NOT deferred)::int
  + (SELECT count(*) FROM job WHERE state = 'queued' AND deferred)::int AS jobs`;

/** How many jobs are queued or leased. */
export async function countOpenJobs(sql: Sql): Promise<number> {
  return (await sql.query(OPEN, [], openRow))[0]?.jobs ?? 0;
}

const standingRow = z.object({
  at: z.number(),
  how: z.string(),
  state: z.string(),
  attempts: z.number(),
  effects: z.number(),
  job_id: z.string(),
});
/** How one job stands at the end. */
export type Standing = z.infer<typeof standingRow>;
const STANDINGS = `
SELECT (payload ->> 'at')::int AS at, payload ->> 'how' AS how, state, attempts, job_id::text, coalesce(effects, 0)::int AS effects
FROM job LEFT JOIN (SELECT at, count(*) AS effects FROM effect GROUP BY at) AS ledger ON ledger.at = (payload ->> 'at')::int
ORDER BY 1`;

/** All jobs with their effects. */
export const standings = (sql: Sql): Promise<Standing[]> => sql.query(STANDINGS, [], standingRow);

/**
 * What is wrong with how jobs ended, in words; empty when none is lost and none took effect twice. `cancelled` are the ids
 * of those that somebody cancelled.
 */
export function judge(jobs: readonly Standing[], expected: number, cancelled: ReadonlySet<string>): string[] {
  const wrong: string[] = [];
  const missing = expected - new Set(jobs.map(({ at }) => at)).size;
  if (missing !== 0 || jobs.length !== expected)
    wrong.push(`${expected} jobs ordered, ${jobs.length} rows, ${missing} missing`);
  for (const { at, how, state, effects, job_id: jobId } of jobs) {
    const due = state === 'done' && how !== 'plain' ? 1 : 0;
    if (state !== 'done' && !(state === 'cancelled' && cancelled.has(jobId)))
      wrong.push(`job ${at} (${how}) is ${state}`);
    if (effects !== due) wrong.push(`job ${at} (${how}) is ${state} with ${effects} effects`);
  }
  return wrong;
}
