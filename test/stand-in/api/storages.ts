import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { keysetPage, numberedPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { ApiError, type Call, found, type Handlers, listed } from './call.ts';

/** The storage named in the path, or a 404. */
export const storageOf = (call: Call): Row => found(call.state.storages.get(call.params.storage_id), 'Storage');

const FILTERS = ['id', 'name', 'method', 'status', 'purpose'] as const;

function change(call: Call): Row {
  return Object.assign(storageOf(call), call.body, { date_modified: isoNow(call.state) });
}

/** The cloud storage for a purpose: the first that is not a FILE storage. */
function matching(call: Call, method?: string): Row {
  const purpose = String(call.params.purpose).toUpperCase();
  const candidates = call.state.storages.where({ purpose, ...(method ? { method } : {}) });
  return found(
    candidates.find((storage) => storage.method !== 'FILE'),
    `Storage for ${purpose}`,
  );
}

function listStorages(call: Call) {
  const wanted = FILTERS.flatMap((name) => (call.query[name] === undefined ? [] : [[name, call.query[name]]]));
  const ids = typeof call.query.ids === 'string' ? call.query.ids.split(',') : undefined;
  const rows = call.state.storages.where(Object.fromEntries(wanted)).filter((row) => !ids || ids.includes(row.id));
  return listed(numberedPage(rows, call));
}

function transcodersOf(call: Call) {
  const rows = call.state.transcoders.where({ storage_id: storageOf(call).id });
  return listed(keysetPage(rows, call.state.transcoders, call));
}

/** Reports and logs of a gateway (reference C.5). */
const reportHandlers: Handlers = {
  'GET /API/files/v1/storages/{storage_id}/gateway/report/': (call) => {
    const report = call.state.reports.get(storageOf(call).id);
    if (!report) throw new ApiError(404, 'No report yet');
    return { status: 200, body: report };
  },
  'PUT /API/files/v1/storages/{storage_id}/gateway/report/': (call) => {
    const { id } = storageOf(call);
    call.state.reports.set(id, { ...call.body, id: randomUUID(), storage_id: id, date_reported: isoNow(call.state) });
    return { status: 200 };
  },
  'PUT /API/files/v1/storages/{storage_id}/gateway/status/': (call) => {
    call.state.gatewayStatuses.set(storageOf(call).id, String(call.body.status));
    return { status: 200 };
  },
  'POST /API/files/v1/storages/{storage_id}/logs/': (call) => {
    const filename = call.query.filename ?? call.body.filename;
    if (typeof filename !== 'string') throw new ApiError(400, { filename: 'Missing data for required field.' });
    const path = `logs/${storageOf(call).id}/${filename}`;
    return { status: 200, body: { path, upload_url: call.urls.sign({ operation: 'gcs-put', key: path }) } };
  },
};

/** Storages (reference C.3). */
export const storageHandlers: Handlers = {
  ...reportHandlers,
  'GET /API/files/v1/storages/': listStorages,
  'POST /API/files/v1/storages/': (call) => ({
    status: 201,
    body: call.state.storages.insert({ id: randomUUID(), status: 'ACTIVE', ...call.body, ...freshDates(call.state) }),
  }),
  'GET /API/files/v1/storages/isg/latest_version/': () => ({ status: 200, body: { version: '2.0.0' } }),
  'GET /API/files/v1/storages/matching/{purpose}/': (call) => ({ status: 200, body: matching(call) }),
  'GET /API/files/v1/storages/matching/{purpose}/method/{method}/': (call) => ({
    status: 200,
    body: matching(call, String(call.params.method).toUpperCase()),
  }),
  'GET /API/files/v1/storages/{purpose}/default/': (call) => ({ status: 200, body: matching(call) }),
  'GET /API/files/v1/storages/{storage_id}/': (call) => ({ status: 200, body: storageOf(call) }),
  'PATCH /API/files/v1/storages/{storage_id}/': (call) => ({ status: 200, body: change(call) }),
  'PUT /API/files/v1/storages/{storage_id}/': (call) => ({ status: 200, body: change(call) }),
  'DELETE /API/files/v1/storages/{storage_id}/': (call) => {
    call.state.storages.remove(storageOf(call).id);
    return { status: 204 };
  },
  'GET /API/files/v1/storages/{storage_id}/transcoders/': transcodersOf,
  'GET /API/files/v1/storages/{storage_id}/verifications/access/': (call) => {
    storageOf(call);
    return { status: 200, body: { access_check: true } };
  },
};
