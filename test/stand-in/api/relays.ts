import { randomBytes, randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { orderRelayed } from '../state/orders.ts';
import { keysetPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { assetOf } from './assets.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed } from './call.ts';
import { storageOf } from './storages.ts';
import { fileKey, uploadFields } from './upload-fields.ts';

/** Links last this long; iconik's own time is not known. */
const LINK_MS = 5 * 60_000;

/** A signed link to the gateway that holds the source of a transfer (reference A.8). The form of its path is not known. */
function signLink(call: Call): Answer {
  const { state } = call;
  const transfer = found(state.transfersTo.get(call.params.transfer_id), 'Transfer');
  if (typeof transfer.original_url !== 'string') throw new ApiError(400, 'The source has no direct transfer address');
  const signature = randomBytes(32).toString('base64url');
  const { userId } = state.account;
  state.transferLinks.set(signature, { transferId: transfer.id, userId, expiresAtMs: state.nowMs() + LINK_MS });
  const query = new URLSearchParams({ user_id: userId, signature });
  const url = `${transfer.original_url.replace(/\/+$/, '')}/v1/transfers/${transfer.id}/?${query.toString()}`;
  return { status: 200, body: { url } };
}

function verifyLink({ state, params, query }: Call): Answer {
  const link = state.transferLinks.get(String(query.signature));
  const isRight = link && link.transferId === params.transfer_id && link.userId === query.user_id;
  if (!isRight || link.expiresAtMs < state.nowMs()) throw new ApiError(400, 'The signature is not valid');
  return { status: 200 };
}

function fileSetOf(call: Call): Row {
  const fileSet = call.state.temporaryFileSets.get(call.params.file_set_id);
  return found(fileSet?.asset_id === assetOf(call).id ? fileSet : undefined, 'File set');
}

function createFileSet(call: Call): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  if (state.formats.get(body.format_id)?.asset_id !== asset.id)
    throw new ApiError(400, { format_id: 'No such format.' });
  const own = { id: randomUUID(), asset_id: asset.id, ...freshDates(state) };
  return { status: 201, body: state.temporaryFileSets.insert({ status: 'ACTIVE', ...body, ...own }) };
}

function shown(call: Call, file: Row, isSigned: boolean): Row {
  const { state, urls } = call;
  const key = fileKey(state, file);
  return {
    ...file,
    ...uploadFields(state, urls, { row: file, key, isResumable: true }),
    url: isSigned && file.status === 'CLOSED' ? urls.sign({ operation: 'get', key }) : null,
  };
}

function createFile(call: Call): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  const fileSet = state.temporaryFileSets.get(body.file_set_id);
  if (fileSet?.asset_id !== asset.id) throw new ApiError(400, { file_set_id: 'No such file set.' });
  const storageId = body.storage_id ?? fileSet.storage_id;
  const method = state.storages.get(storageId)?.method;
  if (!method || method === 'FILE') throw new ApiError(400, { storage_id: 'No such cloud storage.' });
  const own = { id: randomUUID(), asset_id: asset.id, storage_id: storageId, format_id: fileSet.format_id };
  const defaults = { status: 'OPEN', name: body.original_name };
  const file = state.temporaryFiles.insert({ ...defaults, ...body, ...own, ...freshDates(state) });
  return { status: 201, body: shown(call, file, false) };
}

/** The temporary file named in the path, or a 404. */
export function temporaryFileOf(call: Call): Row {
  const file = call.state.temporaryFiles.get(call.params.file_id);
  return found(file?.asset_id === assetOf(call).id ? file : undefined, 'File');
}

function changeFile(call: Call): Answer {
  const own = temporaryFileOf(call);
  Object.assign(own, call.body, { date_modified: isoNow(call.state) });
  return { status: 200, body: shown(call, own, false) };
}

async function deleteFileSet(call: Call): Promise<Answer> {
  const fileSet = fileSetOf(call);
  const { temporaryFiles, temporaryFileSets } = call.state;
  for (const file of temporaryFiles.where({ file_set_id: fileSet.id })) {
    const key = fileKey(call.state, file);
    if (call.query.delete_cloud_objects === true) {
      await call.disk.remove(key);
      for (const uploadId of call.uploads.open(key)) await call.uploads.abort(key, uploadId);
    }
    temporaryFiles.remove(file.id);
  }
  temporaryFileSets.remove(fileSet.id);
  return { status: 204 };
}

/** Queues the second leg of a relay. Asked twice it queues two, as nothing is published that would prevent it. */
function exportFileSet(call: Call): Answer {
  const { state, body } = call;
  const fileSet = found(state.temporaryFileSets.get(call.params.file_set_id), 'File set');
  const files = state.temporaryFiles.where({ file_set_id: fileSet.id });
  if (files.length === 0 || files.some((file) => file.status !== 'CLOSED'))
    throw new ApiError(400, 'The file set has no closed file');
  orderRelayed(state, { fileSet, target: storageOf(call), body });
  return { status: 202 };
}

/** Links of direct transfers, temporary file sets, and the export of them (reference A.8, C.13). */
export const relayHandlers: Handlers = {
  'POST /API/files/v1/transfers/{transfer_id}/urls/': signLink,
  'GET /API/files/v1/transfers/{transfer_id}/urls/verify/': verifyLink,
  'POST /API/files/v1/assets/{asset_id}/temporary_file_sets/': createFileSet,
  'DELETE /API/files/v1/assets/{asset_id}/temporary_file_sets/{file_set_id}/': deleteFileSet,
  'GET /API/files/v1/assets/{asset_id}/temporary_file_sets/{file_set_id}/files/': (call) => {
    const { temporaryFiles } = call.state;
    const rows = temporaryFiles.where({ file_set_id: fileSetOf(call).id });
    const page = keysetPage(rows, temporaryFiles, { path: call.path, query: { per_page: 1000 } });
    const isSigned = call.query.generate_signed_url !== false;
    return listed({ ...page, objects: page.objects.map((file) => shown(call, file, isSigned)) });
  },
  'POST /API/files/v1/assets/{asset_id}/temporary_files/': createFile,
  'PATCH /API/files/v1/assets/{asset_id}/temporary_files/{file_id}/': changeFile,
  'PUT /API/files/v1/assets/{asset_id}/temporary_files/{file_id}/': changeFile,
  'GET /API/files/v1/storages/{storage_id}/temporary_files/': (call) => {
    const { temporaryFiles } = call.state;
    return listed(keysetPage(temporaryFiles.where({ storage_id: storageOf(call).id }), temporaryFiles, call));
  },
  'POST /API/files/v1/exports/temporary_file_sets/{file_set_id}/storages/{storage_id}/': exportFileSet,
};
