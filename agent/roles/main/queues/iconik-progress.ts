import type { RunningIconikJob } from '../../../db/queries/job-origin.ts';
import { recordPriorityTold, runningIconikJobs, untoldPriorities } from '../../../db/queries/job-origin.ts';
import type { IconikApi, JobPatch } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { FailureLog } from './failure-log.ts';
import type { IconikSteps } from './iconik-steps.ts';
import type { JobReports } from './job-reports.ts';
import { forEachLimited } from './storage-loops.ts';

/** What telling progress needs. */
export interface ProgressLoop {
  iconik: Pick<IconikApi, 'jobs'>;
  database: Sql;
  clock: Clock;
  leadership: Leadership;
  failures: FailureLog;
  reports: JobReports;
  steps: IconikSteps;
  /** Shortest time between two reports of one iconik job, milliseconds. */
  intervalMs: number;
}

/** Progress is a courtesy: few calls at once, so that it never crowds out the telling of ends. */
const AT_ONCE = 4;
/** How often the job table is looked at, as a part of the interval: a new job shows soon, an old one no more often. */
const LOOKS_PER_INTERVAL = 2.5;

/** What iconik was told last about one iconik job. */
interface Told {
  percent: number;
  atMs: number;
  /** Ids of the steps that are shown as in progress. */
  steps: Set<string>;
}

/** The database keeps progress in single precision: 0.42 comes back as 0.41999998. */
const PRECISION = 1e-4;

/** Percent of 100 that iconik is told; 0 for anything that is no number. */
export function percentOf(progress: number): number {
  return Number.isFinite(progress) ? Math.floor(Math.min(1, Math.max(0, progress)) * 100 + PRECISION) : 0;
}

/** Tells iconik how far the running jobs are, for the length of a leadership. Never throws. */
export async function runProgressLoop(loop: ProgressLoop): Promise<void> {
  const { signal } = loop.leadership;
  const told = new Map<string, Told>();
  while (!signal.aborted) {
    try {
      const running = await runningIconikJobs(loop.database);
      const ids = new Set(running.map((job) => job.iconikJobId));
      for (const id of told.keys()) if (!ids.has(id)) told.delete(id);
      const nowMs = loop.clock.monotonicMs();
      const due = running.filter((job) => isDue(job, told.get(job.iconikJobId), nowMs - loop.intervalMs));
      await forEachLimited(due, AT_ONCE, (job) => tell(loop, told, job));
      await tellPriorities(loop);
      loop.failures.worked('progress query');
    } catch (thrown) {
      if (!signal.aborted) loop.failures.failed('progress query', 'Progress of jobs cannot be read', thrown);
    }
    await loop.clock.sleep(loop.intervalMs / LOOKS_PER_INTERVAL, signal).catch(() => undefined);
  }
}

function isDue(job: RunningIconikJob, told: Told | undefined, latestMs: number): boolean {
  return told === undefined || (told.percent !== percentOf(job.progress) && told.atMs <= latestMs);
}

async function tell(loop: ProgressLoop, told: Map<string, Told>, job: RunningIconikJob): Promise<void> {
  const { signal } = loop.leadership;
  if (signal.aborted) return;
  const percent = percentOf(job.progress);
  const before = told.get(job.iconikJobId);
  // A refused report is not repeated at once: the next one comes with the next interval and other progress.
  told.set(job.iconikJobId, { percent, atMs: loop.clock.monotonicMs(), steps: before?.steps ?? new Set() });
  try {
    await loop.reports.progress(job.iconikJobId, job.lastJobId, async () => {
      loop.leadership.assertTrusted();
      await loop.iconik.jobs.patch(job.iconikJobId, startedPatch(job, percent, before === undefined), { signal });
      await tellSteps(loop, told, job);
    });
    loop.failures.worked('progress');
  } catch (thrown) {
    if (signal.aborted || coerceError(thrown).code === 'leadership-lost') return;
    loop.failures.failed('progress', 'Progress of jobs cannot be told to iconik; the work goes on', thrown);
  }
}

function startedPatch(job: RunningIconikJob, percent: number, isFirst: boolean): JobPatch {
  return {
    status: 'STARTED',
    progress_processed: percent,
    progress_total: 100,
    ...(job.note === '' ? {} : { message: job.note }),
    ...(isFirst && job.startedAt !== null ? { started_at: job.startedAt } : {}),
  };
}

async function tellSteps(loop: ProgressLoop, told: Map<string, Told>, job: RunningIconikJob): Promise<void> {
  const shown = told.get(job.iconikJobId)?.steps ?? new Set();
  const limits = { signal: loop.leadership.signal };
  const steps = job.asksForSteps && shown.size === 0 ? await loop.steps.ask(job.iconikJobId, limits) : job.steps;
  const begun = steps.filter((step) => !shown.has(step.id));
  const patches = begun.map((step) => ({ ...step, status: 'IN_PROGRESS' as const }));
  await loop.steps.send(job.iconikJobId, patches, limits);
  for (const step of begun) shown.add(step.id);
}

/** Tells iconik the priorities that operators gave jobs here. What iconik refuses for good counts as told. */
async function tellPriorities(loop: ProgressLoop): Promise<void> {
  const untold = await untoldPriorities(loop.database);
  for (const [priority, jobs] of Map.groupBy(untold, (job) => job.priority)) {
    const iconikJobIds = [...new Set(jobs.map((job) => job.iconik_job_id))];
    try {
      loop.leadership.assertTrusted();
      await loop.iconik.jobs.putPriority(iconikJobIds, priority, { signal: loop.leadership.signal });
      loop.failures.worked('priority');
    } catch (thrown) {
      if (loop.leadership.signal.aborted || coerceError(thrown).code === 'leadership-lost') return;
      loop.failures.failed('priority', 'The priority of a job cannot be told to iconik; here it counts', thrown);
      if (coerceError(thrown).retry === 'transient') return;
    }
    const jobIds = jobs.map((job) => job.job_id);
    await recordPriorityTold(loop.database, loop.leadership, jobIds, priority);
  }
}
