import type { Dispatcher } from 'undici';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { IconikApi, UploadTarget } from '../api.ts';
import { createDispatcher } from '../http-dispatcher.ts';
import { uploadToAzure } from './azure-blocks.ts';
import { uploadLargeToB2 } from './b2-large.ts';
import { uploadToB2 } from './b2-small.ts';
import { createAbandonUpload } from './create-abandon-upload.ts';
import { FreshTarget } from './fresh-target.ts';
import { createGcsUpload } from './gcs-upload.ts';
import { createMd5Wish, type Md5Wish } from './md5-wish.ts';
import { type ObjectSource, pinSource } from './object-source.ts';
import { assertUsableUrl } from './object-store-http.ts';
import { b2PartSizeFor, partSizeFor } from './part-plan.ts';
import { uploadByParts } from './s3-multipart.ts';
import { uploadByPut } from './single-put.ts';
import type { MultipartRecord, UploadObject, UploadObjectArgs, UploadRecord } from './upload-object.ts';

/** What sending to object stores needs; everything but `api` has a default. */
export interface UploadObjectDeps {
  api: IconikApi;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
  /** `https-proxy`, for all requests but those with the file's bytes, which the storage's processes send; default: the environment's. */
  proxyUrl?: string | undefined;
  /** Bytes per part on S3, GCS, Azure and B2; smaller files go in one request. Default 100 MB (reference C.9). */
  partSizeBytes?: number;
  /** Parts of one file sent at once; default 4. */
  partsAtOnce?: number;
  /** Bytes per request of a session of GCS; default 32 MiB, what is lost at most when a connection breaks. */
  chunkSizeBytes?: number;
  /** Tries of one request within a call; default 5. */
  attempts?: number;
  /** A send that moves no byte for this long is given up; default 120 s. */
  stallMs?: number;
}

const DEFAULTS = {
  clock: systemClock,
  random: Math.random,
  partSizeBytes: 100_000_000,
  partsAtOnce: 4,
  chunkSizeBytes: 32 * 1024 * 1024,
  attempts: 5,
  stallMs: 120_000,
};

/** Longer than any request's own deadline (reference C.9: completing may take minutes). */
const CALL_TIMEOUT_MS = 6 * 60_000;

type Deps = typeof DEFAULTS & { api: IconikApi; dispatcher: Dispatcher };

/** Makes the `UploadObject` of this node (reference C.9). */
export function createUploadObject(given: UploadObjectDeps): UploadObject {
  const { proxyUrl, ...rest } = given;
  const dispatcher = createDispatcher({ proxyUrl, callTimeoutMs: CALL_TIMEOUT_MS, isForNamedHosts: true });
  const deps: Deps = { ...DEFAULTS, ...rest, dispatcher };
  const md5Wish = createMd5Wish(deps);
  const gcsUpload = createGcsUpload(deps);
  const upload = async (args: UploadObjectArgs): Promise<void> => {
    args.signal.throwIfAborted();
    const send = sendFor(deps, args.target, { md5Wish, gcsUpload });
    await send(await pinSource(args));
  };
  return Object.assign(upload, { abandon: createAbandonUpload(deps) });
}

type Send = (source: ObjectSource) => Promise<void>;

/** What is remembered from upload to upload. */
interface Memory {
  md5Wish: Md5Wish;
  gcsUpload: ReturnType<typeof createGcsUpload>;
}

function sendFor(deps: Deps, target: UploadTarget, { md5Wish, gcsUpload }: Memory): Send {
  const store = target.storage_method?.toUpperCase() ?? '';
  const method = target.upload_method?.toUpperCase() ?? '';
  if (store === 'S3') return (source) => sendToS3(deps, source, md5Wish);
  if (store === 'AZURE') return (source) => sendToAzure(deps, source);
  if (store === 'B2') return (source) => sendToB2(deps, source);
  // A GCS record whose URL is signed for PUT takes the whole file at once (keyframes without resumable upload).
  if (store === 'GCS' && method !== 'PUT') {
    return async (source) => gcsUpload(source, urlOf(target));
  }
  if (store === 'GCS' || (store === '' && method === 'PUT')) {
    return async (source) => uploadByPut(deps, source, { url: urlOf(target), wantsMd5: false });
  }
  const message = `Uploads to storages of kind ${store || 'unknown'} are not supported; the file was not uploaded.`;
  throw new IsgError('upload-refused', message, { retry: 'permanent', fields: { storageMethod: store } });
}

async function sendToS3(deps: Deps, source: ObjectSource, md5Wish: Md5Wish): Promise<void> {
  const { args } = source;
  const fitsOnePart = args.sizeBytes < partSizeFor(args.sizeBytes, deps.partSizeBytes);
  const { upload_url: url } = args.target;
  const record = multipartRecord(args.multipart);
  const isOnlyWay = !url && args.sizeBytes > 0;
  const wantsMd5 = await md5Wish(args.target.storage_id, args.signal);
  if (record && (isOnlyWay || !fitsOnePart)) return await uploadByParts(deps, { source, record, wantsMd5 });
  await uploadByPut(deps, source, { url: urlOf(args.target), wantsMd5 });
}

function multipartRecord(record: UploadRecord | undefined): MultipartRecord | null {
  if (!record || record.kind === 'keyframe') return null;
  const { assetId, fileId, kind = 'file' } = record;
  return { assetId, fileId, kind };
}

async function sendToAzure(deps: Deps, source: ObjectSource): Promise<void> {
  assertUsableUrl(urlOf(source.args.target));
  await uploadToAzure(deps, { source, target: new FreshTarget(deps.api, source) });
}

async function sendToB2(deps: Deps, source: ObjectSource): Promise<void> {
  const { args } = source;
  const record = args.multipart;
  const isFile = record !== undefined && (record.kind ?? 'file') === 'file';
  // A large file must have two parts.
  const isLarge = args.sizeBytes > b2PartSizeFor(args.sizeBytes, deps.partSizeBytes);
  if (isFile && isLarge) return await uploadLargeToB2(deps, { source, record });
  urlOf(args.target);
  await uploadToB2(deps, source, new FreshTarget(deps.api, source));
}

function urlOf(target: UploadTarget): string {
  if (target.upload_url) return target.upload_url;
  const message = 'iconik gave no upload URL for the record; get the record anew and try again.';
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}
