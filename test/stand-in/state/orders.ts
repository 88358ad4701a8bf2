import { randomUUID } from 'node:crypto';
import { ApiError, found } from '../api/call.ts';
import { addEvent } from '../api/queues.ts';
import { freshDates, type IconikState } from './iconik-state.ts';
import type { Row } from './table.ts';

/** What an order put into the account. */
export interface Order {
  jobId: string;
  /** Record in the queue. */
  recordId: string;
  eventId: string;
}

const PRIORITY = 5;

/** A job as iconik creates it for a user, with one step; the record of the queue names the step. */
function createJob(
  state: IconikState,
  type: string,
  title: string,
  object: Row,
): { job: Row; jobSteps: Record<string, string> } {
  const step = { id: randomUUID(), label: type.toLowerCase(), status: 'WAITING' };
  const named = {
    id: randomUUID(),
    type,
    title,
    status: 'READY',
    object_type: 'assets',
    object_id: object.asset_id ?? null,
  };
  const job = state.jobs.insert({
    ...named,
    priority: PRIORITY,
    steps: [step],
    created_by: state.account.userId,
    ...freshDates(state),
  });
  return { job, jobSteps: { [step.label]: step.id } };
}

const storageOf = (state: IconikState, id: unknown): Row => found(state.storages.get(id), 'Storage');

function fileSetAndFile(state: IconikState, fileSetId: string): { fileSet: Row; file: Row } {
  const fileSet = found(state.fileSets.get(fileSetId), 'File set');
  return { fileSet, file: found(state.files.where({ file_set_id: fileSet.id })[0], 'File of the file set') };
}

/** A user asks for a file set on a FILE storage: job, record in transfers_to, DOWNLOAD event (reference C.13, C.4). */
export function orderDownload(
  state: IconikState,
  order: { fileSetId: string; storageId: string; directoryPath: string; originalUrl?: string },
): Order {
  const { fileSet, file } = fileSetAndFile(state, order.fileSetId);
  const target = storageOf(state, order.storageId);
  if (target.method !== 'FILE') throw new ApiError(400, 'Downloads go to a storage of method FILE');
  const { job, jobSteps } = createJob(state, 'TRANSFER', `Transfer ${String(fileSet.name)}`, fileSet);
  const record = state.transfersTo.insert({
    id: randomUUID(),
    job_id: job.id,
    job_steps: jobSteps,
    asset_id: fileSet.asset_id,
    format_id: fileSet.format_id,
    component_ids: fileSet.component_ids,
    file_set_id: fileSet.id,
    original_storage_id: fileSet.storage_id,
    local_storage_id: target.id,
    destination_directory_path: order.directoryPath,
    destination_base_directory: order.directoryPath,
    destination_file_set_name: fileSet.name,
    destination_filename: file.original_name,
    overwrite: false,
    ...(order.originalUrl === undefined ? {} : { original_url: order.originalUrl }),
  });
  const event = addEvent(state, target.id, 'DOWNLOAD', {
    transfer_id: record.id,
    job_id: job.id,
    file_set_id: fileSet.id,
  });
  return { jobId: job.id, recordId: record.id, eventId: event.id };
}

/** The second leg of a relay: a temporary file set is to go to the storage of another gateway (reference C.13). */
export function orderRelayed(
  state: IconikState,
  order: { fileSet: Row; target: Row; body: Record<string, unknown> },
): Order {
  const { fileSet, target, body } = order;
  if (target.method !== 'FILE') throw new ApiError(400, 'Exports go to a storage of method FILE');
  const { job, jobSteps } = createJob(state, 'TRANSFER', `Transfer ${String(fileSet.name)}`, fileSet);
  const record = state.transfersTo.insert({
    ...body,
    id: randomUUID(),
    job_id: body.job_id ?? job.id,
    job_steps: body.job_steps ?? jobSteps,
    asset_id: fileSet.asset_id,
    format_id: fileSet.format_id,
    file_set_id: fileSet.id,
    original_storage_id: fileSet.storage_id,
    local_storage_id: target.id,
    temporary_file_set_source: true,
  });
  const data = { transfer_id: record.id, job_id: record.job_id, file_set_id: fileSet.id };
  const event = addEvent(state, target.id, 'DOWNLOAD', data);
  return { jobId: String(record.job_id), recordId: record.id, eventId: event.id };
}

