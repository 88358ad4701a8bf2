import { randomUUID } from 'node:crypto';
import { freshDates, type IconikState, isoNow } from '../state/iconik-state.ts';
import { keysetPage } from '../state/paging.ts';
import type { Row, Table } from '../state/table.ts';
import { assetOf, firstVersionId } from './assets.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed } from './call.ts';
import { derivativeKey, uploadFields } from './upload-fields.ts';

type Kind = 'proxies' | 'keyframes';

const PURPOSES: Record<Kind, string> = { proxies: 'PROXIES', keyframes: 'KEYFRAMES' };
const ID_PARAMETERS: Record<Kind, string> = { proxies: 'proxy_id', keyframes: 'keyframe_id' };

const tableOf = (state: IconikState, kind: Kind): Table => state[kind];

function recordOf(call: Call, kind: Kind): Row {
  const row = tableOf(call.state, kind).get(call.params[ID_PARAMETERS[kind]]);
  return found(row?.asset_id === assetOf(call).id ? row : undefined, kind === 'proxies' ? 'Proxy' : 'Keyframe');
}

/** The proxy named in the path, or a 404. */
export const proxyOf = (call: Call): Row => recordOf(call, 'proxies');

/** Closed ones carry a download URL, open ones carry upload fields. */
function shown(call: Call, kind: Kind, row: Row, isSigned: boolean): Row {
  const key = derivativeKey(kind, row);
  // Keyframes are sent in one PUT unless the creator asked for a resumable upload (reference C.10).
  const isResumable = kind === 'proxies' || row.is_resumable === true;
  const url = isSigned && row.status === 'CLOSED' ? call.urls.sign({ operation: 'get', key }) : null;
  return { ...row, ...uploadFields(call.state, call.urls, { row, key, isResumable }), url };
}

/** The storage that iconik chooses: the one named, else the first for the purpose (and method). */
function storageFor(call: Call, kind: Kind): Row {
  const method = call.params.storage_method?.toUpperCase();
  const candidates = call.state.storages.where({ purpose: PURPOSES[kind], ...(method ? { method } : {}) });
  const storage = call.body.storage_id === undefined ? candidates[0] : call.state.storages.get(call.body.storage_id);
  if (!storage) throw new ApiError(400, `There is no storage for ${PURPOSES[kind]}`);
  return storage;
}

function create(call: Call, kind: Kind): Answer {
  const asset = assetOf(call);
  const { state, body } = call;
  const defaults = { status: 'OPEN', version_id: firstVersionId(asset), is_public: false };
  const own = { id: randomUUID(), asset_id: asset.id, storage_id: storageFor(call, kind).id };
  const how = { is_resumable: call.query.use_google_resumable_upload === true };
  const row = tableOf(state, kind).insert({ ...defaults, ...body, ...own, ...how, ...freshDates(state) });
  return { status: 201, body: shown(call, kind, row, false) };
}

function list(call: Call, kind: Kind): Answer {
  const table = tableOf(call.state, kind);
  const page = keysetPage(table.where({ asset_id: assetOf(call).id }), table, call);
  const isSigned = call.query.generate_signed_url !== false;
  return listed({ ...page, objects: page.objects.map((row) => shown(call, kind, row, isSigned)) });
}

function change(call: Call, kind: Kind): Answer {
  const row = Object.assign(recordOf(call, kind), call.body, { date_modified: isoNow(call.state) });
  return { status: 200, body: shown(call, kind, row, true) };
}

function remove(call: Call, kind: Kind): Answer {
  const row = recordOf(call, kind);
  tableOf(call.state, kind).remove(row.id);
  call.state.removed.push(row);
  return { status: 204 };
}

function handlersOf(kind: Kind): Handlers {
  const collection = `/API/files/v1/assets/{asset_id}/${kind}/`;
  const one = `${collection}{${ID_PARAMETERS[kind]}}/`;
  // The file gives the schema of files for one keyframe; a keyframe is what answers.
  const schema = kind === 'keyframes' ? { schema: 'KeyframeSchema' } : {};
  return {
    [`GET ${collection}`]: (call) => list(call, kind),
    [`POST ${collection}`]: (call) => create(call, kind),
    [`POST /API/files/v1/assets/{asset_id}/method/{storage_method}/${kind}/`]: (call) => create(call, kind),
    [`GET ${one}`]: (call) => ({ status: 200, body: shown(call, kind, recordOf(call, kind), true), ...schema }),
    [`PATCH ${one}`]: (call) => change(call, kind),
    [`PUT ${one}`]: (call) => change(call, kind),
    [`DELETE ${one}`]: (call) => remove(call, kind),
  };
}

/** Proxies and keyframes (reference C.10). Creating the same one twice makes two. */
export const derivativeHandlers: Handlers = {
  ...handlersOf('proxies'),
  ...handlersOf('keyframes'),
  'GET /API/files/v1/assets/{asset_id}/proxies/{proxy_id}/download_url/': (call) => ({
    status: 200,
    body: { url: call.urls.sign({ operation: 'get', key: derivativeKey('proxies', proxyOf(call)) }) },
  }),
};
