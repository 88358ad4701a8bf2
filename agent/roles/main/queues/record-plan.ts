import { z } from 'zod';
import type { Role } from '../../../contract/index.ts';
import type { IconikStep, RecordJob } from '../../../db/queries/job-origin.ts';
import type { OrderedFile } from '../../../db/queries/ordered-file.ts';
import type { ProfileOf } from '../transcoders/transcoder-plan.ts';
import { toPriority } from './event-data.ts';
import type { QueueName } from './gateway-event-table.ts';
import { downloadTerms, termFields, uploadTerms } from './transfer-terms.ts';

// From records of iconik's queues to jobs. Pure. A record that cannot become work becomes a job that is born failed, so
// that its iconik job tells users the reason; no record is ever dropped.

const id = z.string().min(1);
const optionalText = z.string().nullish();

const recordBase = {
  id,
  job_id: optionalText,
  priority: z.unknown().optional(),
  /** Step ids by name (reference C.11). */
  job_steps: z.unknown().optional(),
};

/** What `planUpload` reads of a `transfers_from` record (reference C.13). */
export const uploadRecordSchema = z.looseObject({
  ...recordBase,
  asset_id: id,
  format_id: id.nullish(),
  original_file_set_id: id,
  destination_storage_id: id,
  destination_directory_path: optionalText,
  destination_file_set_name: optionalText,
  destination_filename: optionalText,
  temporary_file_set_source: z.boolean().nullish(),
  ...termFields,
});
const downloadRecordSchema = z.looseObject({
  ...recordBase,
  asset_id: id,
  format_id: id,
  file_set_id: id,
  version_id: optionalText,
  destination_directory_path: z.string(),
  destination_file_set_name: z.string(),
  destination_filename: optionalText,
  ...termFields,
});
const deletionRecordSchema = z.looseObject({
  ...recordBase,
  file_id: id,
  filename: z.string().min(1),
  asset_id: optionalText,
  directory_path: optionalText,
  keep_source: z.boolean().nullish(),
  file_type: optionalText,
  template: optionalText,
});
const transcodeRecordSchema = z.looseObject({
  ...recordBase,
  asset_id: id,
  version_id: id,
  format_id: id,
  file_set_id: id,
  file_id: id,
  directory_path: z.string().nullish(),
  filename: z.string().min(1),
  metadata_update_only: z.boolean().nullish(),
});

/** A record as it stands in a queue; everything beyond the id is parsed by the plan of its queue. */
export interface QueueRecord {
  id: string;
  job_id?: unknown;
}

/** The kind of job that each queue's records become, and who runs it. */
const JOB_OF_QUEUE: Record<QueueName, { role: Role; kind: string }> = {
  transfers_from: { role: 'TRANSFER', kind: 'upload' },
  transfers_to: { role: 'TRANSFER', kind: 'download' },
  deletions: { role: 'MAIN', kind: 'delete' },
  transcode: { role: 'TRANSCODE', kind: 'transcode' },
  edge_transcode: { role: 'TRANSCODE', kind: 'transcode' },
};

/** Where a record stands. */
export interface QueuePlace {
  storageId: string;
  queue: QueueName;
}

const stepId = z.uuid();

/**
 * Steps of the iconik job that a record is about: an object of ids by name (transfers), or a list of steps (edge
 * transcodes). What is neither counts as none.
 */
export function stepsOf(value: unknown): IconikStep[] {
  if (typeof value !== 'object' || value === null) return [];
  const pairs: [string, unknown][] = Array.isArray(value)
    ? value.map((step: unknown) => [
        labelOf(step),
        typeof step === 'object' && step !== null && 'id' in step ? step.id : null,
      ])
    : Object.entries(value);
  return pairs.flatMap(([label, given]) => {
    const parsed = stepId.safeParse(given);
    return parsed.success && label !== '' && isText(label) ? [{ id: parsed.data, label }] : [];
  });
}

function labelOf(step: unknown): string {
  const label = typeof step === 'object' && step !== null && 'label' in step ? step.label : '';
  return typeof label === 'string' ? label : '';
}

/** The job of a record that can be worked on. A payload the database could not hold fails the job instead. */
function workJob(place: QueuePlace, record: QueueRecord, payload: Record<string, unknown>): RecordJob {
  if (!isStorable(payload)) return failedJob(place, record, 'The record holds characters that no file name can have.');
  const { role, kind } = JOB_OF_QUEUE[place.queue];
  const priority = toPriority('priority' in record ? record.priority : null);
  const steps = stepsOf('job_steps' in record ? record.job_steps : null);
  return {
    job: {
      role,
      kind,
      storageId: place.storageId,
      payload: {
        storageId: place.storageId,
        ...payload,
        ...(steps.length > 0 ? { iconikSteps: steps } : {}),
        // What iconik shows: an operator's other priority is told (iconik-progress.ts).
        ...(priority === null ? {} : { iconikPriority: priority }),
      },
      ...(priority === null ? {} : { priority }),
      dedupeKey: `${kind}:${record.id}`,
      origin: {
        kind: place.queue,
        recordId: record.id,
        storageId: place.storageId,
        iconikJobId: typeof record.job_id === 'string' && record.job_id !== '' ? record.job_id : null,
      },
    },
    failure: null,
  };
}

