import { createHash } from 'node:crypto';
import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import type { IconikApi } from '../api.ts';
import { contentOf, isSameContent, type ObjectSource } from './object-source.ts';
import {
  assertUsableUrl,
  isBusyAnswer,
  refusal,
  SHORT_DEADLINE_MS,
  type StoreDeps,
  sendOnce,
  sendRepeatedly,
} from './object-store-http.ts';
import { type PlannedPart, partSizeFor, planParts, S3_MIN_PART_BYTES } from './part-plan.ts';
import type { PartsDeps } from './parts-run.ts';
import { recordCalls } from './record-calls.ts';
import { errorCodeOf, partsPageOf, type StoredPart, uploadIdOf } from './s3-answers.ts';
import type { MultipartRecord } from './upload-object.ts';

/** What multipart uploads need. */
export interface S3Deps extends PartsDeps {
  api: IconikApi;
  /** Bytes per part when the file's size allows it. */
  partSizeBytes: number;
}

/** One multipart upload of one file. */
export interface S3Upload {
  source: ObjectSource;
  record: MultipartRecord;
  /** Whether the storage wants an MD5 with each request (`presign_md5_checksum`). */
  wantsMd5: boolean;
}

/** A multipart upload that the store has begun, and what it is known to hold. */
export interface S3Session {
  uploadId: string;
  partSizeBytes: number;
  /** By part number. */
  finished: Map<number, StoredPart>;
}

const storedPartSchema = z.object({
  number: z.number().int().min(1),
  etag: z.string().min(1),
  sizeBytes: z.number().int().min(0),
});

/** What is kept between attempts. `fileId` and content tell whether it is about this file at all. */
const s3CheckpointSchema = z.object({
  method: z.literal('s3-multipart'),
  fileId: z.string(),
  recordKind: z.enum(['file', 'proxy']).default('file'),
  sizeBytes: z.number(),
  mtimeNs: z.string(),
  md5: z.string().optional(),
  uploadId: z.string().min(1),
  partSizeBytes: z.number().int().min(S3_MIN_PART_BYTES),
  parts: z.array(storedPartSchema),
});

/** Saves where the upload stands. */
export function saveSession(upload: S3Upload, session: S3Session): Promise<void> {
  const value: z.infer<typeof s3CheckpointSchema> = {
    method: 's3-multipart',
    fileId: upload.record.fileId,
    recordKind: upload.record.kind ?? 'file',
    ...contentOf(upload.source),
    uploadId: session.uploadId,
    partSizeBytes: session.partSizeBytes,
    parts: [...session.finished.values()],
  };
  return upload.source.args.saveCheckpoint(value);
}

/** The session that an earlier attempt saved; null when none, or when it was for other content. */
export function savedSession(upload: S3Upload): S3Session | null {
  const parsed = s3CheckpointSchema.safeParse(upload.source.args.checkpoint);
  if (!parsed.success) return null;
  const { data } = parsed;
  if (data.fileId !== upload.record.fileId || !isSameContent(data, upload.source)) return null;
  const planned = plannedByNumber(data.sizeBytes, data.partSizeBytes);
  const fitting = data.parts.filter((part) => planned.get(part.number)?.lengthBytes === part.sizeBytes);
  const finished = new Map(fitting.map((part) => [part.number, part]));
  return { uploadId: data.uploadId, partSizeBytes: data.partSizeBytes, finished };
}

/**
 * Begins a multipart upload and saves its id before the first part goes out. An answer lost here leaves an empty upload
 * that only the store's own clean-up rule removes; its id is not known to anyone.
 */
export async function startSession(deps: S3Deps, upload: S3Upload): Promise<S3Session> {
  const { args } = upload.source;
  const url = args.target.multipart_upload_url;
  if (!url) {
    const message = 'iconik gave no URL to start the multipart upload with; get the file record anew.';
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  }
  const what = 'start the multipart upload';
  const headers = { 'content-length': '0', 'content-type': args.contentType };
  const send = { what, url, method: 'POST' as const, headers, deadlineMs: SHORT_DEADLINE_MS, signal: args.signal };
  const answer = await sendRepeatedly(deps, send);
  if (answer.status !== 200) throw refusal(what, url, answer);
  const uploadId = uploadIdOf(answer.body);
  if (!uploadId) {
    const message = `The object store's answer to the start of the multipart upload held no upload id; nothing was sent.`;
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  }
  const partSizeBytes = partSizeFor(args.sizeBytes, deps.partSizeBytes);
  const session = { uploadId, partSizeBytes, finished: new Map<number, StoredPart>() };
  await saveSession(upload, session);
  return session;
}

/**
 * Makes `finished` what the store says it holds. Past the end of a truncated list (its further pages have no URL) the
 * remembered parts stay, unless `distrust` says that memory has proved wrong. `gone` = the store does not know the
 * upload: it was completed or aborted. Without a list the memory stays as it is.
 */
