import type { RecordJob } from '../../../db/queries/job-origin.ts';
import { addRecordJobs, cancelRecordJobs, forgetOrigins, originsOfQueue } from '../../../db/queries/job-origin.ts';
import { fileAtPath, filesByIconikId, type OrderedFile } from '../../../db/queries/ordered-file.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { ProfileOf } from '../transcoders/transcoder-plan.ts';
import type { TranscoderProfiles } from '../transcoders/transcoder-profiles.ts';
import { AbsentRecords } from './absent-records.ts';
import type { QueuePlace, QueueRecord, UploadSource } from './record-plan.ts';
import {
  edgeRecordSchema,
  failedJob,
  parseRecord,
  pathInStorage,
  planDeletion,
  planDownload,
  planEdgeTranscode,
  planTranscode,
  planUpload,
  uploadRecordSchema,
} from './record-plan.ts';
import { forEachLimited } from './storage-loops.ts';
import { routeDownload, routeUpload } from './transfer-route.ts';
import { findUploadSource, indexedFileSets, type UploadRecord } from './upload-source.ts';

/** What reading queues needs. */
export interface ReconcileDeps {
  iconik: Pick<IconikApi, 'storages' | 'transcode' | 'files'>;
  transcoders: TranscoderProfiles;
  database: Sql;
  clock: Clock;
  log: Logger;
  /** How long a record must be away from iconik's list before its job is cancelled, milliseconds; default 20 000. */
  vanishedMs?: number;
  /** How long a settled record must be away from iconik's lists before it is forgotten, milliseconds; default a minute. */
  forgetMs?: number;
  /** Counts orders that vanished, by queue. */
  countVanished?(queue: QueuePlace['queue'], count: number): void;
}

const VANISHED_MS = 20_000;
/** A list that misses a record for once must not have its work done again. */
export const FORGET_MS = 60_000;

/** Records that become jobs in one statement; small, so that the fence's row lock is held for milliseconds. */
const BATCH = 100;

/** Orders whose files are asked for at once; iconik answers in 50 ms or so. */
const SOURCES_AT_ONCE = 8;

/** One queue of one storage during one leadership. */
export interface QueueReconciler {
  /**
   * Reads the whole queue and brings the jobs in line with it; answers how many records wait for the scan, and how many
   * orders are in work. Throws when iconik or the database fails.
   */
  reconcile(signal: AbortSignal): Promise<{ waiting: number; open: number }>;
}

/**
 * Makes the reconciler of a queue. Invariant: what is new in iconik's list has a job and an origin when `reconcile`
 * resolves, except records that wait for the scan; a settled origin goes when lists begun after its settling have not
 * shown the record for `forgetMs`.
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
    if (place.queue === 'transcode' || place.queue === 'edge_transcode') {
      const profileOf = await deps.transcoders.ofStorage(place.storageId, signal);
      return Promise.all(records.map((record) => planTranscodeOf(deps, { place, record, profileOf })));
    }
    if (place.queue === 'transfers_to')
      return records.map((record) => routeDownload(planDownload(place.storageId, record), record));
    return records.map((record) => planDeletion(place.storageId, record));
  };
  const vanished = createVanishedRecords(deps, place, leadership);
  const absent = new AbsentRecords(deps.forgetMs ?? FORGET_MS);
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
      if (place.queue === 'edge_transcode') await acknowledgeAll(deps, leadership, records, signal);
      const open = origins.filter((origin) => !origin.settled).map((origin) => origin.recordId);
      await vanished.cancel(open.filter((recordId) => !listed.has(recordId)));
      const settled = origins.filter((origin) => origin.settled).map((origin) => origin.recordId);
      const gone = absent.gone(settled, (recordId) => listed.has(recordId), deps.clock.monotonicMs());
      await forgetOrigins(deps.database, leadership, place.queue, gone);
      return { waiting: waiting.size, open: open.length + fresh.length };
    },
  };
}

// The list of edge transcodes shows what nobody has acknowledged, so leaving it says nothing.
const LISTED_TO_THE_END = new Set<QueuePlace['queue']>(['transfers_from', 'transfers_to', 'deletions', 'transcode']);

/** Orders in work that iconik does not list any more: somebody withdrew them without an event. */
function createVanishedRecords(deps: ReconcileDeps, place: QueuePlace, leadership: Leadership) {
  // Since when by monotonic time; a record whose end is just being told is away for a moment, too.
  const since = new Map<string, number>();
  const cancelled = new Set<string>();
  return {
    async cancel(absent: readonly string[]): Promise<void> {
      if (!LISTED_TO_THE_END.has(place.queue)) return;
      const nowMs = deps.clock.monotonicMs();
      const now = new Set(absent);
      for (const known of [...since.keys(), ...cancelled]) {
        if (now.has(known)) continue;
        since.delete(known);
        cancelled.delete(known);
      }
      for (const recordId of absent) if (!since.has(recordId)) since.set(recordId, nowMs);
      const latestMs = nowMs - (deps.vanishedMs ?? VANISHED_MS);
      const recordIds = absent.filter((id) => !cancelled.has(id) && (since.get(id) ?? nowMs) <= latestMs);
      if (recordIds.length === 0) return;
      const selection = { kinds: [place.queue], recordIds, iconikJobIds: [] };
      const count = await cancelRecordJobs(deps.database, leadership, selection);
      for (const recordId of recordIds) cancelled.add(recordId);
      if (count === 0) return;
      deps.countVanished?.(place.queue, count);
      deps.log.warn(
        `${count} orders left iconik's queue ${place.queue} without an end or an abort; their jobs are cancelled.`,
        { ...place, recordIds: recordIds.slice(0, 20) },
      );
    },
  };
}

