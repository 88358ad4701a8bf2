import { randomUUID } from 'node:crypto';
import { nameOf } from '../object-store/b2-routes.ts';
import type { SignedUrls } from '../object-store/signed-urls.ts';
import type { IconikState } from '../state/iconik-state.ts';
import type { Row } from '../state/table.ts';

/** Statuses in which a record still waits for its bytes, so that its answers carry upload fields. */
const AWAITING = new Set(['OPEN', 'GROWING', 'AWAITED']);

const CLOUD = new Set(['S3', 'GCS', 'AZURE', 'B2']);

/** Whether a storage wants the MD5 of what it is sent (reference C.9). */
export const needsMd5 = (storage: Row | undefined): { needsMd5?: true } =>
  (storage?.settings as { presign_md5_checksum?: unknown } | undefined)?.presign_md5_checksum === true
    ? { needsMd5: true }
    : {};

/** Shared access signatures for uploads are for writing, unless the storage of a test says otherwise. */
const mayRead = (storage: Row | undefined): { mayRead?: true } =>
  (storage?.settings as { sas_may_read?: unknown } | undefined)?.sas_may_read === true ? { mayRead: true } : {};

const joined = (...parts: unknown[]): string =>
  parts
    .map((part) => (typeof part === 'string' ? part : '').replace(/^\/+|\/+$/g, ''))
    .filter(Boolean)
    .join('/');

/** Key of a file record's object: where the storage keeps it. Two records with one path are one object. */
export function fileKey(state: IconikState, file: Row): string {
  const storage = state.storages.get(file.storage_id);
  const root = (storage?.settings as { path?: unknown } | undefined)?.path;
  return joined(file.storage_id, root, file.directory_path, file.name);
}

/** Key of a proxy's or keyframe's object; each record has its own. */
export const derivativeKey = (kind: 'proxies' | 'keyframes', row: Row): string =>
  joined(row.storage_id, kind, row.asset_id, row.id, row.filename ?? row.name ?? 'data');

/** How the bytes of a record are to be sent (reference C.9); empty on a FILE storage or once closed. */
export function uploadFields(
  state: IconikState,
  urls: SignedUrls,
  record: { row: Row; key: string; isResumable: boolean },
): Record<string, unknown> {
  const { row, key } = record;
  const storage = state.storages.get(row.storage_id);
  const method = storage?.method;
  if (!CLOUD.has(String(method)) || !AWAITING.has(String(row.status))) return { storage_method: method ?? null };
  const filename = key.slice(key.lastIndexOf('/') + 1);
  if (method === 'S3') {
    return {
      storage_method: 'S3',
      upload_method: 'PUT',
      upload_url: urls.sign({ operation: 's3-put', key, ...needsMd5(storage) }),
      multipart_upload_url: urls.sign({ operation: 's3-initiate', key }),
      upload_credentials: {},
      upload_filename: filename,
    };
  }
  if (method === 'AZURE') {
    const upload_url = urls.sign({ operation: 'azure-blob', key, ...mayRead(storage) });
    return {
      storage_method: 'AZURE',
      upload_method: 'PUT',
      upload_url,
      upload_credentials: {},
      upload_filename: filename,
    };
  }
  if (method === 'B2') {
    const upload_url = urls.sign({ operation: 'b2-file', key, nonce: randomUUID() });
    return {
      storage_method: 'B2',
      upload_method: 'POST',
      upload_url,
      upload_credentials: { authorizationToken: urls.token(upload_url) },
      upload_filename: nameOf(key),
    };
  }
  const operation = record.isResumable ? 'gcs-start' : 'gcs-put';
  return {
    storage_method: 'GCS',
    upload_method: record.isResumable ? 'POST' : 'PUT',
    upload_url: urls.sign({ operation, key }),
    upload_credentials: {},
    upload_filename: filename,
  };
}
