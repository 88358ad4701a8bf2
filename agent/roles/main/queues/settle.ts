import type { EndedRecord } from '../../../db/queries/job-origin.ts';
import { endedRecords, markSettled } from '../../../db/queries/job-origin.ts';
import type { IconikApi, JobPatch } from '../../../iconik/api.ts';
import type { Leadership, LeaderWork } from '../../../leader/leadership.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { IsgError } from '../../../runtime/errors.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { FailureLog } from './failure-log.ts';
import { createFailureLog } from './failure-log.ts';
import { runProgressLoop } from './iconik-progress.ts';
import { IconikSteps } from './iconik-steps.ts';
import { JobReports } from './job-reports.ts';
import type { SettleGroup } from './settle-plan.ts';
import { endedSteps, endPatch, groupRecords, recordOutcome } from './settle-plan.ts';
import { forEachLimited } from './storage-loops.ts';

/** What settling needs. */
export interface SettleDeps {
  iconik: Pick<IconikApi, 'jobs' | 'storages' | 'transcode'>;
  database: Sql;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
  /** Time between looks for ended jobs, milliseconds; default 1000. */
  intervalMs?: number;
  /** Shortest time between two progress reports of one iconik job, milliseconds; default 5000. */
  progressIntervalMs?: number;
  /** How long a request of an earlier leader may still take effect, milliseconds (`iconik-settle-ms`); default 15 000. */
  settleMs?: number;
}

const INTERVAL_MS = 1000;
const PROGRESS_INTERVAL_MS = 5000;
const SETTLE_MS = 15_000;
/** Groups told at once: enough to fill a good part of the leader's request budget with 50 ms answers. */
const AT_ONCE = 8;
const RETRY = { baseMs: 2000, capMs: 60_000 };
const UNREADABLE = 'Ended orders that a newer version of this program took are left until a node of that version leads';
/** Troubles that are iconik's as a whole; after a few of them a round is not worth going on with. */
const ICONIK_AWAY = new Set(['iconik-unreachable', 'iconik-unauthorized', 'iconik-throttled']);
const AWAY_LIMIT = 3;

/**
 * Makes the work that tells iconik how jobs ended, and how far running ones are. Every step may be repeated: killed
 * anywhere, the next leader goes on where the database says.
 */
export function createSettleWork(deps: SettleDeps): LeaderWork {
  const log = deps.log.child({ role: 'MAIN', work: 'settle' });
  return {
    name: 'settle',
    async run(leadership) {
      const failures = createFailureLog(log);
      const steps = new IconikSteps(deps.iconik.jobs, failures);
      const shared = { ...deps, log, failures, reports: new JobReports(), steps, leadership };
      await Promise.all([
        runSettleLoop(shared),
        runProgressLoop({ ...shared, intervalMs: deps.progressIntervalMs ?? PROGRESS_INTERVAL_MS }),
      ]);
    },
  };
}

interface SettleLoop extends SettleDeps {
  failures: FailureLog;
  reports: JobReports;
  steps: IconikSteps;
  leadership: Leadership;
}

interface Told {
  iconikJobId: string;
  patch: JobPatch;
}

async function runSettleLoop(loop: SettleLoop): Promise<void> {
  const { clock, leadership } = loop;
  const { signal } = leadership;
  const backoff = new Map<string, { failures: number; untilMs: number }>();
  const echoAtMs = clock.monotonicMs() + (loop.settleMs ?? SETTLE_MS);
  let echo: Told[] | null = [];
  while (!signal.aborted) {
    try {
      const told = await settleRound(loop, backoff);
      loop.failures.worked('settle');
      echo?.push(...told);
      if (echo !== null && clock.monotonicMs() >= echoAtMs) {
        await tellAgain(loop, echo);
        echo = null;
      }
    } catch (thrown) {
      if (!isEnd(thrown, signal)) loop.failures.failed('settle', 'Ended jobs cannot be told to iconik', thrown);
    }
    await clock.sleep(loop.intervalMs ?? INTERVAL_MS, signal).catch(() => undefined);
  }
}

