import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';
import { makeJobTemp, removeJobTemp } from './job-temp.ts';
import { describeAndRender } from './make-renditions.ts';
import { isForeignByName, type Prepared, prepareSource } from './prepare-source.ts';
import { findSequence, prepareSequence } from './sequences/prepare-sequence.ts';
import { NO_TOOLS } from './tools/find-tools.ts';
import { resumeCheckpoint, type TranscodeCheckpoint } from './transcode-checkpoint.ts';
import { type TranscodePayload, transcodePayloadSchema } from './transcode-payload.ts';
import type { Attempt, TranscodeDeps } from './transcode-work.ts';
import { watchFolderOf } from './watch-folder/await-results.ts';
import { transcodeWatched } from './watch-folder/transcode-watched.ts';

/** Waits before a job is tried again without burning an attempt. */
const STORAGE_AWAY_MS = 15_000;
const FFMPEG_MISSING_MS = 60_000;
/** Dropping what was sent may take this long, milliseconds. */
const DROP_WITHIN_MS = 10_000;

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
    // A watch folder that does not answer says nothing about the original.
    if (thrown.fields.watchFolder !== undefined) return snooze(STORAGE_AWAY_MS, thrown.message);
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
