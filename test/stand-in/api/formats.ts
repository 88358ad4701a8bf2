import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { keysetPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { assetOf, firstVersionId } from './assets.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed } from './call.ts';

/** By id, or by name: the published file has both calls at one path. The first of several with a name answers. */
function formatOf(call: Call): Row {
  const key = call.params.format_id ?? call.params.name;
  const asset = assetOf(call);
  const live = call.state.formats.where({ asset_id: asset.id }).filter((format) => format.status !== 'DELETED');
  return found(live.find((format) => format.id === key) ?? live.find((format) => format.name === key), 'Format');
}

const withIds = (components: unknown): unknown[] =>
  (Array.isArray(components) ? components : []).map((component) => ({ id: randomUUID(), ...component }));

function createFormat(call: Call): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  const defaults = {
    status: 'ACTIVE',
    archive_status: 'NOT_ARCHIVED',
    version_id: firstVersionId(asset),
    storage_methods: [],
    metadata: [],
  };
  const own = {
    id: randomUUID(),
    asset_id: asset.id,
    user_id: state.account.userId,
    components: withIds(body.components),
  };
  return { status: 201, body: state.formats.insert({ ...defaults, ...body, ...own, ...freshDates(state) }) };
}

function changeFormat(call: Call): Answer {
  const format = formatOf(call);
  const components = call.body.components === undefined ? {} : { components: withIds(call.body.components) };
  return { status: 200, body: Object.assign(format, call.body, components, { date_modified: isoNow(call.state) }) };
}

function fileSetOf(call: Call): Row {
  const fileSet = call.state.fileSets.get(call.params.file_set_id);
  return found(fileSet?.asset_id === assetOf(call).id ? fileSet : undefined, 'File set');
}

function createFileSet(call: Call): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  const format = state.formats.get(body.format_id);
  if (format?.asset_id !== asset.id) throw new ApiError(400, { format_id: 'No such format.' });
  const defaults = { status: 'ACTIVE', version_id: format.version_id, is_archive: false, type: 'REGULAR' };
  const own = { id: randomUUID(), asset_id: asset.id };
  return { status: 201, body: state.fileSets.insert({ ...defaults, ...body, ...own, ...freshDates(state) }) };
}

function listFileSets(call: Call, wanted: Record<string, unknown>): Answer {
  const { state } = call;
  const rows = state.fileSets.where(wanted).filter((fileSet) => fileSet.status !== 'DELETED');
  const page = keysetPage(rows, state.fileSets, call);
  const counted = (row: Row): Row => ({ ...row, file_count: state.files.where({ file_set_id: row.id }).length });
  return listed(call.query.file_count ? { ...page, objects: page.objects.map(counted) } : page);
}

/** Formats and file sets (reference C.8). Creating the same one twice makes two. */
export const formatHandlers: Handlers = {
  'GET /API/files/v1/assets/{asset_id}/formats/': (call) => {
    const { formats } = call.state;
    const live = formats.where({ asset_id: assetOf(call).id }).filter((format) => format.status !== 'DELETED');
    return listed(keysetPage(live, formats, call));
  },
  'POST /API/files/v1/assets/{asset_id}/formats/': createFormat,
  'GET /API/files/v1/assets/{asset_id}/formats/{format_id}/': (call) => ({ status: 200, body: formatOf(call) }),
  'PATCH /API/files/v1/assets/{asset_id}/formats/{format_id}/': changeFormat,
  'PUT /API/files/v1/assets/{asset_id}/formats/{format_id}/': changeFormat,
  'DELETE /API/files/v1/assets/{asset_id}/formats/{format_id}/': (call) => {
    Object.assign(formatOf(call), { status: 'DELETED', date_deleted: isoNow(call.state) });
    return { status: 204 };
  },
  'GET /API/files/v1/assets/{asset_id}/formats/{format_id}/components/': (call) => ({
    status: 200,
    body: { objects: formatOf(call).components },
  }),
  'POST /API/files/v1/assets/{asset_id}/formats/{format_id}/components/': (call) => {
    const format = formatOf(call);
    const component = { ...call.body, id: randomUUID() };
    format.components = [...(Array.isArray(format.components) ? format.components : []), component];
    return { status: 200, body: component };
  },
  'GET /API/files/v1/assets/{asset_id}/formats/{format_id}/file_sets/': (call) =>
    listFileSets(call, { format_id: formatOf(call).id }),
  'GET /API/files/v1/assets/{asset_id}/file_sets/': (call) => listFileSets(call, { asset_id: assetOf(call).id }),
  'POST /API/files/v1/assets/{asset_id}/file_sets/': createFileSet,
  'GET /API/files/v1/assets/{asset_id}/file_sets/{file_set_id}/': (call) => ({ status: 200, body: fileSetOf(call) }),
  'PATCH /API/files/v1/assets/{asset_id}/file_sets/{file_set_id}/': (call) => ({
    status: 200,
    body: Object.assign(fileSetOf(call), call.body, { date_modified: isoNow(call.state) }),
  }),
  'DELETE /API/files/v1/assets/{asset_id}/file_sets/{file_set_id}/': (call) => {
    Object.assign(fileSetOf(call), { status: 'DELETED', date_deleted: isoNow(call.state) });
    return { status: 204 };
  },
};