/** Settles what has ended and is not backing off; answers the ends told. Throws when the database cannot be asked. */
async function settleRound(
  loop: SettleLoop,
  backoff: Map<string, { failures: number; untilMs: number }>,
): Promise<Told[]> {
  const { records, unreadable } = await endedRecords(loop.database);
  if (unreadable > 0) loop.failures.failed('unreadable', UNREADABLE, new Error(`${unreadable} records`));
  else loop.failures.forget('unreadable');
  const groups = groupRecords(records);
  const open = new Set(groups.map((group) => group.key));
  for (const key of backoff.keys()) if (!open.has(key)) backoff.delete(key);
  const nowMs = loop.clock.monotonicMs();
  const due = groups.filter((group) => (backoff.get(group.key)?.untilMs ?? nowMs) <= nowMs);
  const told: Told[] = [];
  let away = 0;
  await forEachLimited(due, AT_ONCE, async (group) => {
    if (loop.leadership.signal.aborted || away >= AWAY_LIMIT) return;
    try {
      const end = await settleGroup(loop, group);
      if (end) told.push(end);
      backoff.delete(group.key);
      loop.failures.forget(group.key);
      loop.failures.worked('iconik');
    } catch (thrown) {
      const error = coerceError(thrown);
      if (isEnd(error, loop.leadership.signal)) return;
      const failures = (backoff.get(group.key)?.failures ?? 0) + 1;
      const waitMs = 500 + backoffMs(failures, RETRY, () => loop.random());
      backoff.set(group.key, { failures, untilMs: loop.clock.monotonicMs() + waitMs });
      if (ICONIK_AWAY.has(error.code)) away += 1;
      logFailure(loop.failures, group, error);
    }
  });
  return told;
}

function logFailure(failures: FailureLog, group: SettleGroup, error: IsgError): void {
  if (ICONIK_AWAY.has(error.code))
    failures.failed('iconik', 'iconik cannot be told how jobs ended; tried again', error);
  else failures.failed(group.key, `iconik does not take the end of job ${group.key}; tried again later`, error);
}

async function settleGroup(loop: SettleLoop, group: SettleGroup): Promise<Told | null> {
  const told = group.iconikJobId === null ? null : await tellEnd(loop, group.iconikJobId, group.records);
  for (const record of group.records) await endRecord(loop, record);
  await markSettled(loop.database, loop.leadership, group.records);
  return told;
}

async function tellEnd(loop: SettleLoop, iconikJobId: string, records: readonly EndedRecord[]): Promise<Told> {
  const patch = endPatch(records);
  // Records come oldest job first.
  const lastJobId = BigInt(records.at(-1)?.jobId ?? 0);
  await loop.reports.end(iconikJobId, lastJobId, async () => {
    await tellSteps(loop, iconikJobId, records);
    await patchEnd(loop, { iconikJobId, patch });
  });
  return { iconikJobId, patch };
}

async function tellSteps(loop: SettleLoop, iconikJobId: string, records: readonly EndedRecord[]): Promise<void> {
  const limits = { signal: loop.leadership.signal };
  const asks = records.some((record) => record.kind === 'transcode' && record.steps.length === 0);
  loop.leadership.assertTrusted();
  const more = asks ? await loop.steps.ask(iconikJobId, limits) : [];
  await loop.steps.send(iconikJobId, endedSteps(records, more), limits);
}

async function patchEnd(loop: SettleLoop, { iconikJobId, patch }: Told): Promise<void> {
  try {
    loop.leadership.assertTrusted();
    await loop.iconik.jobs.patch(iconikJobId, patch, { signal: loop.leadership.signal });
  } catch (thrown) {
    const { code, message } = coerceError(thrown);
    // iconik has ended or removed the job itself: the record must still go, or it would be delivered for ever.
    if (code !== 'iconik-conflict' && code !== 'iconik-not-found') throw thrown;
    loop.log.info(`iconik keeps its own end of job ${iconikJobId}: ${message}`);
  }
}

async function endRecord(loop: SettleLoop, record: EndedRecord): Promise<void> {
  const { iconik, leadership } = loop;
  const limits = { signal: leadership.signal };
  leadership.assertTrusted();
  const { kind, recordId, storageId } = record;
  // An edge transcode was acknowledged when it was taken, an event when its order was committed: nothing is left to remove.
  if (kind === 'edge_transcode' || kind === 'event') return;
  if (kind === 'deletions') return iconik.storages.endDeletion(storageId, recordId, limits);
  if (kind === 'transcode') return iconik.transcode.endRecord(storageId, recordId, limits);
  const transfer = { queue: kind, transferId: recordId, outcome: recordOutcome(record) };
  return iconik.storages.endTransfer(storageId, transfer, limits);
}

/**
 * Progress that an earlier leader sent just before it lost the lead may take effect after the end that this one told.
 * Once no such request can be under way any more, the ends of that time are told again.
 */
async function tellAgain(loop: SettleLoop, ends: readonly Told[]): Promise<void> {
  await forEachLimited(ends, AT_ONCE, (told) =>
    patchEnd(loop, told).catch((thrown: unknown) => {
      if (!isEnd(thrown, loop.leadership.signal))
        loop.failures.failed('echo', 'The end of a job could not be told a second time; it was told once', thrown);
    }),
  );
}

function isEnd(thrown: unknown, signal: AbortSignal): boolean {
  return signal.aborted || coerceError(thrown).code === 'leadership-lost';
}
