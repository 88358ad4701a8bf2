import type { Row } from '../state/table.ts';
import { type Answer, ApiError, type Call } from './call.ts';
import { fileOf } from './files.ts';
import { temporaryFileOf } from './relays.ts';
import { fileKey } from './upload-fields.ts';

// Uploads to GCS in parallel parts. Names of components and groups are the stand-in's own choice.

const recordOf = (call: Call): Row =>
  call.query.temporary === true || call.body.temporary === true ? temporaryFileOf(call) : fileOf(call);

/** Whether the record named in the path lies on a storage of GCS. */
export const isOnGcs = (call: Call): boolean => call.state.storages.get(recordOf(call).storage_id)?.method === 'GCS';

const keyOf = (call: Call): string => fileKey(call.state, recordOf(call));
const componentKey = (key: string, number: number): string => `${key}_part_${number}`;
const groupKey = (key: string, group: number): string => `${key}_group_${group}`;
/** Name within the bucket. */
const nameOf = (key: string): string => key.slice(key.indexOf('/') + 1);

/** Places of components, which are objects of their own until they are composed. */
export function componentUrls(call: Call, numbers: readonly number[]): Answer {
  const whole = keyOf(call);
  const objects = numbers.map((number) => {
    const key = componentKey(whole, number);
    return {
      number,
      key: nameOf(key),
      url: call.urls.sign({ operation: 'gcs-part', key }),
      delete_url: call.urls.sign({ operation: 'gcs-delete', key }),
      download_url: call.urls.sign({ operation: 'get', key }),
    };
  });
  return { status: 200, body: { objects } };
}

/** Where components become a group, or the object itself. */
export function composeUrl(call: Call): Answer {
  if (!isOnGcs(call)) throw new ApiError(400, 'The file is not on a GCS storage');
  const { parts_group: group, content_type: given } = call.body;
  if (typeof group === 'number' && group < 1) throw new ApiError(400, { parts_group: 'Must be at least 1.' });
  const key = typeof group === 'number' ? groupKey(keyOf(call), group) : keyOf(call);
  const contentType = typeof given === 'string' ? { contentType: given } : {};
  return {
    status: 200,
    body: {
      key: nameOf(key),
      compose_url: call.urls.sign({ operation: 'gcs-compose', key, ...contentType }),
      url: call.urls.sign({ operation: 'get', key }),
      delete_url: call.urls.sign({ operation: 'gcs-delete', key }),
    },
  };
}

/** Removes components 1…parts_number and groups 1…parts_group_number. */
export async function cleanUpGcs(call: Call): Promise<Answer> {
  const whole = keyOf(call);
  const { parts_number: parts = 0, parts_group_number: groups } = call.body;
  for (let number = 1; number <= Number(parts); number += 1) await call.disk.remove(componentKey(whole, number));
  for (let group = 1; group <= Number(groups ?? 0); group += 1) await call.disk.remove(groupKey(whole, group));
  return { status: 200 };
}