// After the commit of their jobs; one whose acknowledgement gets lost is listed and acknowledged again.
async function acknowledgeAll(
  deps: ReconcileDeps,
  leadership: Leadership,
  records: readonly QueueRecord[],
  signal: AbortSignal,
): Promise<void> {
  for (const record of records) {
    leadership.assertTrusted();
    await deps.iconik.transcode.acknowledgeEdgeJob(record.id, { signal });
  }
}

async function planTranscodeOf(
  deps: ReconcileDeps,
  { place, record, profileOf }: { place: QueuePlace; record: QueueRecord; profileOf: ProfileOf },
): Promise<RecordJob> {
  if (place.queue === 'transcode') return planTranscode(place.storageId, record, profileOf);
  const order = parseRecord(edgeRecordSchema, record);
  if (!order.ok) return failedJob(place, record, order.why);
  const { file_id: fileId, directory_path: directory, original_name: name } = order.value.input;
  const byId = fileId ? await filesByIconikId(deps.database, place.storageId, fileId) : [];
  const path = name ? pathInStorage(directory, name) : null;
  const file = byId[0] ?? (path === null ? null : await fileAtPath(deps.database, place.storageId, path));
  return planEdgeTranscode({ storageId: place.storageId, file, profileOf }, order.value);
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
    case 'edge_transcode':
      return iconik.transcode.edgeJobs(storageId, { signal });
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
  const sources = new Map<string, UploadSource>();
  await forEachLimited(orders, SOURCES_AT_ONCE, async (order) => {
    sources.set(order.id, await sourceOf(deps, place.storageId, { order, bySet, signal }));
  });
  for (const { record, order } of parsed) {
    const source = order.ok ? sources.get(order.value.id) : undefined;
    if (!order.ok) jobs.push(failedJob(place, record, order.why));
    else if (source?.kind === 'found')
      jobs.push(routeUpload(planUpload(place.storageId, order.value, source.file, source.others), order.value));
    else if (source?.kind === 'unusable') jobs.push(failedJob(place, record, source.why));
    else waits.set(record.id, source?.why ?? 'it is looked at next time');
  }
  return { jobs, waits };
}

/** Where the files of one order are. Never throws: one order that iconik refuses to explain must not hold up the others. */
async function sourceOf(
  deps: ReconcileDeps,
  storageId: string,
  about: { order: UploadRecord; bySet: Map<string, OrderedFile[]>; signal: AbortSignal },
): Promise<UploadSource> {
  const { order: record, bySet, signal } = about;
  const indexed = bySet.get(record.original_file_set_id) ?? [];
  try {
    return await findUploadSource(deps, { storageId, record, indexed }, signal);
  } catch (thrown) {
    const error = coerceError(thrown);
    // What is refused for good ends with iconik's reason.
    return { kind: error.retry === 'permanent' ? 'unusable' : 'wait', why: error.message };
  }
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
