import { join } from 'node:path';
import type { Transcoder } from '../../iconik/api.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';
import { describeFormat } from './describe-format.ts';
import type { Ffmpeg } from './ffmpeg/ffmpeg.ts';
import type { MediaInfo } from './ffmpeg/media-info.ts';
import type { MediaSource, TakenPicture } from './ffmpeg/rendition.ts';
import type { ProxySettings } from './ffmpeg/rendition-plan.ts';
import type { ChildWatch } from './ffmpeg/run-program.ts';
import { makeJobTemp, removeJobTemp } from './job-temp.ts';
import { isForeignByName, type Prepared, prepareSource } from './prepare-source.ts';
import { type PublishDeps, publishRendition } from './publish-rendition.ts';
import {
  keyframeBody,
  keyframeFilename,
  type PictureType,
  posterFilename,
  proxyBody,
  proxyFilename,
  scrubSheetFilename,
} from './rendition-record.ts';
import { findSequence, prepareSequence } from './sequences/prepare-sequence.ts';
import { NO_TOOLS, type Tools } from './tools/find-tools.ts';
import { resumeCheckpoint, type SourceFacts, type TranscodeCheckpoint } from './transcode-checkpoint.ts';
import { type TranscodePayload, transcodePayloadSchema } from './transcode-payload.ts';
import { awaitResults, endWatch, type WatchedResults, watchFolderOf } from './watch-folder/await-results.ts';
import type { WatchFolder } from './watch-folder/watch-folder-plan.ts';

/** What the transcode role needs. */
export interface TranscodeDeps extends PublishDeps {
  /** null when this node does not serve that storage. */
  storageOf(storageId: string): StorageAccess | null;
  /** Absolute path of a local folder; jobs make folders of their own in it. Equal to or below `tempStorage.mountPoint`. */
  tempDir: string;
  /** null while there is no usable ffmpeg on this node. */
  ffmpeg(): Ffmpeg | null;
  /** What else this node reads media with; absent = nothing. */
  tools?(): Promise<Tools>;
  /** The transcoder of iconik that takes a file; absent or null = none. */
  transcoderOf?(file: { storageId: string; path: string }, signal: AbortSignal): Promise<Transcoder | null>;
  /** Wall clock, milliseconds; default that of the machine. */
  wallMs?(): number;
  /** Ends the children of this node when it dies. */
  guard?: ChildWatch;
  /** Read at the start of each job, so that changes apply without restart. Never throws. */
  settings(file: { storageId: string; path: string }, signal: AbortSignal): ProxySettings | Promise<ProxySettings>;
}

/** Waits before a job is tried again without burning an attempt. */
const STORAGE_AWAY_MS = 15_000;
const FFMPEG_MISSING_MS = 60_000;
/** Dropping what was sent may take this long, milliseconds. */
const DROP_WITHIN_MS = 10_000;

/** Shares of a job's progress; what is left out of a job is passed over. */
const SHARE = { probed: 0.02, proxyMade: 0.6, proxySent: 0.8, picturesMade: 0.9, done: 1 };

/** One running job. */
interface Work {
  deps: TranscodeDeps;
  context: JobContext<TranscodePayload>;
  ffmpeg: Ffmpeg;
  settings: ProxySettings;
  storage: StorageAccess;
  facts: SourceFacts;
  source: MediaSource;
  /** What iconik is told about the original; `source` may be made of it. null = nothing here can read the original. */
  described: MediaInfo | null;
  /** What the program behind a watch folder made; null = there is none. */
  watched: WatchedResults | null;
  /** Shown on the iconik job beside what was made; null = nothing to tell. */
  warning: string | null;
  checkpoint: TranscodeCheckpoint;
  /** Folder of this attempt. */
  dir: string;
}

function snooze(afterMs: number, why: string): JobOutcome {
  return { kind: 'snooze', afterMs, why };
}

function failed(error: IsgError): JobOutcome {
  return { kind: 'failed', error: errorRecord(error) };
}

function gone(path: string): IsgError {
  return new IsgError(
    'file-not-found',
    `The file "${path}" is not on the storage any more, so there is nothing to make a proxy of. When it comes back, the scan orders it anew.`,
    { retry: 'permanent', fields: { path } },
  );
}

/** ffmpeg follows links; what stands there now must be what the index means. */
function notAFile(path: string): IsgError {
  return new IsgError(
    'file-unreadable',
    `"${path}" is not a regular file any more; links, pipes and devices are not read. Put the file back to try again.`,
    { retry: 'permanent', fields: { path } },
  );
}