export async function askWhatIsHeld(
  deps: S3Deps,
  upload: S3Upload,
  ask: { session: S3Session; distrust: boolean },
): Promise<'known' | 'gone'> {
  const { session } = ask;
  const urls = (await multipartUrls(deps, upload, { session, type: 'list_parts_url' })).list_parts_url;
  const listed: StoredPart[] = [];
  let isComplete = false;
  for (const url of urls) {
    const page = await listPage(deps, upload, url);
    if (page === 'gone') return 'gone';
    listed.push(...page.parts);
    isComplete = !page.isTruncated;
    if (isComplete) break;
  }
  const planned = plannedByNumber(upload.source.expected.sizeBytes, session.partSizeBytes);
  const fitting = listed.filter((part) => planned.get(part.number)?.lengthBytes === part.sizeBytes);
  const lastListed = Math.max(0, ...listed.map((part) => part.number));
  const beyond = isComplete || ask.distrust ? [] : [...session.finished.values()].filter((p) => p.number > lastListed);
  session.finished = new Map([...fitting, ...beyond].map((part) => [part.number, part]));
  return 'known';
}

async function listPage(deps: S3Deps, upload: S3Upload, url: string) {
  const what = 'list the parts sent so far';
  const { signal } = upload.source.args;
  const answer = await sendRepeatedly(deps, { what, url, method: 'GET', deadlineMs: SHORT_DEADLINE_MS, signal });
  if (answer.status === 404) return 'gone';
  if (answer.status !== 200) throw refusal(what, url, answer);
  const page = partsPageOf(answer.body);
  if (page) return page;
  const message = 'The object store sent a list of parts that cannot be read; it will be asked again.';
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

/** URLs for one upload, always fresh: they run out. */
export function multipartUrls(
  deps: S3Deps,
  upload: S3Upload,
  ask: { session: S3Session; type: 'complete_url' | 'abort_url' | 'list_parts_url' },
) {
  const request = { uploadId: ask.session.uploadId, type: ask.type };
  return recordCalls(deps.api, upload.record).multipartUrls(request, upload.source.args.signal);
}

/** Drops an upload that will not be used, so that its parts cost nobody storage. Trouble is ignored: the store's own rules clean up. */
export async function abandonSession(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<void> {
  const { signal } = upload.source.args;
  try {
    await abortUpload(deps, { record: upload.record, uploadId: session.uploadId, signal });
  } catch {
    // Ignored because nothing depends on it; but nothing may begin after an abort of the caller.
    signal.throwIfAborted();
  }
}

/** Drops what a saved upload has sent, also one of other content. Throws when store or iconik do not let it. */
export async function abortSavedUpload(
  deps: StoreDeps & { api: IconikApi },
  saved: { assetId: string; checkpoint: unknown; signal: AbortSignal },
): Promise<void> {
  const parsed = s3CheckpointSchema.safeParse(saved.checkpoint);
  if (!parsed.success) return;
  const { fileId, recordKind: kind, uploadId } = parsed.data;
  await abortUpload(deps, { record: { assetId: saved.assetId, fileId, kind }, uploadId, signal: saved.signal });
}

async function abortUpload(
  deps: StoreDeps & { api: IconikApi },
  upload: { record: MultipartRecord; uploadId: string; signal: AbortSignal },
): Promise<void> {
  const { record, uploadId, signal } = upload;
  const { abort_url: url } = await recordCalls(deps.api, record).multipartUrls({ uploadId, type: 'abort_url' }, signal);
  if (!url) return;
  assertUsableUrl(url);
  await sendOnce(deps, { what: 'abort the upload', url, method: 'DELETE', deadlineMs: SHORT_DEADLINE_MS, signal });
}

/**
 * ETag that S3 gives the finished object: MD5 over the parts' binary MD5s, then the number of parts. null when the
 * parts' ETags are not plain MD5s (encrypted buckets), so that nothing can be concluded.
 */
export function compositeEtag(parts: readonly StoredPart[]): string | null {
  const hash = createHash('md5');
  for (const part of [...parts].sort((a, b) => a.number - b.number)) {
    const md5 = bareEtag(part.etag);
    if (!/^[0-9a-f]{32}$/.test(md5)) return null;
    hash.update(Buffer.from(md5, 'hex'));
  }
  return `${hash.digest('hex')}-${parts.length}`;
}

/** An ETag without quotes, in lower case. */
export function bareEtag(etag: string): string {
  return etag.replaceAll('"', '').toLowerCase();
}

/** Whether an answer to a part or to the completion says that the upload does not exist any more. */
export function saysGone(answer: { status: number; headers: Record<string, string>; body: string }): boolean {
  return !isBusyAnswer(answer) && (answer.status === 404 || errorCodeOf(answer.body) === 'NoSuchUpload');
}

function plannedByNumber(sizeBytes: number, partSizeBytes: number): Map<number, PlannedPart> {
  return new Map(planParts(sizeBytes, partSizeBytes).map((part) => [part.number, part]));
}
