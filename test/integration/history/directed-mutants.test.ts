import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fencedExecute, withLeaderFence } from '../../../agent/db/queries/fence.ts';
import { enqueueJobs, freeJobsOfDeadRun } from '../../../agent/db/queries/job.ts';
import { beat, markWorkerDead, readMembers, registerWorker } from '../../../agent/db/queries/worker.ts';
import type { JobStore } from '../../../agent/jobs/job-store.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { createRecordedJobStore } from '../../../agent/jobs/recorded-job-store.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { createRecordedLeaseStore } from '../../../agent/leader/recorded-lease-store.ts';
import { type History, machineMs } from '../../../agent/runtime/history.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { checkHistory, type Rule } from '../../support/history/check.ts';
import { type HistoryEvent, parseEvent } from '../../support/history/events.ts';
import { FENCE, replacing } from '../../support/history/mutants.ts';
import { rewriteSql } from '../../support/history/sim-link.ts';
import { CHECK_TIMES } from '../../support/history/simulation.ts';
import { installWitness, takeWitnessed, WITNESSED_WRITE } from '../../support/history/witness.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

/** Races that need two real connections, or one exact order of statements. Each is played by the product and by a mutant. */

let test: TestDatabase;
let events: HistoryEvent[];
beforeEach(async () => {
  test = await createTestDatabase();
  await installWitness(test.database);
  events = [];
});
afterEach(() => test.drop());

const historyOf = (run: string): History => ({
  nowMs: machineMs,
  say: (kind, facts) => events.push(parseEvent({ run, kind, ...facts, atMs: machineMs() })),
});

const leader = (database: Database) => {
  const runId = randomUUID();
  const history = historyOf(runId);
  const lease = createPgLeaseStore(database, { runId, workerId: runId, name: runId });
  const store = createRecordedLeaseStore(lease, history);
  const holder = (term: number) => ({ runId, term, assertTrusted: () => {} });
  return { runId, history, store, holder };
};
const take = { highestSeen: 0, why: 'test', ttlMs: 3_000 };
/** A busy machine must not end a write before the test has seen what it does to others. */
const PATIENT = { statementTimeoutMs: 20_000, idleTimeoutMs: 20_000 };

async function witness(run: string): Promise<void> {
  events.push(...(await takeWitnessed(test.database, { atMs: machineMs(), run })));
}

const brokenRules = (): Rule[] => {
  const violations = checkHistory(events, CHECK_TIMES);
  return [...new Set(violations.map(({ rule }) => rule))];
};

const waitingRow = z.object({ waiting: z.number() });
async function untilSomebodyWaits(): Promise<void> {
  const deadlineMs = machineMs() + 20_000;
  while (!(await doesSomebodyWait())) if (machineMs() > deadlineMs) throw new Error('nobody waits for a lock');
}