/** A job that is born failed: settling tells iconik `reason` and removes the record. */
export function failedJob(place: QueuePlace, record: QueueRecord, reason: string): RecordJob {
  const steps = 'job_steps' in record ? { job_steps: record.job_steps } : {};
  const job = workJob(place, { id: record.id, job_id: record.job_id, ...steps }, {});
  return { ...job, failure: { code: 'job-payload-invalid', message: reason, retry: 'permanent' } };
}

/** PostgreSQL's jsonb refuses NUL and lone surrogates; file names have neither. */
function isStorable(payload: Record<string, unknown>): boolean {
  return Object.values(payload).every((value) => typeof value !== 'string' || isText(value));
}

const isText = (value: string): boolean => !value.includes('\0') && value.isWellFormed();

/** Path relative to the mount of a file that iconik names by directory and name; null when it would lead out of it. */
export function pathInStorage(directory: string | null | undefined, name: string): string | null {
  const segments = `${directory ?? ''}/${name}`.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.length === 0 || segments.includes('..') ? null : segments.join('/');
}

/** The record parsed by `schema`, or why it cannot be. */
export function parseRecord<T>(
  schema: z.ZodType<T>,
  record: unknown,
): { ok: true; value: T } | { ok: false; why: string } {
  const parsed = schema.safeParse(record);
  if (parsed.success) return { ok: true, value: parsed.data };
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'the record').join(', ');
  return { ok: false, why: `The order from iconik is incomplete or malformed (${fields}). Order the work again.` };
}

const OUTSIDE = 'The path in the order leads out of the storage; nothing was touched.';

/** A file of the index that can be uploaded. */
export type UploadFile = OrderedFile & { md5: string };

/** What a file of the index can do for an upload order. */
export type UploadSource =
  | { kind: 'found'; file: UploadFile; others?: UploadFile[] }
  /** The file is being scanned or digested; look again later. */
  | { kind: 'wait'; why: string }
  | { kind: 'unusable'; why: string };

/** Judges the file that an upload order names by its state in the index. */
export function judgeUploadFile(file: OrderedFile): UploadSource {
  switch (file.state) {
    case 'hashed':
    case 'ingesting':
    case 'ingested':
      if (file.md5 === null) return { kind: 'wait', why: 'its checksum is not known yet' };
      return { kind: 'found', file: { ...file, md5: file.md5 } };
    case 'seen':
    case 'growing':
    case 'ready':
    case 'hashing':
      return { kind: 'wait', why: 'it changed lately and is not scanned to the end yet' };
    case 'missing':
      return { kind: 'unusable', why: `The file ${file.path} is missing on the storage.` };
    case 'skipped':
    case 'empty':
    case 'faulty':
      return { kind: 'unusable', why: `The file ${file.path} cannot be uploaded: the node marks it ${file.state}.` };
    default:
      return file.state satisfies never;
  }
}

/** TRANSFER `upload` for a `transfers_from` record whose files were found: one, and the others of its file set. */
export function planUpload(
  storageId: string,
  record: z.infer<typeof uploadRecordSchema>,
  file: UploadFile,
  others: readonly UploadFile[] = [],
): RecordJob {
  const place: QueuePlace = { storageId, queue: 'transfers_from' };
  const formatId = record.format_id ?? file.formatId;
  if (!formatId) return failedJob(place, record, 'The order names no format and the node knows none for the file.');
  const terms = uploadTerms(record, record.temporary_file_set_source === true);
  if (!terms.ok) return failedJob(place, record, terms.why);
  return workJob(place, record, {
    ...terms.payload,
    path: file.path,
    assetId: record.asset_id,
    versionId: file.versionId,
    formatId,
    fileSetId: record.original_file_set_id,
    ...optional('fileId', file.iconikFileId),
    sizeBytes: file.sizeBytes,
    md5: file.md5,
    mtimeNs: file.mtimeNs,
    ...(others.length > 0 ? { otherFiles: others.map((other) => factsOf(other)) } : {}),
    destinationStorageId: record.destination_storage_id,
    destinationDirectoryPath: record.destination_directory_path ?? '',
    ...optional('destinationFileSetName', record.destination_file_set_name),
    ...optional('destinationFilename', record.destination_filename),
    ...(record.include_original_extension ? { includeOriginalExtension: true } : {}),
  });
}

