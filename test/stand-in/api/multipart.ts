import { randomUUID } from 'node:crypto';
import { B2Error } from '../object-store/b2-error.ts';
import type { Row } from '../state/table.ts';
import { type Answer, ApiError, type Call, type Handlers } from './call.ts';
import { proxyOf } from './derivatives.ts';
import { fileOf } from './files.ts';
import { cleanUpGcs, componentUrls, composeUrl, isOnGcs } from './gcs-parts.ts';
import { temporaryFileOf } from './relays.ts';
import { derivativeKey, fileKey, needsMd5 } from './upload-fields.ts';

/** S3 allows no more parts than these, and lists at most a thousand of them at once. */
const MAX_PARTS = 10_000;
const LISTED_PARTS = 1000;

type KeyOf = (call: Call) => string;

const s3Key = (call: Call, row: Row, key: string): string => {
  if (call.state.storages.get(row.storage_id)?.method !== 'S3')
    throw new ApiError(501, 'Only S3 storages have multipart uploads here');
  return key;
};
const recordOf = (call: Call): Row => (call.query.temporary === true ? temporaryFileOf(call) : fileOf(call));
const keyOfFile: KeyOf = (call) => s3Key(call, recordOf(call), fileKey(call.state, recordOf(call)));
const storageOf = (call: Call, row: Row): Row | undefined => call.state.storages.get(row.storage_id);
const keyOfProxy: KeyOf = (call) => s3Key(call, proxyOf(call), derivativeKey('proxies', proxyOf(call)));

/** URLs that complete, abort or list an upload; `type` narrows to one. */
function uploadUrls(call: Call, key: string): Answer {
  const uploadId = String(call.query.upload_id);
  const type = call.query.type;
  if (type !== undefined && !['complete_url', 'abort_url', 'list_parts_url'].includes(String(type))) {
    throw new ApiError(400, { type: 'Must be complete_url, abort_url or list_parts_url.' });
  }
  const isWanted = (name: string): boolean => type === undefined || type === name;
  const lists = Math.ceil(Math.min(MAX_PARTS, Number(call.query.max_part_number ?? LISTED_PARTS)) / LISTED_PARTS);
  const markers = Array.from({ length: Math.max(1, lists) }, (_, index) => index * LISTED_PARTS);
  return {
    status: 200,
    body: {
      complete_url: isWanted('complete_url') ? call.urls.sign({ operation: 's3-complete', key, uploadId }) : null,
      abort_url: isWanted('abort_url') ? call.urls.sign({ operation: 's3-abort', key, uploadId }) : null,
      list_parts_url: isWanted('list_parts_url')
        ? markers.map((marker) => call.urls.sign({ operation: 's3-list', key, uploadId, marker }))
        : null,
    },
  };
}

