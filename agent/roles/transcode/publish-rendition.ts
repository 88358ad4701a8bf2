import { relative, sep } from 'node:path';
import type { IconikApi, Keyframe, Proxy as ProxyRecord } from '../../iconik/api.ts';
import type { CreateOnce, Creation } from '../../iconik/creation/create-once.ts';
import { findKeyframe, findProxy } from '../../iconik/creation/find.ts';
import type { UploadObject } from '../../iconik/object-upload/upload-object.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import type { PublishedRendition } from './rendition-record.ts';
import type { TranscodeCheckpoint } from './transcode-checkpoint.ts';
import type { TranscodePayload } from './transcode-payload.ts';

/** What publishing needs. */
export interface PublishDeps {
  api: IconikApi;
  createOnce: CreateOnce;
  uploadObject: UploadObject;
  /** A storage rooted at (or above) the temp folder: its processes send the bytes. */
  tempStorage: StorageAccess;
}

/** The job that publishes, with its resumable state. `checkpoint` is changed and saved as work proceeds. */
export interface Publication {
  context: JobContext<TranscodePayload>;
  checkpoint: TranscodeCheckpoint;
  /** 0–1 of the bytes of this rendition. */
  onProgress(fraction: number): void;
}

/** Uploads of one attempt: a signed URL may run out once between asking for it and using it. */
const UPLOAD_TRIES = 2;

/** Records of both kinds, as far as publishing goes. */
type RenditionRecord = ProxyRecord | Keyframe;

interface Shelf {
  create(body: Record<string, unknown>, signal: AbortSignal): Promise<{ id: string }>;
  get(id: string): Promise<RenditionRecord>;
  patch(id: string, body: Record<string, unknown>): Promise<void>;
}

/** Proxies and keyframes differ in name only. */
function shelfOf(api: IconikApi, kind: 'proxy' | 'keyframe', assetId: string, signal: AbortSignal): Shelf {
  const service = kind === 'proxy' ? api.proxies : api.keyframes;
  return {
    create: (body, limit) => service.create(assetId, body, { signal: AbortSignal.any([signal, limit]) }),
    get: (id) => service.get(assetId, id, { signal }),
    patch: (id, body) => service.patch(assetId, id, body, { signal }),
  };
}

/** The creation of a rendition; its natural key is asset, version, (type) and file name. */
function creationOf(
  rendition: PublishedRendition,
  deps: PublishDeps,
  publication: Publication,
  shelf: Shelf,
): Creation {
  const { context } = publication;
  const { assetId, versionId } = context.payload;
  const { kind, type, filename } = rendition;
  const name = type === null ? filename : `${type}/${filename}`;
  return {
    kind,
    key: `${assetId}/${versionId}/${name}`,
    fence: { kind: 'lease', jobId: context.job.jobId, leaseToken: context.job.leaseToken },
    assertAllowed: () => context.signal.throwIfAborted(),
    create: (signal) =>
      shelf.create({ ...rendition.body, version_id: versionId, size: rendition.sizeBytes, status: 'OPEN' }, signal),
    find: () =>
      type === null
        ? findProxy(deps.api, { assetId, versionId, filename }, { signal: context.signal })
        : findKeyframe(deps.api, { assetId, versionId, type, filename }, { signal: context.signal }),
  };
}

/**
 * Makes the record ready for these bytes: right size, and open, because a closed one may name no place to upload to. Only
 * while the lease is ours: a node that was stopped for a while would open, and overwrite, what its successor has closed.
 */
async function openRecord(
  rendition: PublishedRendition,
  shelf: Shelf,
  id: string,
  confirmLease: () => Promise<void>,
): Promise<RenditionRecord> {
  await confirmLease();
  const record = await shelf.get(id);
  const isOpen = record.status !== 'CLOSED' && record.status !== 'FAILED';
  if (isOpen && record.size === rendition.sizeBytes) return record;
  await shelf.patch(id, { ...rendition.body, size: rendition.sizeBytes, status: 'OPEN' });
  return await shelf.get(id);
}

async function uploadOnce(
  rendition: PublishedRendition,
  deps: PublishDeps,
  publication: Publication,
  record: RenditionRecord,
): Promise<void> {
  const { context, checkpoint } = publication;
  const { filename, sizeBytes, contentType } = rendition;
  const path = relative(deps.tempStorage.mountPoint, rendition.path).split(sep).join('/');
  const { xxh128, md5, facts } = await deps.tempStorage.digest(path, { signal: context.signal });
  const earlier = checkpoint.upload;
  const isSame = earlier?.filename === filename && earlier.xxh128 === xxh128;
  if (earlier && !isSame) await abandonUpload(deps, publication, earlier.value);
  const { assetId } = context.payload;
  await deps.uploadObject({
    source: deps.tempStorage,
    path,
    sizeBytes,
    mtimeNs: facts.mtimeNs,
    md5,
    contentType,
    target: record,
    multipart: { assetId, fileId: record.id, kind: rendition.kind },
    checkpoint: isSame ? earlier.value : undefined,
    saveCheckpoint: async (value) => {
      checkpoint.upload = { filename, xxh128, value };
      await context.saveCheckpoint(checkpoint);
    },
    confirmLease: () => context.confirmLease(),
    signal: context.signal,
    onProgress: (doneBytes) => publication.onProgress(Math.min(1, doneBytes / sizeBytes)),
  });
}

/** Drops the upload of a former encoding: its parts would never become an object. */
async function abandonUpload(deps: PublishDeps, { context }: Publication, checkpoint: unknown): Promise<void> {
  const { assetId } = context.payload;
  await deps.uploadObject.abandon({ assetId, checkpoint, signal: context.signal });
  context.signal.throwIfAborted();
}

/** Uploads, with the record asked for anew when the first signed URL was refused for now. */
async function upload(
  rendition: PublishedRendition,
  deps: PublishDeps,
  publication: Publication,
  open: () => Promise<RenditionRecord>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const record = await open();
    try {
      return await uploadOnce(rendition, deps, publication, record);
    } catch (thrown) {
      const isWorthAnother =
        thrown instanceof IsgError && thrown.code === 'upload-refused' && thrown.retry === 'transient';
      if (!isWorthAnother || attempt >= UPLOAD_TRIES) throw thrown;
      publication.context.log.info('An upload was refused for now; asking for its address again', {
        error: thrown.message,
      });
    }
  }
}

/**
 * Publishes one rendition so that iconik ends up with exactly one closed record of it: create once, send the bytes,
 * confirm the lease, close. A record that is closed with the right size is taken for finished. Returns its id.
 */
export async function publishRendition(
  rendition: PublishedRendition,
  deps: PublishDeps,
  publication: Publication,
): Promise<string> {
  const { signal, payload } = publication.context;
  const confirmLease = () => publication.context.confirmLease();
  const shelf = shelfOf(deps.api, rendition.kind, payload.assetId, signal);
  const id = await deps.createOnce(creationOf(rendition, deps, publication, shelf));
  const found = await shelf.get(id);
  if (found.status !== 'CLOSED' || found.size !== rendition.sizeBytes) {
    await upload(rendition, deps, publication, () => openRecord(rendition, shelf, id, confirmLease));
    await confirmLease();
    await shelf.patch(id, { status: 'CLOSED', size: rendition.sizeBytes });
  }
  publication.checkpoint.finished[rendition.filename] = id;
  publication.checkpoint.upload = null;
  await publication.context.saveCheckpoint(publication.checkpoint);
  return id;
}