/** A user asks for a file set of a FILE storage on a cloud storage: job, record in transfers_from, UPLOAD event. */
export function orderUpload(
  state: IconikState,
  order: { fileSetId: string; destinationStorageId: string; directoryPath?: string },
): Order {
  const { fileSet, file } = fileSetAndFile(state, order.fileSetId);
  const target = storageOf(state, order.destinationStorageId);
  const { job, jobSteps } = createJob(state, 'TRANSFER', `Transfer ${String(fileSet.name)}`, fileSet);
  const record = state.transfersFrom.insert({
    id: randomUUID(),
    job_id: job.id,
    job_steps: jobSteps,
    asset_id: fileSet.asset_id,
    format_id: fileSet.format_id,
    component_ids: fileSet.component_ids,
    original_file_set_id: fileSet.id,
    original_storage_id: fileSet.storage_id,
    destination_storage_id: target.id,
    destination_storage_method: target.method,
    destination_directory_path: order.directoryPath ?? file.directory_path,
    destination_file_set_name: fileSet.name,
    destination_filename: file.original_name,
    delete_local_file_set_after_upload: false,
  });
  const event = addEvent(state, String(fileSet.storage_id), 'UPLOAD', {
    transfer_id: record.id,
    job_id: job.id,
    file_set_id: fileSet.id,
  });
  return { jobId: job.id, recordId: record.id, eventId: event.id };
}

/** A user's deletion reaches its purge: the record is DELETED in iconik, and the gateway is to remove the file (C.14). */
export function orderDelete(state: IconikState, order: { fileId: string }): Order {
  const file = found(state.files.get(order.fileId), 'File');
  const { job } = createJob(state, 'DELETE', `Delete ${String(file.name)}`, file);
  file.status = 'DELETED';
  const isLast = state.files.where({ file_set_id: file.file_set_id }).every((other) => other.status === 'DELETED');
  const fileSet = state.fileSets.get(file.file_set_id);
  if (fileSet && isLast) fileSet.status = 'DELETED';
  const ids = { asset_id: file.asset_id, format_id: file.format_id, version_id: file.version_id };
  const record = state.deletions.insert({
    id: randomUUID(),
    ...ids,
    file_id: file.id,
    filename: file.name,
    directory_path: file.directory_path,
    file_type: file.type,
    storage_id: file.storage_id,
    job_id: job.id,
    keep_source: false,
  });
  const event = addEvent(state, String(file.storage_id), 'DELETE', {
    deletion_id: record.id,
    file_id: file.id,
    job_id: job.id,
  });
  return { jobId: job.id, recordId: record.id, eventId: event.id };
}

/** A user asks for a new proxy of a file on a FILE storage: job, record in the local queue, TRANSCODE event (C.12). */
export function orderTranscode(state: IconikState, order: { fileId: string }): Order {
  const file = found(state.files.get(order.fileId), 'File');
  const { job } = createJob(state, 'TRANSCODE', `Transcode ${String(file.name)}`, file);
  const record = state.transcodes.insert({
    id: randomUUID(),
    job_id: job.id,
    storage_id: file.storage_id,
    asset_id: file.asset_id,
    version_id: file.version_id,
    format_id: file.format_id,
    file_set_id: file.file_set_id,
    file_id: file.id,
    directory_path: file.directory_path,
    filename: file.name,
    size: file.size ?? 0,
    checksum: file.checksum ?? null,
    priority: PRIORITY,
    component_ids: [],
    collection_id: null,
    metadata_update_only: false,
  });
  const event = addEvent(state, String(file.storage_id), 'TRANSCODE', {
    record_id: record.id,
    file_id: file.id,
    job_id: job.id,
  });
  return { jobId: job.id, recordId: record.id, eventId: event.id };
}

/** A user asks for a new proxy and keyframes of a file whose storage has an edge transcoder (C.12): no record, no event. */
export function orderEdgeTranscode(state: IconikState, order: { fileId: string }): Omit<Order, 'eventId'> {
  const file = found(state.files.get(order.fileId), 'File');
  const { job } = createJob(state, 'TRANSCODE', `Transcode ${String(file.name)}`, file);
  state.edgeTranscodes.insert({
    id: job.id,
    job_id: job.id,
    storage_id: file.storage_id,
    asset_id: file.asset_id,
    job_steps: job.steps,
    transcode: [{ id: randomUUID(), width: 1280, height: 720 }],
    thumbnail: [],
    media_info: null,
    input: {
      asset_id: file.asset_id,
      file_id: file.id,
      file_set_id: file.file_set_id,
      format_id: file.format_id,
      storage_id: file.storage_id,
      directory_path: file.directory_path,
      original_name: file.original_name,
      endpoint: { url: 'http://127.0.0.1/never-asked', method: 'GET' },
    },
  });
  return { jobId: job.id, recordId: job.id };
}