async function doesSomebodyWait(): Promise<boolean> {
  const text = `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  const [found] = await test.database.query(text, [], waitingRow);
  return (found?.waiting ?? 0) > 0;
}

/** A write of the old term waits for a row while a take-over comes. */
async function writeDuringTakeOver(database: Database): Promise<Rule[]> {
  const [a, b] = [leader(database), leader(test.database)];
  await a.store.takeOver(await a.store.read(), take);
  const seen = await b.store.read();
  const [held, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const inTheWay = test.database.transaction(async (sql) => {
    await sql.execute('SELECT 1 FROM witnessed_write FOR UPDATE', []);
    held.resolve();
    await free.promise;
  });
  await held.promise;
  const write = fencedExecute(database, a.holder(1), WITNESSED_WRITE, []).catch(() => 0);
  await untilSomebodyWaits();
  // Three tries, because a take-over gives up soon, also when the machine is merely busy.
  let early: number | null = null;
  for (let tries = 0; early === null && tries < 3; tries++)
    early = await b.store.takeOver(seen, take).catch(() => null);
  free.resolve();
  await Promise.all([inTheWay, write]);
  if (early === null) expect(await b.store.takeOver(await b.store.read(), take)).toBe(2);
  await witness(b.runId);
  return brokenRules();
}

/** The leader renews while a transaction of its own work holds the fence. */
async function renewalDuringWrite(database: Database): Promise<Rule[]> {
  const a = leader(database);
  await a.store.takeOver(await a.store.read(), take);
  const [held, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = withLeaderFence(database, a.holder(1), PATIENT, async () => {
    held.resolve();
    await free.promise;
  }).catch(() => {});
  await held.promise;
  let isAnswered = false;
  const renewal = a.store.renew(1, 3_000).then(() => {
    isAnswered = true;
  });
  while (!isAnswered) {
    if (!(await doesSomebodyWait())) continue;
    a.history.say('row-lock-wait', { order: 0, waiting: 'renew', heldBy: 'a leader write' });
    break;
  }
  free.resolve();
  await Promise.all([write, renewal]);
  return brokenRules();
}

/** The holder renews between a candidate's read and its take-over. */
async function renewalBeforeTakeOver(database: Database): Promise<Rule[]> {
  const [a, b] = [leader(database), leader(database)];
  await a.store.takeOver(await a.store.read(), take);
  a.history.say('trust-begun', { term: 1 });
  const seen = await b.store.read();
  await a.store.renew(1, 3_000);
  const term = await b.store.takeOver(seen, take);
  if (term !== null) b.history.say('trust-begun', { term });
  return brokenRules();
}

async function register(database: Database): Promise<{ runId: string; beat(): Promise<unknown> }> {
  const runId = randomUUID();
  const self = { workerId: runId, runId, storageGatewayId: runId, name: 'w', host: 'h', machineId: 'm', bootId: 'b' };
  await registerWorker(database, { ...self, version: '1.0.0' });
  const status = { roles: [], availability: 'available', reason: '', health: [] };
  return { runId, beat: () => beat(database, self, status) };
}

const heartbeatOf = async (database: Database, runId: string) =>
  (await readMembers(database)).find((member) => member.run_id === runId)?.heartbeat ?? '0';

/** A worker that was silent beats between the leader's last look and its verdict. */
async function beatBeforeVerdict(database: Database): Promise<Rule[]> {
  const a = leader(database);
  await a.store.takeOver(await a.store.read(), take);
  const worker = await register(database);
  const heartbeat = await heartbeatOf(database, worker.runId);
  await worker.beat();
  await witness(worker.runId);
  await markWorkerDead(database, { term: 1, runId: a.runId }, { runId: worker.runId, heartbeat });
  await witness(a.runId);
  return brokenRules();
}

const REACH = { storageIds: [], term: null, visibilityTimeoutS: 3_600 };
const LANES = [{ role: 'CHECKSUM', kinds: ['checksum'], slots: 1 }];

async function withJob(database: Database): Promise<void> {
  await enqueueJobs(database, [{ role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {}, dedupeKey: 'one' }]);
}

/** A job is freed and given to another worker; then its first holder says that it is done. */
async function endOfAFreedJob(database: Database, alter: (store: JobStore) => JobStore): Promise<Rule[]> {
  await withJob(database);
  const node = () => {
    const runId = randomUUID();
    const store = alter(createPgJobStore(database, { runId, workerId: runId }));
    return { runId, store: createRecordedJobStore(store, historyOf(runId)) };
  };
  const [a, b] = [node(), node()];
  const [first] = await a.store.claim(LANES, REACH);
  if (!first) throw new Error('no job');
  await freeJobsOfDeadRun(database, a.runId, '0');
  await b.store.claim(LANES, REACH);
  await a.store.end(first, { state: 'done', result: {} });
  return brokenRules();
}

/** The database's wall clock jumps while a worker that holds a job goes on beating. */
async function clockJumpDuringJob(database: Database): Promise<Rule[]> {
  await withJob(database);
  const worker = await register(database);
  const store = createPgJobStore(database, { runId: worker.runId, workerId: worker.runId });
  await store.claim(LANES, REACH);
  const seen = await heartbeatOf(database, worker.runId);
  await worker.beat();
  await witness(worker.runId);
  await database.execute(`UPDATE worker SET last_seen_at = now() - interval '1 hour'`, []);
  await freeJobsOfDeadRun(database, worker.runId, seen);
  await witness('another run');
  return brokenRules();
}

const tokenRow = z.object({ lease_token: z.string() });
/** Ends whatever lease the job has. */
const endWithoutToken = (database: Database) => (store: JobStore) => ({
  ...store,
  end: async (...[lease, end, alongside]: Parameters<JobStore['end']>) => {
    const text = 'SELECT lease_token::text FROM job WHERE job_id = $1';
    const [row] = await database.query(text, [lease.jobId], tokenRow);
    return store.end({ ...lease, leaseToken: row?.lease_token ?? '' }, end, alongside);
  },
});

interface Directed {
  name: string;
  breaks: Rule;
  play: (database: Database) => Promise<Rule[]>;
  pattern: RegExp;
  by: string;
}

const MUTANTS: readonly Directed[] = [
  {
    name: 'the fence looks at the term without locking its row',
    breaks: 'no write of an old term',
    play: writeDuringTakeOver,
    pattern: FENCE,
    by: 'SELECT 1 AS held FROM leader_term WHERE term = $1::bigint AND run_id = $2::uuid',
  },
  {
    name: 'the fence locks the row that renewals change',
    breaks: 'renewal never waits for a leader write',
    play: renewalDuringWrite,
    pattern: FENCE,
    by: 'SELECT 1 AS held FROM leader_lease WHERE term = $1::bigint AND run_id = $2::uuid FOR SHARE',
  },
  {
    name: 'a take-over does not compare the renewals',
    breaks: 'no overlapping trust windows',
    play: renewalBeforeTakeOver,
    pattern: /AND renewals = \$2/,
    by: 'AND $2::bigint IS NOT NULL',
  },
  {
    name: 'a dead worker’s status is written without comparing its counter',
    breaks: 'status of a living worker is its own',
    play: beatBeforeVerdict,
    pattern: /AND worker\.heartbeat = \$4::bigint/,
    by: 'AND $4::bigint IS NOT NULL',
  },
  {
    name: 'jobs are freed by the time at which their worker was last seen',
    breaks: 'no freeing of a living worker’s job',
    play: clockJumpDuringJob,
    pattern: /NOT EXISTS \(SELECT 1 FROM worker WHERE run_id = \$1 AND heartbeat <> \$2\)/,
    by: `$2::bigint IS NOT NULL AND EXISTS (SELECT 1 FROM worker WHERE run_id = $1 AND last_seen_at < now() - interval '6 s')`,
  },
];

describe('the history of real connections gives away that', () => {
  it.each(MUTANTS)('$name', async ({ breaks, play, pattern, by }) => {
    const { rewrite, isUsed } = replacing(pattern, by);
    expect(await play(rewriteSql(test.database, rewrite))).toContain(breaks);
    expect(isUsed()).toBe(true);
  });

  it('a completion names no lease token', async () => {
    expect(await endOfAFreedJob(test.database, endWithoutToken(test.database))).toContain(
      'no completion under an old lease token',
    );
  });
});

describe('the product breaks no promise when', () => {
  it.each([
    ['a write waits while a take-over comes', writeDuringTakeOver],
    ['it renews during a write of its own', renewalDuringWrite],
    ['the holder renews just before a take-over', renewalBeforeTakeOver],
    ['a worker beats just before it is declared dead', beatBeforeVerdict],
    ['the wall clock of the database jumps', clockJumpDuringJob],
    ['a freed job is ended', (database: Database) => endOfAFreedJob(database, (store) => store)],
  ])('%s', async (_, play) => {
    expect(await play(test.database)).toEqual([]);
  });
});