/** Numbers of the parts on the page that is asked for, out of 1…parts_num. */
function numbersOfPage(call: Call): number[] {
  const { parts_num: partsNum, per_page: perPage = 10, page = 1 } = call.query;
  if (Number(partsNum) < 1 || Number(partsNum) > MAX_PARTS)
    throw new ApiError(400, { parts_num: `Must be between 1 and ${MAX_PARTS}.` });
  if (Number(perPage) < 1) throw new ApiError(400, { per_page: 'Must be at least 1.' });
  const first = (Number(page) - 1) * Number(perPage) + 1;
  const last = Math.min(Number(partsNum), first + Number(perPage) - 1);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

/** Signed URLs of parts 1…parts_num, page by page. */
function partUrls(call: Call, key: string, storage: Row | undefined): Answer {
  const uploadId = call.query.upload_id;
  if (typeof uploadId !== 'string') throw new ApiError(400, { upload_id: 'Is needed.' });
  const bound = needsMd5(storage);
  const objects = numbersOfPage(call).map((number) => ({
    number,
    key,
    url: call.urls.sign({ operation: 's3-part', key, uploadId, partNumber: number, ...bound }),
  }));
  return { status: 200, body: { objects } };
}

/** Part URLs that are bound to the MD5 of the part (base64), for storages that ask for it. */
function boundPartUrls(call: Call): Answer {
  const key = keyOfFile(call);
  const uploadId = String(call.body.upload_id);
  const parts = (call.body.parts as { part_number?: number; checksum?: string | null }[]).map((part) => {
    if (part.part_number === undefined) throw new ApiError(400, { parts: 'part_number is needed.' });
    const md5 = part.checksum ? { md5: part.checksum } : {};
    return {
      ...part,
      url: call.urls.sign({ operation: 's3-part', key, uploadId, partNumber: part.part_number, ...md5 }),
    };
  });
  return { status: 200, body: { upload_id: uploadId, parts } };
}

/** Key of a file on B2, or a refusal. */
function b2Key(call: Call): string {
  if (storageOf(call, recordOf(call))?.method !== 'B2') throw new ApiError(400, 'The file is not on a B2 storage');
  return fileKey(call.state, recordOf(call));
}

/** What B2 refuses, iconik refuses. */
async function asApi(work: () => unknown): Promise<Answer> {
  try {
    return { status: 200, body: await work() };
  } catch (thrown) {
    if (thrown instanceof B2Error) throw new ApiError(400, thrown.message);
    throw thrown;
  }
}

/** Begins a large file, or gives another upload URL for one. */
function startB2(call: Call): Promise<Answer> {
  return asApi(() => {
    const key = b2Key(call);
    const known = call.body.upload_file_id;
    if (typeof known === 'string') call.b2.assertOpen(known);
    const id = typeof known === 'string' ? known : call.b2.start(key, 'application/octet-stream');
    const upload_url = call.urls.sign({ operation: 'b2-part', key, uploadId: id, nonce: randomUUID() });
    return { upload_file_id: id, upload_url, authorization_token: call.urls.token(upload_url) };
  });
}

function finishB2(call: Call): Promise<Answer> {
  b2Key(call);
  return asApi(async () => {
    await call.b2.finish(String(call.body.upload_file_id), call.body.sha1_list as string[]);
  });
}

function cancelB2(call: Call): Promise<Answer> {
  b2Key(call);
  return asApi(() => call.b2.cancel(String(call.body.upload_file_id)));
}

async function cleanup(call: Call, key: string): Promise<Answer> {
  const uploadId = call.body.upload_id;
  if (typeof uploadId === 'string' && call.uploads.open(key).includes(uploadId))
    await call.uploads.abort(key, uploadId);
  return { status: 200 };
}

const FILE = '/API/files/v1/assets/{asset_id}/files/{file_id}/';
const PROXY = '/API/files/v1/assets/{asset_id}/proxies/{proxy_id}/';

/** URLs for S3 multipart uploads, and large files on B2 (reference C.9). */
export const multipartHandlers: Handlers = {
  [`GET ${FILE}multipart_url/`]: (call) => uploadUrls(call, keyOfFile(call)),
  [`GET ${FILE}multipart_url/part/`]: (call) =>
    isOnGcs(call)
      ? componentUrls(call, numbersOfPage(call))
      : partUrls(call, keyOfFile(call), storageOf(call, recordOf(call))),
  [`POST ${FILE}multipart/gcs/compose_url/`]: composeUrl,
  [`POST ${FILE}multipart_url/s3/part/`]: boundPartUrls,
  [`POST ${FILE}multipart/b2/start/`]: startB2,
  [`POST ${FILE}multipart/b2/finish/`]: finishB2,
  [`POST ${FILE}multipart/b2/cancel/`]: cancelB2,
  [`POST ${FILE}multipart/cleanup/`]: (call) => (isOnGcs(call) ? cleanUpGcs(call) : cleanup(call, keyOfFile(call))),
  [`GET ${PROXY}multipart_url/`]: (call) => uploadUrls(call, keyOfProxy(call)),
  [`GET ${PROXY}multipart_url/part/`]: (call) => partUrls(call, keyOfProxy(call), storageOf(call, proxyOf(call))),
  [`POST ${PROXY}multipart/cleanup/`]: (call) => cleanup(call, keyOfProxy(call)),
};
