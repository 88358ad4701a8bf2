import { randomUUID } from 'node:crypto';
import { freshDates, type IconikState, isoNow } from '../state/iconik-state.ts';
import { numberedPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed, searchable } from './call.ts';
import { addEvent } from './queues.ts';

const jobOf = (call: Call): Row => found(call.state.jobs.get(call.params.job_id), 'Job');

const FILTERS = ['type', 'object_type', 'parent_id', 'object_id', 'status', 'created_by'] as const;

/** What a user's button makes of a job (reference C.11). */
const STATE_AFTER: Record<string, string> = { ABORT: 'ABORTED', PAUSE: 'PAUSED', RESUME: 'STARTED', RESTART: 'READY' };

/** Queue by table, the field that names its storage, and the word that its events begin with. */
const QUEUES = [
  { table: 'transfersFrom', storageField: 'original_storage_id', word: 'UPLOAD' },
  { table: 'transfersTo', storageField: 'local_storage_id', word: 'DOWNLOAD' },
  { table: 'transcodes', storageField: 'storage_id', word: 'TRANSCODE' },
  { table: 'edgeTranscodes', storageField: 'storage_id', word: 'TRANSCODE' },
] as const;

/** Progress in percent as iconik derives it. */
function withProgress(job: Row): Row {
  const total = Number(job.progress_total ?? 0);
  const progress = total > 0 ? Math.round((Number(job.progress_processed ?? 0) / total) * 100) : 0;
  return Object.assign(job, { progress: Math.min(100, progress) });
}

function changeJob(call: Call): Answer {
  const job = jobOf(call);
  const isMerged = call.query.merge_metadata === 'true' && call.body.metadata !== undefined;
  const metadata = isMerged ? { metadata: { ...(job.metadata as object), ...(call.body.metadata as object) } } : {};
  return {
    status: 200,
    body: withProgress(Object.assign(job, call.body, metadata, { date_modified: isoNow(call.state) })),
  };
}

type Step = Record<string, unknown>;

function changeSteps(call: Call, changes: Step[]): Answer {
  const job = jobOf(call);
  const steps = (Array.isArray(job.steps) ? job.steps : []) as Step[];
  for (const change of changes) {
    const step = steps.find((candidate) => candidate.id === change.id);
    if (!step) throw new ApiError(404, 'Job step not found');
    Object.assign(step, change, { date_updated: isoNow(call.state) });
  }
  return { status: 200, body: Object.assign(job, { steps, date_modified: isoNow(call.state) }) };
}

/** Tells the gateway whose queue holds the job's record; false when no queue does. */
function tellGateway(state: IconikState, jobId: string, suffix: string, data: Record<string, unknown>): boolean {
  let isTold = false;
  for (const { table, storageField, word } of QUEUES) {
    for (const record of state[table].where({ job_id: jobId })) {
      const ids = { job_id: jobId, record_id: record.id, transfer_id: record.id };
      addEvent(state, String(record[storageField]), `${word}_${suffix}`, { ...ids, ...data });
      isTold = true;
    }
  }
  return isTold;
}

function setState(call: Call): Answer {
  const { action, job_ids: jobIds } = call.body as { action: string; job_ids: string[] };
  for (const id of jobIds) {
    const job = call.state.jobs.get(id);
    if (!job) continue;
    // Work that a gateway holds is aborted when the gateway says so.
    const isPending = action === 'ABORT' && tellGateway(call.state, id, 'ABORT', {});
    Object.assign(job, {
      status: isPending ? 'ABORT_PENDING' : STATE_AFTER[action],
      date_modified: isoNow(call.state),
    });
  }
  return { status: 201 };
}

function setPriority(call: Call): Answer {
  const { priority, job_ids: jobIds } = call.body as { priority: number; job_ids: string[] };
  for (const id of jobIds) {
    const job = call.state.jobs.get(id);
    if (!job) continue;
    Object.assign(job, { priority, date_modified: isoNow(call.state) });
    tellGateway(call.state, id, 'CHANGE_PRIORITY', { priority });
  }
  return { status: 201 };
}

function listJobs(call: Call): Answer {
  const { jobs } = call.state;
  if (call.query.scroll !== undefined || call.query.query !== undefined)
    throw new ApiError(501, 'The stand-in neither scrolls nor searches jobs');
  const wanted = FILTERS.flatMap((name) => (call.query[name] === undefined ? [] : [[name, call.query[name]]]));
  const ids = typeof call.query.ids === 'string' ? call.query.ids.split(',') : undefined;
  const rows = jobs.where(Object.fromEntries(wanted)).filter((job) => !ids || ids.includes(job.id));
  return listed(
    numberedPage(
      searchable(call, rows, (job) => jobs.ageMs(job)),
      call,
    ),
  );
}

const STEPS = '/API/jobs/v1/jobs/{job_id}/steps/';
const manySteps = (call: Call): Answer => changeSteps(call, (call.body.steps ?? []) as Step[]);
const oneStep = (call: Call): Answer => changeSteps(call, [{ ...call.body, id: call.params.job_step_id }]);

/** Jobs (reference C.11). */
export const jobHandlers: Handlers = {
  'GET /API/jobs/v1/jobs/': listJobs,
  'POST /API/jobs/v1/jobs/': (call) => {
    const own = { id: randomUUID(), priority: 5, steps: [], created_by: call.state.account.userId };
    return {
      status: 201,
      body: withProgress(call.state.jobs.insert({ ...call.body, ...own, ...freshDates(call.state) })),
    };
  },
  'GET /API/jobs/v1/jobs/{job_id}/': (call) => ({ status: 200, body: jobOf(call) }),
  'PATCH /API/jobs/v1/jobs/{job_id}/': changeJob,
  'PUT /API/jobs/v1/jobs/{job_id}/': changeJob,
  'DELETE /API/jobs/v1/jobs/{job_id}/': (call) => {
    call.state.jobs.remove(jobOf(call).id);
    return { status: 204 };
  },
  [`PATCH ${STEPS}`]: manySteps,
  [`PUT ${STEPS}`]: manySteps,
  [`PATCH ${STEPS}{job_step_id}/`]: oneStep,
  [`PUT ${STEPS}{job_step_id}/`]: oneStep,
  'PUT /API/jobs/v1/jobs/state/': setState,
  'PUT /API/jobs/v1/jobs/priority/': setPriority,
};
