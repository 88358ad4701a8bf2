import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { numberedPage } from '../state/paging.ts';
import type { Row, Table } from '../state/table.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed, searchable } from './call.ts';

/** The asset named in the path, or a 404. A deleted asset is still there, in the recycle bin (reference A.9). */
export const assetOf = (call: Call): Row => found(call.state.assets.get(call.params.asset_id), 'Asset');

/** Version that records belong to when the caller names none. */
export const firstVersionId = (asset: Row | undefined): string | null => {
  const [version] = Array.isArray(asset?.versions) ? asset.versions : [];
  return typeof version?.id === 'string' ? version.id : null;
};

/** Bounds of the assets list (reference C.1); the published file gives none. */
const MAX_PER_PAGE = 1000;
const MAX_PAGE = 10_000;

function createAsset(call: Call): Answer {
  const { state } = call;
  const dates = freshDates(state);
  const version = {
    id: randomUUID(),
    status: 'ACTIVE',
    version_number: 1,
    created_by_user: state.account.userId,
    date_created: dates.date_created,
  };
  const defaults = {
    type: 'ASSET',
    status: 'ACTIVE',
    archive_status: 'NOT_ARCHIVED',
    is_online: false,
    is_blocked: false,
  };
  const own = {
    created_by_user: state.account.userId,
    updated_by_user: state.account.userId,
    date_imported: dates.date_created,
  };
  const asset = state.assets.insert({
    ...defaults,
    ...dates,
    ...call.body,
    id: randomUUID(),
    ...own,
    versions: [version],
    in_collections: [],
  });
  return { status: 201, body: asset };
}

/** What the search index says of an asset: the record plus summaries of its files, proxies and keyframes, lagging too. */
function indexed(call: Call, asset: Row): Row {
  const { state } = call;
  const children = (table: Table): Row[] =>
    searchable(call, table.where({ asset_id: asset.id }), (row) => table.ageMs(row));
  const summary = (row: Row, fields: readonly string[]) =>
    Object.fromEntries(['id', ...fields].map((field) => [field, row[field] ?? null]));
  const files = children(state.files).filter((file) => file.status !== 'DELETED');
  return {
    ...asset,
    object_type: 'assets',
    files: files.map((file) =>
      summary(file, [
        'name',
        'original_name',
        'directory_path',
        'size',
        'status',
        'storage_id',
        'format_id',
        'file_set_id',
      ]),
    ),
    proxies: state.proxies
      .where({ asset_id: asset.id })
      .map((proxy) => summary(proxy, ['filename', 'name', 'status', 'version_id'])),
    keyframes: state.keyframes
      .where({ asset_id: asset.id })
      .map((keyframe) => summary(keyframe, ['filename', 'name', 'type', 'status', 'version_id'])),
    versions_number: Array.isArray(asset.versions) ? asset.versions.length : 0,
  };
}

function listAssets(call: Call): Answer {
  const { assets } = call.state;
  if (call.query.scroll !== undefined || call.query.scroll_id !== undefined)
    throw new ApiError(501, 'The stand-in does not scroll');
  if (Number(call.query.per_page ?? 1) > MAX_PER_PAGE || Number(call.query.per_page ?? 1) < 1) {
    throw new ApiError(400, { per_page: `Must be between 1 and ${MAX_PER_PAGE}.` });
  }
  if (Number(call.query.page ?? 1) > MAX_PAGE) throw new ApiError(400, { page: `Must be between 1 and ${MAX_PAGE}.` });
  const shown = searchable(call, assets.all(), (row) => assets.ageMs(row)).filter(
    (asset) => asset.status !== 'DELETED',
  );
  const page = numberedPage(shown, call);
  return listed({ ...page, objects: page.objects.map((asset) => indexed(call, asset)) });
}

function deleteAsset(call: Call): Answer {
  const asset = assetOf(call);
  if (asset.status === 'DELETED') throw new ApiError(404, 'Asset not found');
  Object.assign(asset, {
    status: 'DELETED',
    date_deleted: isoNow(call.state),
    deleted_by_user: call.state.account.userId,
  });
  return { status: 204 };
}

function change(call: Call): Answer {
  return { status: 200, body: Object.assign(assetOf(call), call.body, { date_modified: isoNow(call.state) }) };
}

function addHistory(call: Call): Answer {
  const { state } = call;
  const row = {
    ...call.body,
    id: randomUUID(),
    asset_id: assetOf(call).id,
    user_id: state.account.userId,
    ...freshDates(state),
  };
  return { status: 201, body: state.history.insert(row) };
}

/** A new version becomes the last of the list. */
function addVersion(call: Call): Answer {
  const { state } = call;
  const asset = assetOf(call);
  if (asset.status === 'DELETED') throw new ApiError(404, 'Asset not found');
  const versions = Array.isArray(asset.versions) ? asset.versions : [];
  const version = {
    id: randomUUID(),
    status: 'ACTIVE',
    version_number: versions.length + 1,
    created_by_user: state.account.userId,
    date_created: isoNow(state),
  };
  asset.versions = [...versions, version];
  return { status: 200, body: { asset_id: asset.id, versions: asset.versions } };
}

/** Assets (reference C.8). Creating the same asset twice makes two. */
export const assetHandlers: Handlers = {
  'GET /API/assets/v1/assets/': listAssets,
  'POST /API/assets/v1/assets/': createAsset,
  'GET /API/assets/v1/assets/{asset_id}/': (call) => ({ status: 200, body: assetOf(call) }),
  'PATCH /API/assets/v1/assets/{asset_id}/': change,
  'PUT /API/assets/v1/assets/{asset_id}/': change,
  'DELETE /API/assets/v1/assets/{asset_id}/': deleteAsset,
  'POST /API/assets/v1/assets/{asset_id}/versions/': addVersion,
  'GET /API/assets/v1/assets/{asset_id}/history/': (call) =>
    listed(numberedPage(call.state.history.where({ asset_id: assetOf(call).id }), call)),
  'POST /API/assets/v1/assets/{asset_id}/history/': addHistory,
};