const factsOf = ({ path, sizeBytes, md5, mtimeNs, iconikFileId }: UploadFile) => {
  return { path, sizeBytes, md5, mtimeNs, fileId: iconikFileId };
};

/** TRANSFER `download` for a `transfers_to` record. */
export function planDownload(storageId: string, record: QueueRecord): RecordJob {
  const place: QueuePlace = { storageId, queue: 'transfers_to' };
  const parsed = parseRecord(downloadRecordSchema, record);
  if (!parsed.ok) return failedJob(place, record, parsed.why);
  const order = parsed.value;
  if (pathInStorage(order.destination_directory_path, order.destination_filename || 'file') === null)
    return failedJob(place, record, OUTSIDE);
  const terms = downloadTerms(order, order.destination_directory_path);
  if (!terms.ok) return failedJob(place, record, terms.why);
  return workJob(place, order, {
    ...terms.payload,
    assetId: order.asset_id,
    formatId: order.format_id,
    sourceFileSetId: order.file_set_id,
    destinationDirectoryPath: order.destination_directory_path,
    destinationFileSetName: order.destination_file_set_name,
    ...optional('destinationFilename', order.destination_filename),
    ...optional('versionId', order.version_id),
  });
}

/** MAIN `delete` for a `deletions` record. */
export function planDeletion(storageId: string, record: QueueRecord): RecordJob {
  const place: QueuePlace = { storageId, queue: 'deletions' };
  const parsed = parseRecord(deletionRecordSchema, record);
  if (!parsed.ok) return failedJob(place, record, parsed.why);
  const order = parsed.value;
  const path = pathInStorage(order.directory_path, order.filename);
  if (path === null) return failedJob(place, record, OUTSIDE);
  const keepSource = order.keep_source ?? false;
  if (!keepSource && (order.template || (order.file_type && order.file_type !== 'FILE')))
    return failedJob(place, record, 'Deleting directories and file sequences is not built yet; nothing was touched.');
  return workJob(place, order, { fileId: order.file_id, path, keepSource, ...optional('assetId', order.asset_id) });
}

/** TRANSCODE `transcode` for a record of the local transcode queue; `profileOf` names the transcoder of a path. */
export function planTranscode(storageId: string, record: QueueRecord, profileOf: ProfileOf): RecordJob {
  const place: QueuePlace = { storageId, queue: 'transcode' };
  const parsed = parseRecord(transcodeRecordSchema, record);
  if (!parsed.ok) return failedJob(place, record, parsed.why);
  const order = parsed.value;
  const path = pathInStorage(order.directory_path, order.filename);
  if (path === null) return failedJob(place, record, OUTSIDE);
  // Media information alone is what the transcode job makes when it wants neither.
  const wantsRenditions = !order.metadata_update_only;
  const planned = workJob(place, order, {
    path,
    assetId: order.asset_id,
    versionId: order.version_id,
    formatId: order.format_id,
    fileSetId: order.file_set_id,
    fileId: order.file_id,
    wantProxy: wantsRenditions,
    wantKeyframes: wantsRenditions,
  });
  return withProfile(planned, profileOf(path));
}

const withProfile = (planned: RecordJob, profile: string): RecordJob =>
  planned.failure ? planned : { ...planned, job: { ...planned.job, profile } };

/** What `planEdgeTranscode` reads of an edge transcode job (reference C.12). */
export const edgeRecordSchema = z.looseObject({
  id,
  job_id: optionalText,
  job_steps: z.unknown().optional(),
  transcode: z.array(z.unknown()).nullish(),
  thumbnail: z.array(z.unknown()).nullish(),
  input: z.looseObject({
    file_id: optionalText,
    directory_path: optionalText,
    original_name: optionalText,
  }),
});

/** TRANSCODE `transcode` for an edge transcode job whose input is a file of the index. */
export function planEdgeTranscode(
  { storageId, file, profileOf }: { storageId: string; file: OrderedFile | null; profileOf: ProfileOf },
  record: z.infer<typeof edgeRecordSchema>,
): RecordJob {
  const place: QueuePlace = { storageId, queue: 'edge_transcode' };
  const { transcode, thumbnail } = record;
  if (!file?.assetId || !file.versionId || !file.formatId)
    return failedJob(
      place,
      record,
      'The order names no file of this storage that the node has scanned and iconik knows.',
    );
  const planned = workJob(place, record, {
    path: file.path,
    assetId: file.assetId,
    versionId: file.versionId,
    formatId: file.formatId,
    ...optional('fileSetId', file.fileSetId),
    ...optional('fileId', file.iconikFileId),
    wantProxy: (transcode ?? []).length > 0,
    wantKeyframes: (thumbnail ?? []).length > 0,
  });
  return withProfile(planned, profileOf(file.path));
}

/** An entry of a payload that is left out when iconik said nothing. */
function optional(key: string, value: string | null | undefined): Record<string, string> {
  return value ? { [key]: value } : {};
}
