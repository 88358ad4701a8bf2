import type { RecordJob } from '../../../db/queries/job-origin.ts';
import { addRecordJobs, originsOfQueue } from '../../../db/queries/job-origin.ts';
import type { OrderedFile } from '../../../db/queries/ordered-file.ts';
import { namedFiles } from '../../../db/queries/ordered-file.ts';
import type { FileStorageSettings, Storage } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import { directoryOf } from '../../../storage/storage-path.ts';
import { remoteDirectory, uploadKey } from '../ingest/ingest-plan.ts';
import type { EventData } from './event-data.ts';
import { iconikJobOf } from './event-plan.ts';
import { judgeUploadFile } from './record-plan.ts';

/** What ordering uploads needs. */
export interface IngestUploadDeps {
  database: Sql;
  leadership: Leadership;
  storage(storageId: string): Storage | null;
}

/** An INGEST_UPLOAD event. */
export interface IngestUploadOrder {
  eventId: string;
  storageId: string;
  data: EventData;
}

/** Jobs added in one statement. */
const BATCH = 100;

/**
 * Orders the upload of files that were ingested before to the storage's remote storage, each under the event's id and the
 * file's: delivered twice, it orders nothing twice. Answers how many, or why there is nothing to order. Throws when the
 * database fails, and `database-conflict` while one of them is being uploaded to there without this order.
 */
export async function uploadIngested(
  deps: IngestUploadDeps,
  order: IngestUploadOrder,
  signal: AbortSignal,
): Promise<{ ordered: number; why: string | null }> {
  const settings = deps.storage(order.storageId)?.settings;
  const destination = settings?.remote_storage_id;
  if (!settings || !destination) return { ordered: 0, why: 'the storage names no remote storage to upload to' };
  const files = await namedFiles(deps.database, order.storageId, order.data);
  if (files.length === 0) return { ordered: 0, why: 'this node knows none of the files that it names' };
  const jobs = oneOfEachKey(files.map((file) => planIngestUpload(order, file, { destination, settings })));
  let ordered = 0;
  for (let start = 0; start < jobs.length && !signal.aborted; start += BATCH)
    ordered += await addRecordJobs(deps.database, deps.leadership, jobs.slice(start, start + BATCH));
  signal.throwIfAborted();
  const taken = new Set((await originsOfQueue(deps.database, 'event', order.storageId)).map((one) => one.recordId));
  if (jobs.every(({ job }) => taken.has(job.origin.recordId))) return { ordered, why: null };
  const words = 'a file that it names is being uploaded to there; the order is taken up when that has ended.';
  throw new IsgError('database-conflict', words, { retry: 'transient' });
}

/** Files of one content in one asset are one upload; two jobs of one key would be refused, and the order with them. */
function oneOfEachKey(jobs: readonly RecordJob[]): RecordJob[] {
  const first = new Map<string, RecordJob>();
  for (const job of jobs) if (!first.has(job.job.dedupeKey)) first.set(job.job.dedupeKey, job);
  return [...first.values()];
}

/** The upload of one file, or a job that is born failed with the reason. Pure. */
export function planIngestUpload(
  order: IngestUploadOrder,
  file: OrderedFile,
  to: { destination: string; settings: FileStorageSettings },
): RecordJob {
  const { storageId, eventId, data } = order;
  const source = judgeUploadFile(file);
  const { assetId, versionId, formatId, fileSetId, iconikFileId } = file;
  const common = { role: 'TRANSFER', kind: 'upload', storageId } as const;
  const origin = {
    kind: 'event',
    recordId: `${eventId}:${iconikFileId ?? file.pathKey}`,
    storageId,
    iconikJobId: iconikJobOf(data),
  } as const;
  const fail = (why: string): RecordJob => ({
    job: { ...common, payload: { storageId, path: file.path }, dedupeKey: `upload:${origin.recordId}`, origin },
    failure: { code: 'job-payload-invalid', message: why, retry: 'permanent' },
  });
  if (source.kind === 'wait')
    return fail(`The file ${file.path} cannot be uploaded yet: ${source.why}. Order it again.`);
  if (source.kind === 'unusable') return fail(source.why);
  if (!assetId || !formatId || !fileSetId || !iconikFileId)
    return fail(`The file ${file.path} is not in iconik yet. Order the upload again once it is ingested.`);
  const { path, sizeBytes, mtimeNs } = file;
  return {
    job: {
      ...common,
      payload: {
        storageId,
        path,
        assetId,
        versionId,
        formatId,
        fileSetId,
        fileId: iconikFileId,
        sizeBytes,
        md5: source.file.md5,
        mtimeNs,
        destinationStorageId: to.destination,
        destinationDirectoryPath: remoteDirectory(to.settings.remote_path, directoryOf(path)),
        ...(data.priority === null ? {} : { iconikPriority: data.priority }),
      },
      ...(data.priority === null ? {} : { priority: data.priority }),
      dedupeKey: uploadKey({ path, formatId, fileId: iconikFileId }, to.destination, to.settings),
      origin,
    },
    failure: null,
  };
}
