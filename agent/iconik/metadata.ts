import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Metadata values of assets (reference C.15). */
export function createMetadata(requests: ServiceRequests): IconikApi['metadata'] {
  return {
    putAssetValues: (assetId, viewId, values, limits) =>
      requests.write(
        {
          method: 'PUT',
          path: servicePath('metadata', ['assets', assetId, 'views', viewId]),
          body: { metadata_values: values },
        },
        limits,
      ),
  };
}
