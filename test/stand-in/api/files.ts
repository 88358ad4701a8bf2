import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { keysetPage, type Page } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { assetOf, firstVersionId } from './assets.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed } from './call.ts';
import { fileKey, uploadFields } from './upload-fields.ts';

/** The file named in the path, or a 404. */
export function fileOf(call: Call): Row {
  const file = call.state.files.get(call.params.file_id);
  return found(file?.asset_id === assetOf(call).id ? file : undefined, 'File');
}

const isDownloadable = (call: Call, file: Row): boolean => {
  const method = call.state.storages.get(file.storage_id)?.method;
  return file.status === 'CLOSED' && method !== undefined && method !== 'FILE';
};

/** A signed download URL; only cloud storages have one, and only closed files. */
const downloadUrl = (call: Call, file: Row): string | null =>
  isDownloadable(call, file) ? call.urls.sign({ operation: 'get', key: fileKey(call.state, file) }) : null;

/** A file as iconik shows it: with the states of what it hangs on, upload fields while open, a URL when asked for. */
function shown(call: Call, file: Row, isSigned: boolean): Row {
  const { state } = call;
  return {
    ...file,
    file_set_status: state.fileSets.get(file.file_set_id)?.status ?? null,
    format_status: state.formats.get(file.format_id)?.status ?? null,
    ...uploadFields(state, call.urls, { row: file, key: fileKey(state, file), isResumable: true }),
    url: isSigned ? downloadUrl(call, file) : null,
  };
}

const shownPage = (call: Call, page: Page, isSigned: boolean): Answer =>
  listed({ ...page, objects: page.objects.map((file) => shown(call, file, isSigned)) });

function createFile(call: Call): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  const fileSet = state.fileSets.get(body.file_set_id);
  if (body.file_set_id !== undefined && fileSet?.asset_id !== asset.id)
    throw new ApiError(400, { file_set_id: 'No such file set.' });
  const storageId = body.storage_id ?? fileSet?.storage_id;
  if (storageId !== undefined && !state.storages.get(storageId))
    throw new ApiError(400, { storage_id: 'No such storage.' });
  const id = randomUUID();
  const inherited = {
    storage_id: storageId,
    format_id: fileSet?.format_id,
    version_id: fileSet?.version_id ?? firstVersionId(asset),
  };
  const defaults = { status: 'OPEN', name: `${id}_${String(body.original_name)}`, user_id: state.account.userId };
  const file = state.files.insert({ ...defaults, ...inherited, ...body, id, asset_id: asset.id, ...freshDates(state) });
  return { status: 201, body: shown(call, file, false) };
}

function changeFile(call: Call): Answer {
  const file = Object.assign(fileOf(call), call.body, { date_modified: isoNow(call.state) });
  return { status: 200, body: shown(call, file, false) };
}

function filesOfSet(call: Call, fileSet: Row | undefined): Answer {
  const { files } = call.state;
  const rows = files.where({ file_set_id: found(fileSet, 'File set').id });
  const listing = { path: call.path, query: { per_page: 1000, ...call.query } };
  return shownPage(call, keysetPage(rows, files, listing), call.query.generate_signed_url !== false);
}

function byChecksum(call: Call): Answer {
  const { files } = call.state;
  const rows = files.where({ checksum: call.params.checksum }).filter((file) => file.status !== 'DELETED');
  if (rows.length === 0) throw new ApiError(404, 'No files with this checksum');
  return shownPage(call, keysetPage(rows, files, call), false);
}

/** Asks iconik to work on a file; a copy that only a gateway can read is left to the gateway, so nothing is queued. */
function request(call: Call, type: string): Answer {
  const file = fileOf(call);
  const { state } = call;
  if (type === 'KEYFRAMES' && state.storages.get(file.storage_id)?.method === 'FILE') return { status: 204 };
  const named = {
    id: randomUUID(),
    type,
    title: `${type} ${String(file.name)}`,
    status: 'READY',
    object_type: 'files',
    object_id: file.id,
  };
  const job = state.jobs.insert({
    ...named,
    priority: call.body.priority ?? 5,
    steps: [],
    created_by: state.account.userId,
    ...freshDates(state),
  });
  return { status: 200, body: { job_id: job.id } };
}

/** Files of assets (reference C.8). Creating the same file twice makes two. */
export const fileHandlers: Handlers = {
  'GET /API/files/v1/assets/{asset_id}/files/': (call) => {
    const rows = call.state.files.where({ asset_id: assetOf(call).id });
    return shownPage(call, keysetPage(rows, call.state.files, call), call.query.generate_signed_url === true);
  },
  'POST /API/files/v1/assets/{asset_id}/files/': createFile,
  'GET /API/files/v1/assets/{asset_id}/files/{file_id}/': (call) => ({
    status: 200,
    body: shown(call, fileOf(call), true),
  }),
  'PATCH /API/files/v1/assets/{asset_id}/files/{file_id}/': changeFile,
  'PUT /API/files/v1/assets/{asset_id}/files/{file_id}/': changeFile,
  'DELETE /API/files/v1/assets/{asset_id}/files/{file_id}/': (call) => {
    const file = fileOf(call);
    call.state.files.remove(file.id);
    call.state.removed.push(file);
    return { status: 204 };
  },
  'GET /API/files/v1/assets/{asset_id}/files/{file_id}/download_url/': (call) => {
    const url = downloadUrl(call, fileOf(call));
    if (!url) throw new ApiError(400, 'The file cannot be downloaded from its storage');
    return { status: 200, body: { url } };
  },
  'POST /API/files/v1/assets/{asset_id}/files/{file_id}/mediainfo/': (call) => request(call, 'MEDIAINFO'),
  'POST /API/files/v1/assets/{asset_id}/files/{file_id}/keyframes/': (call) => request(call, 'KEYFRAMES'),
  'GET /API/files/v1/assets/{asset_id}/file_sets/{file_set_id}/files/': (call) => {
    const fileSet = call.state.fileSets.get(call.params.file_set_id);
    return filesOfSet(call, fileSet?.asset_id === assetOf(call).id ? fileSet : undefined);
  },
  'GET /API/files/v1/file_sets/{file_set_id}/files/': (call) =>
    filesOfSet(call, call.state.fileSets.get(call.params.file_set_id)),
  'GET /API/files/v1/files/checksum/{checksum}/': byChecksum,
};
