import { z } from 'zod';
import { type AgentCallHandlers, type ErrorDetail, errorDetailSchema, type JobRow } from '../../contract/index.ts';
import {
  cancelJob,
  countJobs,
  type ListedJob,
  listJobs,
  prioritiseJob,
  retryJob,
  type WaitingFile,
} from '../../db/queries/operator-jobs.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Database } from '../../runtime/sql.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { makeCursor, readCursor } from './cursor.ts';

type JobCalls = Pick<AgentCallHandlers, 'jobs.list' | 'jobs.cancel' | 'jobs.retry' | 'jobs.set-priority'>;

/** Where a list goes on, and how long it was when it began: counting anew for each page would make scrolling slow. */
const placeSchema = z.object({ jobId: z.string().regex(/^\d{1,18}$/), total: z.number() });

/** The queue as operators see and change it. */
export function jobCalls(database: Database): JobCalls {
  return {
    'jobs.list': async ({ cursor, limit, ...filter }) => {
      const place = readCursor(cursor, (value) => placeSchema.safeParse(value).data);
      const page = { beforeJobId: place?.jobId ?? null, limit };
      const [rows, total] = await Promise.all([
        listJobs(database, filter, page),
        place?.total ?? countJobs(database, filter),
      ]);
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return {
        rows: rows.map(toRow),
        nextCursor: last === undefined ? null : makeCursor({ jobId: last.job_id, total }),
        total,
      };
    },
    'jobs.cancel': async ({ jobId }) => {
      const isChanged = await cancelJob(database, idOf(jobId));
      return changed(isChanged, 'This job has ended already; there is nothing to cancel.');
    },
    'jobs.retry': async ({ jobId }) => {
      const isChanged = await retryJob(database, idOf(jobId), waitingFileOf);
      return changed(isChanged, 'Only failed and cancelled jobs can be tried again; this one is neither.');
    },
    'jobs.set-priority': async ({ jobId, priority }) => {
      const isChanged = await prioritiseJob(database, idOf(jobId), priority);
      return changed(isChanged, 'This job has ended already; its priority means nothing any more.');
    },
  };
}

function idOf(jobId: string): string {
  if (/^\d{1,18}$/.test(jobId)) return jobId;
  throw new IsgError('unexpected', 'There is no such job.', { retry: 'permanent' });
}

function changed(isChanged: boolean, otherwise: string): Record<string, never> {
  if (!isChanged) throw new IsgError('unexpected', otherwise, { retry: 'permanent' });
  return {};
}

function toRow(job: ListedJob): JobRow {
  const { error, why } = errorOf(job.error);
  return {
    jobId: job.job_id,
    role: job.role,
    kind: job.kind,
    state: job.state,
    subject: job.subject,
    storageId: job.storage_id,
    priority: job.priority,
    attempts: job.attempts,
    progress: job.progress,
    // what it was at last is no news of a job that is through
    note: (job.state === 'done' ? '' : job.progress_note) || why,
    nodeName: job.node_name,
    createdMs: job.created_ms,
    startedMs: job.started_ms,
    finishedMs: job.finished_ms,
    error,
  };
}

const snoozeSchema = z.object({ why: z.string() });

/** A job that was put off without failing carries only the reason. */
function errorOf(stored: unknown): { error: ErrorDetail | null; why: string } {
  const error = errorDetailSchema.safeParse(stored).data ?? null;
  return { error, why: snoozeSchema.safeParse(stored).data?.why ?? '' };
}

const checksumPayload = z.object({
  storageId: z.string(),
  path: z.string(),
  sizeBytes: z.number(),
  mtimeNs: z.string().regex(/^-?\d+$/),
});

function waitingFileOf({ kind, payload }: { kind: string; payload: unknown }): WaitingFile | null {
  const parsed = checksumPayload.safeParse(payload);
  if (kind !== 'checksum' || !parsed.success) return null;
  const { storageId, path, sizeBytes, mtimeNs } = parsed.data;
  return { storageId, pathKey: pathKey(path), sizeBytes, mtimeNs };
}
