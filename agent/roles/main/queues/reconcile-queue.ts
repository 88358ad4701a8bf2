import type { RecordJob } from '../../../db/queries/job-origin.ts';
import { addRecordJobs, forgetOrigins, originsOfQueue } from '../../../db/queries/job-origin.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { TranscoderProfiles } from '../transcoders/transcoder-profiles.ts';
import type { QueuePlace, QueueRecord } from './record-plan.ts';
import {
  failedJob,
  parseRecord,
  planDeletion,
  planDownload,
  planTranscode,
  planUpload,
  uploadRecordSchema,
} from './record-plan.ts';
import { findUploadSource, indexedFileSets } from './upload-source.ts';

/** What reading queues needs. */
export interface ReconcileDeps {
  iconik: Pick<IconikApi, 'storages' | 'transcode' | 'files'>;
  transcoders: TranscoderProfiles;
  database: Sql;
  log: Logger;
}

/** Records that become jobs in one statement; small, so that the fence's row lock is held for milliseconds. */
const BATCH = 100;

/** One queue of one storage during one leadership. */
export interface QueueReconciler {
  /**
   * Reads the whole queue and brings the jobs in line with it; answers how many records wait for the scan. Throws when
   * iconik or the database fails.
   */
  reconcile(signal: AbortSignal): Promise<{ waiting: number }>;
}

/**
 * Makes the reconciler of a queue. Invariant: what is new in iconik's list has a job and an origin when `reconcile`
 * resolves, except records that wait for the scan; a settled origin goes when a list begun after its settling does not
 * show the record any more.
 */
export function createQueueReconciler(deps: ReconcileDeps, place: QueuePlace, leadership: Leadership): QueueReconciler {
  // Why records wait, by record: said once per reason.
  const waiting = new Map<string, string>();
  const planBatch = async (records: readonly QueueRecord[], signal: AbortSignal) => {
    if (place.queue === 'transfers_from') {
      const plan = await planUploads(deps, place, records, signal);
      for (const [recordId, why] of plan.waits) {
        if (waiting.get(recordId) !== why) deps.log.info(`Upload order ${recordId} waits: ${why}.`, { ...place });
        waiting.set(recordId, why);
      }
      for (const { job } of plan.jobs) waiting.delete(job.origin.recordId);
      return plan.jobs;
    }
    if (place.queue === 'transcode') {
      const profileOf = await deps.transcoders.ofStorage(place.storageId, signal);
      return records.map((record) => planTranscode(place.storageId, record, profileOf));
    }
    const plan = place.queue === 'transfers_to' ? planDownload : planDeletion;
    return records.map((record) => plan(place.storageId, record));
  };
  return {
    async reconcile(signal) {
      // The origins are read first: only a list begun after a settling may speak for the record's absence.
      const origins = await originsOfQueue(deps.database, place.queue, place.storageId);
      const records = await listQueue(deps.iconik, place, signal);
      const known = new Set(origins.map((origin) => origin.recordId));
      const listed = new Set(records.map((record) => record.id));
      for (const recordId of waiting.keys()) if (!listed.has(recordId)) waiting.delete(recordId);
      const fresh = records.filter((record) => !known.has(record.id));
      for (let start = 0; start < fresh.length; start += BATCH) {
        const jobs = await planBatch(fresh.slice(start, start + BATCH), signal);
        await addJobs(deps, place, leadership, jobs);
      }
      const gone = origins.filter((origin) => origin.settled && !listed.has(origin.recordId));
      await forgetOrigins(
        deps.database,
        leadership,
        place.queue,
        gone.map((origin) => origin.recordId),
      );
      return { waiting: waiting.size };
    },
  };
}

function listQueue(iconik: ReconcileDeps['iconik'], place: QueuePlace, signal: AbortSignal): Promise<QueueRecord[]> {
  const { queue, storageId } = place;
  switch (queue) {
    case 'transfers_from':
      return iconik.storages.transfersFrom(storageId, { signal });
    case 'transfers_to':
      return iconik.storages.transfersTo(storageId, { signal });
    case 'deletions':
      return iconik.storages.deletions(storageId, { signal });
    case 'transcode':
      return iconik.transcode.queue(storageId, { signal });
    default:
      return queue satisfies never;
  }
}

async function planUploads(
  deps: ReconcileDeps,
  place: QueuePlace,
  records: readonly QueueRecord[],
  signal: AbortSignal,
): Promise<{ jobs: RecordJob[]; waits: Map<string, string> }> {
  const jobs: RecordJob[] = [];
  const waits = new Map<string, string>();
  const parsed = records.map((record) => ({ record, order: parseRecord(uploadRecordSchema, record) }));
  const orders = parsed.flatMap(({ order }) => (order.ok ? [order.value] : []));
  const bySet = await indexedFileSets(deps.database, place.storageId, orders);
  for (const { record, order } of parsed) {
    if (!order.ok) {
      jobs.push(failedJob(place, record, order.why));
      continue;
    }
    const indexed = bySet.get(order.value.original_file_set_id) ?? [];
    const source = await findUploadSource(
      deps,
      { storageId: place.storageId, record: order.value, indexed },
      signal,
    ).catch((thrown: unknown) => {
      const error = coerceError(thrown);
      // One order that iconik refuses to explain must not hold up the others; it ends with iconik's reason.
      if (error.retry === 'permanent') return { kind: 'unusable' as const, why: error.message };
      return { kind: 'wait' as const, why: error.message };
    });
    if (source.kind === 'found') jobs.push(planUpload(place.storageId, order.value, source.file));
    else if (source.kind === 'unusable') jobs.push(failedJob(place, record, source.why));
    else waits.set(record.id, source.why);
  }
  return { jobs, waits };
}

async function addJobs(
  deps: ReconcileDeps,
  place: QueuePlace,
  leadership: Leadership,
  jobs: readonly RecordJob[],
): Promise<void> {
  const added = await addOrSplit(deps, place, leadership, jobs);
  if (added > 0) deps.log.info(`${added} new jobs from the queue ${place.queue}.`, { ...place });
  for (const { job, failure } of jobs) {
    if (failure) deps.log.warn(`Order ${job.origin.recordId} fails: ${failure.message}`, { ...place });
  }
}

/** Adds a batch; when the database refuses it for good, adds one by one, so that one odd record costs only itself. */
async function addOrSplit(
  deps: ReconcileDeps,
  place: QueuePlace,
  leadership: Leadership,
  jobs: readonly RecordJob[],
): Promise<number> {
  try {
    return await addRecordJobs(deps.database, leadership, jobs);
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.retry === 'transient' || error.code === 'leadership-lost') throw thrown;
    if (jobs.length > 1) {
      let added = 0;
      for (const job of jobs) added += await addOrSplit(deps, place, leadership, [job]);
      return added;
    }
    const [job] = jobs;
    if (!job || job.failure) throw thrown;
    const { recordId, iconikJobId } = job.job.origin;
    const failed = failedJob(
      place,
      { id: recordId, job_id: iconikJobId },
      `The node could not queue the order: ${error.message}`,
    );
    return addRecordJobs(deps.database, leadership, [failed]);
  }
}
