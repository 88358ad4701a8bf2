import type { Dispatcher } from 'undici';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { IconikApi, UploadTarget } from '../api.ts';
import { createDispatcher } from '../http-dispatcher.ts';
import { uploadResumably } from './gcs-resumable.ts';
import { type ObjectSource, pinSource } from './object-source.ts';
import { partSizeFor } from './part-plan.ts';
import { uploadByParts } from './s3-multipart.ts';
import { uploadByPut } from './single-put.ts';
import type { UploadObject } from './upload-object.ts';

/** What sending to object stores needs; everything but `api` has a default. */
export interface UploadObjectDeps {
  api: IconikApi;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
  /** `https-proxy`, for all requests but those with the file's bytes, which the storage's processes send; default: the environment's. */
  proxyUrl?: string | undefined;
  /** Bytes per part on S3; smaller files go in one request. Default 100 MB (reference C.9). */
  partSizeBytes?: number;
  /** Parts of one file sent at once; default 4. */
  partsAtOnce?: number;
  /** Bytes per request on GCS; default 32 MiB, what is lost at most when a connection breaks. */
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

/** Makes the `UploadObject` of this node (reference C.9: S3 and GCS so far; Azure and B2 are refused). */
export function createUploadObject(given: UploadObjectDeps): UploadObject {
  const { proxyUrl, ...rest } = given;
  const dispatcher = createDispatcher({ proxyUrl, callTimeoutMs: CALL_TIMEOUT_MS });
  const deps: Deps = { ...DEFAULTS, ...rest, dispatcher };
  return async (args) => {
    args.signal.throwIfAborted();
    const send = sendFor(deps, args.target);
    await send(await pinSource(args));
  };
}

type Send = (source: ObjectSource) => Promise<void>;

function sendFor(deps: Deps, target: UploadTarget): Send {
  const store = target.storage_method?.toUpperCase() ?? '';
  const method = target.upload_method?.toUpperCase() ?? '';
  if (store === 'S3') return (source) => sendToS3(deps, source);
  // A GCS record whose URL is signed for PUT takes the whole file at once (keyframes without resumable upload).
  if (store === 'GCS' && method !== 'PUT') {
    return async (source) => uploadResumably(deps, source, urlOf(target));
  }
  if (store === 'GCS' || (store === '' && method === 'PUT')) {
    return async (source) => uploadByPut(deps, source, urlOf(target));
  }
  const message = `Uploads to storages of kind ${store || 'unknown'} are not supported yet; the file was not uploaded.`;
  throw new IsgError('upload-refused', message, { retry: 'permanent', fields: { storageMethod: store } });
}

async function sendToS3(deps: Deps, source: ObjectSource): Promise<void> {
  const { args } = source;
  const fitsOnePart = args.sizeBytes < partSizeFor(args.sizeBytes, deps.partSizeBytes);
  const { upload_url: url } = args.target;
  const record = args.multipart;
  const isOnlyWay = !url && args.sizeBytes > 0;
  if (record && (isOnlyWay || !fitsOnePart)) return await uploadByParts(deps, { source, record });
  await uploadByPut(deps, source, urlOf(args.target));
}

function urlOf(target: UploadTarget): string {
  if (target.upload_url) return target.upload_url;
  const message = 'iconik gave no upload URL for the record; get the record anew and try again.';
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}