/** Throws `file-changed` when the original is not the one that was probed: its renditions would show something else. */
async function assertUnchanged(work: Work): Promise<void> {
  const { path } = work.context.payload;
  const now = await work.storage.stat(path);
  if (now?.kind === 'file' && now.sizeBytes === work.facts.sizeBytes && now.mtimeNs === work.facts.mtimeNs) return;
  throw new IsgError('file-changed', `The file "${path}" changed while its proxy was made; it is made again.`, {
    retry: 'transient',
    fields: { path },
  });
}

/** Reports progress within a part of the job. */
function within(context: JobContext<TranscodePayload>, from: number, to: number, note: string) {
  return (fraction: number) => context.progress(from + (to - from) * fraction, note);
}

interface ProxyStep {
  proxyId: string | null;
  /** What ffmpeg said although it went on; shown with the finished job. */
  complaint: string;
  /** What made the picture; null for stills, sound, and a proxy of an earlier attempt. */
  encoder: string | null;
  pictureSource: MediaSource;
}

/** The proxy: made unless iconik has it already. Returns what keyframes are best taken from. */
async function doProxy(work: Work): Promise<ProxyStep> {
  const { deps, context, source } = work;
  const filename = proxyFilename(context.payload.assetId, source.info);
  const finishedId = work.checkpoint.finished[filename] ?? null;
  if (!context.payload.wantProxy || finishedId) {
    return { proxyId: finishedId, complaint: '', encoder: null, pictureSource: source };
  }
  const path = join(work.dir, filename);
  const making = within(context, SHARE.probed, SHARE.proxyMade, 'making the proxy');
  const made =
    work.watched?.proxy ??
    (await work.ffmpeg.makeProxy(source, path, work.settings, { signal: context.signal, onProgress: making }));
  await assertUnchanged(work);
  if (made.complaint) context.log.warn('ffmpeg complained about this clip but went on', { complaint: made.complaint });
  const contentType = source.info.kind === 'image' ? 'image/jpeg' : 'video/mp4';
  const body = proxyBody(filename, source.info, made.info);
  const proxyId = await publishRendition(
    { kind: 'proxy', type: null, filename, path: made.path, sizeBytes: made.sizeBytes, contentType, body },
    deps,
    {
      context,
      checkpoint: work.checkpoint,
      onProgress: within(context, SHARE.proxyMade, SHARE.proxySent, 'sending the proxy'),
    },
  );
  // A local file, upright, progressive and quick to seek: far kinder to the storage than the original.
  const { complaint, encoder = null } = made;
  return { proxyId, complaint, encoder, pictureSource: { path: made.path, info: made.info } };
}

interface Picture {
  type: PictureType;
  filename: string;
  taken: TakenPicture;
}

/** Takes the poster, and of a video the keyframes and the scrub sheet. */
async function takePictures(work: Work, pictureSource: MediaSource): Promise<Picture[]> {
  const { context, ffmpeg, settings, dir } = work;
  const { assetId } = context.payload;
  const isStill = work.source.info.kind === 'image';
  const box = isStill ? settings.imageBox : settings.videoBox;
  const onProgress = within(context, SHARE.proxySent, SHARE.picturesMade, 'taking keyframes');
  const { signal } = context;
  const poster = posterFilename(assetId);
  const taken = await ffmpeg.makePoster(pictureSource, join(dir, poster), box, {
    signal,
    onProgress: () => onProgress(0),
  });
  const pictures: Picture[] = [{ type: 'POSTER', filename: poster, taken }];
  if (isStill) return pictures;
  const pathOf = (number: number) => join(dir, keyframeFilename(assetId, number));
  const given = work.watched?.keyframes ?? [];
  const frames =
    given.length > 0 ? given : await ffmpeg.makeKeyframes(pictureSource, pathOf, box, { signal, onProgress });
  for (const [index, frame] of frames.entries()) {
    pictures.push({ type: 'KEYFRAME', filename: keyframeFilename(assetId, index + 1), taken: frame });
  }
  const sheet = scrubSheetFilename(assetId);
  const sheetTaken =
    work.watched?.scrubSheet ??
    (await ffmpeg.makeScrubSheet(pictureSource, join(dir, sheet), { signal, onProgress: () => onProgress(1) }));
  if (sheetTaken) pictures.push({ type: 'KEYFRAME_MAP', filename: sheet, taken: sheetTaken });
  return pictures;
}

