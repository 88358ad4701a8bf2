import { randomUUID } from 'node:crypto';
import { freshDates, isoNow } from '../state/iconik-state.ts';
import { numberedPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { type Answer, ApiError, type Call, found, type Handlers, listed } from './call.ts';

const collectionOf = (call: Call): Row => found(call.state.collections.get(call.params.collection_id), 'Collection');

const living = (call: Call): Row[] => call.state.collections.all().filter((row) => row.status !== 'DELETED');

function create(call: Call): Answer {
  const { state, body } = call;
  if (body.parent_id !== undefined && !state.collections.get(body.parent_id)) {
    throw new ApiError(400, { parent_id: 'No such collection.' });
  }
  const own = { id: randomUUID(), created_by_user: state.account.userId, is_root: body.parent_id === undefined };
  const parents = body.parent_id === undefined ? [] : [body.parent_id];
  const row = { status: 'ACTIVE', ...body, ...own, parents, in_collections: parents, ...freshDates(state) };
  return { status: 201, body: state.collections.insert(row) };
}

/** Only collections are listed: nothing here asks for the assets in one. */
function contents(call: Call): Answer {
  const { query } = call;
  if (query.object_types !== 'collections') throw new ApiError(501, 'The stand-in lists only collections');
  const id = collectionOf(call).id;
  const inside = living(call).filter((row) => row.parent_id === id);
  const shown =
    query.external_id === undefined ? inside : inside.filter((row) => row.external_id === query.external_id);
  // The published schema of this answer is that of assets, which has no place for collections.
  return { ...listed(numberedPage(shown, call)), schema: 'CollectionsSchema' };
}

/** A member that is there already stays, once. */
function add(call: Call): Answer {
  const { state, body } = call;
  const collection = collectionOf(call);
  if (collection.status === 'DELETED') throw new ApiError(404, 'Collection not found');
  const asset = body.object_type === 'assets' ? state.assets.get(body.object_id) : undefined;
  if (!asset) throw new ApiError(400, { object_id: 'No such object.' });
  const ids = Array.isArray(asset.in_collections) ? asset.in_collections : [];
  if (!ids.includes(collection.id)) asset.in_collections = [...ids, collection.id];
  return { status: 201 };
}

/** Collections (reference C.15). Nothing is unique but the id: the same collection twice makes two. */
export const collectionHandlers: Handlers = {
  'GET /API/assets/v1/collections/': (call) => {
    const rows = living(call);
    return listed(
      numberedPage(call.query.is_root === 'true' ? rows.filter((row) => row.is_root === true) : rows, call),
    );
  },
  'POST /API/assets/v1/collections/': create,
  'GET /API/assets/v1/collections/{collection_id}/': (call) => ({ status: 200, body: collectionOf(call) }),
  'DELETE /API/assets/v1/collections/{collection_id}/': (call) => {
    Object.assign(collectionOf(call), { status: 'DELETED', date_deleted: isoNow(call.state) });
    return { status: 204 };
  },
  'GET /API/assets/v1/collections/{collection_id}/contents/': contents,
  'POST /API/assets/v1/collections/{collection_id}/contents/': add,
};
