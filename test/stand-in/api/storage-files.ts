import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { numberedPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed, searchable } from './call.ts';
import { storageOf } from './storages.ts';

const FILTERS = ['id', 'directory_path', 'name', 'checksum', 'type', 'status'] as const;

const pathOf = (file: Row, separator: string): string =>
  [file.directory_path, file.name]
    .map((part) => (typeof part === 'string' ? part : ''))
    .filter(Boolean)
    .join(separator);

function matchingFiles(call: Call): Row[] {
  const { query, state } = call;
  if (query.scroll !== undefined || query.scroll_id !== undefined)
    throw new ApiError(501, 'The stand-in does not scroll');
  if (query.date_created !== undefined || query.date_modified !== undefined)
    throw new ApiError(501, 'The stand-in does not filter by date');
  const wanted = FILTERS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]]));
  const rows = state.files.where({ storage_id: storageOf(call).id, ...Object.fromEntries(wanted) });
  const shown = searchable(call, rows, (row) => state.files.ageMs(row));
  return query.path === undefined
    ? shown
    : shown.filter((file) => pathOf(file, String(query.path_separator ?? '/')) === query.path);
}

/** The record found by storage and by the path in the body (reference C.3). */
function fileAt(call: Call): Row {
  const { body, state } = call;
  const here = state.files.where({ storage_id: storageOf(call).id, directory_path: body.directory_path ?? '' });
  const isNamed = (file: Row): boolean =>
    body.name === undefined ? file.original_name === body.original_name : file.name === body.name;
  return found(here.find(isNamed), 'File');
}

function change(call: Call): Answer {
  return { status: 200, body: Object.assign(fileAt(call), call.body, { date_modified: isoNow(call.state) }) };
}

function create(call: Call): Answer {
  const { state, body } = call;
  const defaults = { status: 'CLOSED', name: body.original_name, user_id: state.account.userId, asset_id: null };
  const file = { ...defaults, ...body, id: randomUUID(), storage_id: storageOf(call).id, ...freshDates(state) };
  return { status: 201, body: state.files.insert(file) };
}

/** File records of a storage (reference C.3): a search-backed list, and changes by path. */
export const storageFileHandlers: Handlers = {
  'GET /API/files/v1/storages/{storage_id}/files/': (call) => listed(numberedPage(matchingFiles(call), call)),
  'POST /API/files/v1/storages/{storage_id}/files/': create,
  'PATCH /API/files/v1/storages/{storage_id}/files/': change,
  'PUT /API/files/v1/storages/{storage_id}/files/': change,
};