/** Poster and keyframes. Sound has none. */
async function doPictures(work: Work, pictureSource: MediaSource): Promise<number> {
  const { context, source, checkpoint } = work;
  if (!context.payload.wantKeyframes || source.info.video === null) return 0;
  const toneMapping = work.settings.mapsPictures ? work.settings.toneMapping : null;
  const pictures = await takePictures(work, { ...pictureSource, toneMapping });
  await assertUnchanged(work);
  for (const [index, { type, filename, taken }] of pictures.entries()) {
    const onProgress = within(context, SHARE.picturesMade, SHARE.done, 'sending keyframes');
    onProgress(index / pictures.length);
    if (checkpoint.finished[filename]) continue;
    const { path, sizeBytes } = taken;
    const body = keyframeBody(filename, type, taken, source.info);
    await publishRendition(
      { kind: 'keyframe', type, filename, path, sizeBytes, contentType: 'image/jpeg', body },
      work.deps,
      { context, checkpoint, onProgress: () => onProgress(index / pictures.length) },
    );
  }
  return pictures.length;
}

async function describeAndRender(work: Work): Promise<JobOutcome> {
  const { context } = work;
  context.progress(SHARE.probed, 'read the media info');
  if (work.described) await describeFormat(work.deps.api, context, work.described);
  const { proxyId, complaint, encoder, pictureSource } = await doProxy(work);
  const pictures = await doPictures(work, pictureSource);
  const { kind, durationSeconds } = work.described ?? work.source.info;
  const warned = work.warning === null ? {} : { warning: work.warning };
  context.progress(SHARE.done);
  return { kind: 'done', result: { media: kind, durationSeconds, proxyId, pictures, complaint, encoder, ...warned } };
}

/** An attempt whose storage, ffmpeg and original are there. */
type Attempt = Pick<Work, 'deps' | 'context' | 'ffmpeg' | 'settings' | 'storage' | 'facts' | 'dir'>;

async function prepare({ deps, context, ffmpeg, settings, storage, dir }: Attempt): Promise<Prepared> {
  const { signal, payload } = context;
  const alive = () => context.progress(0, 'reading the original');
  const sequence = await findSequence({ api: deps.api, storage, signal }, payload);
  if (sequence) {
    const frameRate = payload.frameRate ?? null;
    const { source, warning } = await prepareSequence(sequence, { ffmpeg, storage, signal, dir, frameRate, alive });
    return { kind: 'ready', source, described: source.info, ...(warning === null ? {} : { warning }) };
  }
  return await prepareSource(storage.absolutePath(payload.path), {
    ffmpeg,
    tools: (await deps.tools?.()) ?? NO_TOOLS,
    guard: deps.guard ?? { watch: () => {} },
    signal,
    dir,
    box: settings.imageBox,
    alive,
  });
}

/** What ffprobe says of an original that another program reads; null when it cannot read it. */
async function describeWatched({ ffmpeg, context, storage }: Attempt): Promise<MediaInfo | null> {
  try {
    const info = await ffmpeg.probeMedia(storage.absolutePath(context.payload.path), context.signal);
    return info.kind === 'none' ? null : info;
  } catch (thrown) {
    if (thrown instanceof IsgError && ['media-unreadable', 'file-not-found'].includes(thrown.code)) return null;
    throw thrown;
  }
}

/** An original that goes through a watch folder: put there once, looked after now and then, published, cleared away. */
async function transcodeWatched(
  attempt: Attempt,
  watch: WatchFolder,
  checkpoint: TranscodeCheckpoint,
): Promise<JobOutcome> {
  const { context, storage, ffmpeg, dir } = attempt;
  const job = { context, storage, ffmpeg, checkpoint, dir, nowMs: attempt.deps.wallMs?.() ?? Date.now() };
  if (checkpoint.isWatchOver === true) {
    await endWatch(job, watch, { isPublished: true });
    return { kind: 'done', result: { published: Object.keys(checkpoint.finished).length } };
  }
  const awaited = await awaitResults(job, watch);
  if (awaited.kind === 'waiting') return awaited.outcome;
  const { results: watched } = awaited;
  const described = await describeWatched(attempt);
  const work = { ...attempt, source: watched.source, described, watched, checkpoint, warning: null };
  const outcome = await describeAndRender(work);
  await endWatch(job, watch, { isPublished: true });
  return outcome;
}

