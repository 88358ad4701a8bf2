import type { NamedFiles } from '../../../db/queries/event-order.ts';

// What the data of a gateway event names. Its shape is not published (reference C.4), so any key counts that could hold
// the thing; what is no id and no path is passed over. Pure, and never throws.

/** Everything that an event's data may name. */
export interface EventData extends NamedFiles {
  /** Records of a queue. */
  recordIds: string[];
  iconikJobIds: string[];
  fileIds: string[];
  fileSetIds: string[];
  assetIds: string[];
  collectionIds: string[];
  /** Relative to the mount, without outer slashes; none leads out of it. */
  paths: string[];
  /** 1–10, or null. */
  priority: number | null;
  /** The assets that are no more and the one that they became; null when the data does not tell them apart. */
  merge: { oldAssetIds: string[]; newAssetId: string } | null;
}

const KEYS = {
  recordIds: ['transfer_id', 'record_id', 'deletion_id', 'transcode_id', 'id', 'transfer_ids', 'record_ids', 'ids'],
  iconikJobIds: ['job_id', 'job_ids', 'jobs', 'job'],
  fileIds: ['file_id', 'file_ids', 'files', 'file'],
  fileSetIds: ['file_set_id', 'file_set_ids', 'file_sets'],
  assetIds: ['asset_id', 'asset_ids', 'assets', 'asset'],
  collectionIds: ['collection_id', 'collection_ids', 'collections', 'collection', 'id', 'ids'],
} as const;
const PATH_KEYS = ['path', 'paths', 'directory_path', 'directory_paths', 'directory', 'directories'];
const OLD_ASSET_KEYS = [
  'old_asset_id',
  'old_asset_ids',
  'source_asset_id',
  'source_asset_ids',
  'from_asset_id',
  'merged_asset_id',
  'merged_asset_ids',
  'deleted_asset_id',
];
const NEW_ASSET_KEYS = ['new_asset_id', 'target_asset_id', 'destination_asset_id', 'to_asset_id', 'into_asset_id'];

/** Reads an event's data, whatever it is. */
export function readEventData(data: unknown): EventData {
  const fields = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  const under = (keys: readonly string[]) => [...new Set(keys.flatMap((key) => idsIn(own(fields, key))))];
  const named = Object.fromEntries(Object.entries(KEYS).map(([name, keys]) => [name, under(keys)])) as {
    [K in keyof typeof KEYS]: string[];
  };
  const paths = PATH_KEYS.flatMap((key) => textsIn(own(fields, key))).flatMap(pathIn);
  return {
    ...named,
    paths: [...new Set(paths)],
    priority: toPriority(own(fields, 'priority') ?? own(fields, 'new_priority')),
    merge: mergeOf(under(OLD_ASSET_KEYS), under(NEW_ASSET_KEYS), named.assetIds),
  };
}

// `asset_id` beside ids that are called old ones is the new one, and the other way round.
function mergeOf(old: string[], renewed: string[], plain: string[]): EventData['merge'] {
  const [newAssetId, ...others] = renewed.length > 0 ? renewed : old.length > 0 ? plain : [];
  if (newAssetId === undefined || others.length > 0) return null;
  const oldAssetIds = (old.length > 0 ? old : plain).filter((id) => id !== newAssetId);
  return oldAssetIds.length === 0 ? null : { oldAssetIds, newAssetId };
}

const own = (fields: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(fields, key) ? fields[key] : undefined;

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value !== '' && isStorable(value) ? [value] : [];
  return Array.isArray(value) ? value.flatMap(textsIn) : [];
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(idsIn);
  if (typeof value === 'object' && value !== null && 'id' in value) return textsIn(value.id);
  return textsIn(value);
}

function pathIn(text: string): string[] {
  const segments = text.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.length === 0 || segments.includes('..') ? [] : [segments.join('/')];
}

/** What the database can hold: neither NUL nor half a surrogate pair. */
const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** A priority from 1 to 10, or null. Numbers as text count. */
export function toPriority(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 10 ? number : null;
}
