import { type Answer, ApiError, type Call, found, type Handlers } from './call.ts';

const keyOf = (call: Call): string => {
  const { object_type, object_id, view_id } = call.params;
  if (object_type !== 'assets') throw new ApiError(501, 'The stand-in keeps values of assets only');
  found(call.state.assets.get(object_id), 'Asset');
  if (!call.state.views.has(view_id ?? '')) throw new ApiError(404, 'View not found');
  return `${object_id}/${view_id}`;
};

const shown = (call: Call, key: string): Record<string, unknown> => ({
  object_id: call.params.object_id,
  object_type: 'assets',
  metadata_values: call.state.metadata.get(key) ?? {},
});

/** Values of fields that the view does not have are refused; the fields that are not named keep theirs. */
function put(call: Call): Answer {
  const key = keyOf(call);
  const fields = call.state.views.get(call.params.view_id ?? '') ?? [];
  const values = call.body.metadata_values as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (!fields.includes(name)) throw new ApiError(400, { [name]: 'Not a field of this view.' });
  }
  call.state.metadata.set(key, { ...call.state.metadata.get(key), ...values });
  return { status: 200, body: shown(call, key) };
}

/** Metadata values of assets by view (reference C.15). */
export const metadataHandlers: Handlers = {
  'GET /API/metadata/v1/{object_type}/{object_id}/views/{view_id}/': (call) => ({
    status: 200,
    body: shown(call, keyOf(call)),
  }),
  'PUT /API/metadata/v1/{object_type}/{object_id}/views/{view_id}/': put,
};