async function transcodeIn(attempt: Attempt, checkpoint: TranscodeCheckpoint): Promise<JobOutcome> {
  const { deps, context } = attempt;
  const { payload, signal } = context;
  if (payload.wantProxy || payload.wantKeyframes) {
    const watch = watchFolderOf((await deps.transcoderOf?.(payload, signal)) ?? null, attempt);
    if (watch) return await transcodeWatched(attempt, watch, checkpoint);
  }
  const prepared = await prepare(attempt);
  if (prepared.kind === 'skipped') {
    const { why, warning } = prepared;
    return { kind: 'done', result: { skipped: why, ...(warning === undefined ? {} : { warning }) } };
  }
  const { source, described, warning } = prepared;
  const work = { ...attempt, source, described, watched: null, checkpoint, warning: warning ?? null };
  return await describeAndRender(work);
}

async function transcode(deps: TranscodeDeps, context: JobContext<TranscodePayload>): Promise<JobOutcome> {
  const { storageId, path } = context.payload;
  const storage = deps.storageOf(storageId);
  if (!storage) return snooze(STORAGE_AWAY_MS, 'This node does not serve the storage of the file (yet).');
  const found = await storage.stat(path);
  if (!found) return failed(gone(path));
  if (found.kind !== 'file') return failed(notAFile(path));
  const facts = { sizeBytes: found.sizeBytes, mtimeNs: found.mtimeNs };
  if (facts.sizeBytes === 0) return { kind: 'done', result: { skipped: 'empty' } };
  if (isForeignByName(path)) return { kind: 'done', result: { skipped: 'not media' } };
  const ffmpeg = deps.ffmpeg();
  if (!ffmpeg) return snooze(FFMPEG_MISSING_MS, 'This node has no usable ffmpeg.');
  const settings = await deps.settings(context.payload, context.signal);
  const dir = await makeJobTemp(deps.tempDir, context.job);
  const checkpoint = resumeCheckpoint(context.job.checkpoint, facts);
  try {
    return await transcodeIn({ deps, context, ffmpeg, settings, storage, facts, dir }, checkpoint);
  } catch (thrown) {
    if (isOver(context.signal, thrown)) await dropUpload(deps, context.payload.assetId, checkpoint);
    throw thrown;
  } finally {
    await removeJobTemp(dir).catch((thrown: unknown) =>
      context.log.warn('The temp folder of a job could not be removed; it goes at the next start', {
        error: String(thrown),
      }),
    );
  }
}

/** Whether no later attempt will go on: the job was cancelled, or fails for good. */
function isOver(signal: AbortSignal, thrown: unknown): boolean {
  if (signal.aborted) return coerceError(signal.reason).code === 'cancelled';
  const { code, retry } = coerceError(thrown);
  // Trouble of a storage may be one that is only waited for.
  return retry === 'permanent' && !/^(storage-|file-|lease-)/.test(code);
}

/** Drops what the store holds of an unfinished upload. Best effort, and bounded. */
async function dropUpload(deps: TranscodeDeps, assetId: string, { upload }: TranscodeCheckpoint): Promise<void> {
  if (!upload) return;
  const signal = AbortSignal.timeout(DROP_WITHIN_MS);
  await deps.uploadObject.abandon({ assetId, checkpoint: upload.value, signal });
}

/** Trouble that has nothing to do with this clip burns no attempt; all else is the runner's to judge. */
async function run(deps: TranscodeDeps, context: JobContext<TranscodePayload>): Promise<JobOutcome> {
  try {
    return await transcode(deps, context);
  } catch (thrown) {
    context.signal.throwIfAborted();
    if (!(thrown instanceof IsgError)) throw thrown;
    const storage = deps.storageOf(context.payload.storageId);
    const ofStorage = storage && (await outcomeOfStorageTrouble(storage, thrown, STORAGE_AWAY_MS));
    if (ofStorage) return ofStorage;
    if (thrown.code === 'ffmpeg-missing') return snooze(FFMPEG_MISSING_MS, thrown.message);
    throw thrown;
  }
}

/**
 * The TRANSCODE job: media info, proxy, poster and keyframes of one original (README.md). May be run any number of
 * times, after being killed anywhere: every step looks first whether iconik has its result.
 */
export function createTranscodeHandler(deps: TranscodeDeps): JobHandler<TranscodePayload> {
  return {
    role: 'TRANSCODE',
    kind: 'transcode',
    payload: transcodePayloadSchema,
    run: (context) => run(deps, context),
  };
}
