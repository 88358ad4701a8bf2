import { z } from 'zod';
import { coerceError } from '../../runtime/errors.ts';
import type { IconikApi } from '../api.ts';
import type { B2Place } from './b2-places.ts';
import { contentOf, isSameContent, type ObjectSource } from './object-source.ts';
import { B2_MIN_PART_BYTES, b2PartSizeFor, planParts } from './part-plan.ts';
import type { PartsDeps } from './parts-run.ts';
import { recordCalls } from './record-calls.ts';
import { lookAtObject } from './stored-object.ts';
import type { UploadRecord } from './upload-object.ts';

/** What uploads to B2 need. */
export interface B2Deps extends PartsDeps {
  api: IconikApi;
  /** Bytes per part when the file's size allows it; smaller files go in one request. */
  partSizeBytes: number;
}

/** One upload of a large file. */
export interface B2Upload {
  source: ObjectSource;
  record: UploadRecord;
}

const partSchema = z.object({
  number: z.number().int().min(1),
  sha1: z.string().regex(/^[0-9a-f]{40}$/),
  sizeBytes: z.number().int().min(0),
});

/** What is kept between attempts. B2's own list of parts cannot be reached through iconik: this is all that is known. */
const b2CheckpointSchema = z.object({
  method: z.literal('b2-large'),
  fileId: z.string(),
  sizeBytes: z.number(),
  mtimeNs: z.string(),
  md5: z.string().optional(),
  uploadFileId: z.string().min(1),
  partSizeBytes: z.number().int().min(B2_MIN_PART_BYTES),
  parts: z.array(partSchema),
});

/** A large file that B2 has begun, and the parts it has confirmed, by number. */
export interface B2Session {
  uploadFileId: string;
  partSizeBytes: number;
  finished: Map<number, z.infer<typeof partSchema>>;
  /** The upload URL that came with the start; null after a resume. */
  firstPlace: B2Place | null;
}

/** Saves where the upload stands. */
export function saveSession({ source, record }: B2Upload, session: B2Session): Promise<void> {
  const value: z.infer<typeof b2CheckpointSchema> = {
    method: 'b2-large',
    fileId: record.fileId,
    ...contentOf(source),
    uploadFileId: session.uploadFileId,
    partSizeBytes: session.partSizeBytes,
    parts: [...session.finished.values()],
  };
  return source.args.saveCheckpoint(value);
}

/** The session that an earlier attempt saved; null when none, or when it was for other content. */
export function savedSession({ source, record }: B2Upload): B2Session | null {
  const parsed = b2CheckpointSchema.safeParse(source.args.checkpoint);
  if (!parsed.success || parsed.data.fileId !== record.fileId || !isSameContent(parsed.data, source)) return null;
  const { uploadFileId, partSizeBytes, sizeBytes, parts } = parsed.data;
  const planned = new Map(planParts(sizeBytes, partSizeBytes).map((part) => [part.number, part]));
  const fitting = parts.filter((part) => planned.get(part.number)?.lengthBytes === part.sizeBytes);
  return { uploadFileId, partSizeBytes, finished: new Map(fitting.map((p) => [p.number, p])), firstPlace: null };
}

/** Begins a large file and saves its id before the first part goes out. An answer lost here leaves an empty one at B2. */
export async function startSession(deps: B2Deps, upload: B2Upload): Promise<B2Session> {
  const { args } = upload.source;
  const { assetId, fileId } = upload.record;
  const begun = await deps.api.files.startB2(assetId, fileId, { uploadFileId: null }, { signal: args.signal });
  const session: B2Session = {
    uploadFileId: begun.uploadFileId,
    partSizeBytes: b2PartSizeFor(args.sizeBytes, deps.partSizeBytes),
    finished: new Map(),
    firstPlace: { url: begun.uploadUrl, token: begun.authorizationToken },
  };
  await saveSession(upload, session);
  return session;
}

/** Another upload URL for the parts of a large file. */
export async function nextPlace(
  deps: B2Deps,
  upload: B2Upload,
  session: B2Session,
  signal: AbortSignal,
): Promise<B2Place> {
  const { assetId, fileId } = upload.record;
  const ask = { uploadFileId: session.uploadFileId };
  const { uploadUrl: url, authorizationToken: token } = await deps.api.files.startB2(assetId, fileId, ask, { signal });
  return { url, token };
}

/**
 * Whether the object at the record's place is this very large file: B2 keeps its id, and shows it with each download. Anything
 * that cannot be verified counts as no.
 */
export async function isStored(deps: B2Deps, { source, record }: B2Upload, session: B2Session): Promise<boolean> {
  const { signal } = source.args;
  try {
    const url = await recordCalls(deps.api, { assetId: record.assetId, fileId: record.fileId }).downloadUrl(signal);
    const seen = url ? await lookAtObject(deps, url, signal) : null;
    return seen?.headers['x-bz-file-id'] === session.uploadFileId && seen.sizeBytes === source.expected.sizeBytes;
  } catch (thrown) {
    signal.throwIfAborted();
    if (coerceError(thrown).retry === 'permanent') return false;
    throw thrown;
  }
}

/** Drops what a saved upload has sent. Throws when iconik does not let it. */
export async function cancelSavedUpload(
  api: IconikApi,
  saved: { assetId: string; checkpoint: unknown; signal: AbortSignal },
): Promise<void> {
  const parsed = b2CheckpointSchema.safeParse(saved.checkpoint);
  if (!parsed.success) return;
  await api.files.cancelB2(saved.assetId, parsed.data.fileId, parsed.data.uploadFileId, { signal: saved.signal });
}
