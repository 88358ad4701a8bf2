import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { NewJob } from '../../../agent/contract/index.ts';
import { createDatabase } from '../../../agent/db/database.ts';
import type { JobHandler } from '../../../agent/jobs/job-handler.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { JobRunner } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';

/** Leases of the bench last as long as iconik's default of `visibility_timeout`. */
export const REACH = { storageIds: ['bench'], term: null, visibilityTimeoutS: 3_600 };
const ROLE = 'CHECKSUM';
const KIND = 'checksum';

/** The product's database adapter with its own default pool. */
export function openDatabase(uri: string): Database {
  const withoutTls = new URL(uri);
  withoutTls.searchParams.set('sslmode', 'disable');
  return createDatabase({ uri: withoutTls.href, log: silentLogger, applicationName: 'bench' });
}

/** A job of the bench; `at` tells jobs apart. */
export const benchJob = (at: number): NewJob => ({
  role: ROLE,
  kind: KIND,
  storageId: 'bench',
  payload: { at },
  dedupeKey: randomUUID(),
});

/** Demand for that many jobs of the bench. */
export const lanesOf = (slots: number) => [{ role: ROLE, kinds: [KIND], slots }];

/** A run of a worker, as the queue knows it. */
export interface Owner {
  runId: string;
  workerId: string;
}
export const newOwner = (): Owner => ({ runId: randomUUID(), workerId: randomUUID() });

/** What a runner of the bench does with its jobs. */
export interface OurRunnerOptions {
  database: Database;
  slots: number;
  owner?: Owner;
  /** Told of every look at the queue: each statement that asks for jobs. */
  onClaim?: () => void;
  work: (at: number, context: { readonly signal: AbortSignal }) => Promise<void> | void;
}

/** The product's own runner over its own store. */
export function createOurRunner({ database, slots, owner = newOwner(), onClaim, work }: OurRunnerOptions): JobRunner {
  const handler: JobHandler<{ at: number }> = {
    role: ROLE,
    kind: KIND,
    payload: z.object({ at: z.number() }),
    run: async (context) => {
      await work(context.payload.at, context);
      return { kind: 'done', result: {} };
    },
  };
  const store = createPgJobStore(database, owner);
  const exchange: typeof store.exchange = (ends, lanes, reach) => {
    if (lanes.length > 0) onClaim?.();
    return store.exchange(ends, lanes, reach);
  };
  return new JobRunner({
    store: onClaim ? { ...store, exchange } : store,
    handlers: [handler as JobHandler],
    lanes: [{ role: ROLE, kinds: [KIND], limit: () => slots }],
    reach: () => ({ ...REACH, roles: new Set([ROLE] as const) }),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
  });
}
