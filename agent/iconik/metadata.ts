import { z } from 'zod';
import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import type { ServiceRequests } from './service-requests.ts';

const fieldSchema = z
  .looseObject({ field_values: z.array(z.looseObject({ value: z.unknown() })).nullish() })
  .transform(({ field_values }) => ({ field_values: (field_values ?? []).map(({ value }) => ({ value })) }));
const valuesSchema = z.looseObject({ metadata_values: z.record(z.string(), fieldSchema) });

/** Metadata values of assets (reference C.15). */
export function createMetadata(requests: ServiceRequests): IconikApi['metadata'] {
  return {
    async assetValues(assetId, viewId, limits) {
      const path = servicePath('metadata', ['assets', assetId, 'views', viewId]);
      return (await requests.read(path, valuesSchema, { limits })).metadata_values;
    },
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
