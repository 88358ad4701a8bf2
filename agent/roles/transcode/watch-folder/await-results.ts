import { extname, join } from 'node:path';
import type { Transcoder } from '../../../iconik/api.ts';
import type { JobContext, JobOutcome } from '../../../jobs/job-handler.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { nameOf } from '../../../storage/storage-path.ts';
import type { WatchFolderAccess } from '../../../storage/watch-folder-access.ts';
import type { Ffmpeg } from '../ffmpeg/ffmpeg.ts';
import type { MediaInfo } from '../ffmpeg/media-info.ts';
import type { MediaSource, Rendition, TakenPicture } from '../ffmpeg/rendition.ts';
import { pathBytes } from '../private-link.ts';
import type { TranscodeCheckpoint } from '../transcode-checkpoint.ts';
import type { TranscodePayload } from '../transcode-payload.ts';
import { clearWatchFolder, lookForResults } from './watch-folder-files.ts';
import { planWatchFolder, type WatchFolder } from './watch-folder-plan.ts';
import { nextWatchStep, type SeenFile } from './watch-folder-state.ts';

/** What the other program made, copied into the job's folder. */
export interface WatchedResults {
  /** Its proxy, of which everything else is made. */
  source: MediaSource;
  /** The same when it is a web proxy as it is (reference A.7: MP4, H.264, AAC); null = one is made of it. */
  proxy: Rendition | null;
  /** Its keyframes, in the order of their names; empty = they are taken from its proxy. */
  keyframes: TakenPicture[];
  scrubSheet: TakenPicture | null;
}

/** One attempt of a job whose original goes through a watch folder. */
export interface WatchedJob {
  context: JobContext<TranscodePayload>;
  storage: StorageAccess;
  ffmpeg: Ffmpeg;
  checkpoint: TranscodeCheckpoint;
  /** Folder of this attempt. */
  dir: string;
  /** The watch folder as this node reaches it. */
  access: WatchFolderAccess;
  /** Wall clock, milliseconds. */
  nowMs: number;
}

/** Where a job with a watch folder stands: it waits (and leaves its slot meanwhile), or the results are here. */
export type Awaited = { kind: 'waiting'; outcome: JobOutcome } | { kind: 'here'; results: WatchedResults };

/** The watch folder of a job; null when its transcoder has none. Throws `job-payload-invalid` for settings that cannot be used. */
export function watchFolderOf(
  transcoder: Transcoder | null,
  job: Pick<WatchedJob, 'context' | 'storage'>,
): WatchFolder | null {
  const { assetId, versionId, path } = job.context.payload;
  if (!transcoder) return null;
  const original = { assetId, versionId, name: nameOf(path), mountPoint: job.storage.mountPoint };
  const plan = planWatchFolder(transcoder, original);
  if (typeof plan !== 'string') return plan;
  const message = `The watch-folder transcoder "${transcoder.name}" cannot be used: ${plan}. Correct its settings in iconik and order the proxy anew.`;
  throw new IsgError('job-payload-invalid', message, { retry: 'permanent', fields: { transcoder: transcoder.id } });
}

function waiting(afterMs: number, watch: WatchFolder): Awaited {
  const why = `The program behind the watch folder "${watch.folder}" is making the proxy.`;
  return { kind: 'waiting', outcome: { kind: 'snooze', afterMs, why } };
}

/** The first look: what an earlier original of this version left goes, then the original is put in. */
async function begin(job: WatchedJob, watch: WatchFolder): Promise<Awaited> {
  const { context, storage, checkpoint, access, nowMs } = job;
  await context.confirmLease();
  const { folder, isOwnFolder: makeFolder, linkName: name, useSymlink } = watch;
  await clearWatchFolder(access, watch, context.signal);
  const original = pathBytes(storage.absolutePath(context.payload.path));
  const target = typeof original === 'string' ? original : Uint8Array.from(original);
  const linked = await access.placeOriginal({ folder, makeFolder, name, target, useSymlink }, context.signal);
  context.log.info('Put an original into a watch folder', { folder: watch.folder, linked });
  checkpoint.watch = { linkedAtMs: nowMs, seen: {} };
  await context.saveCheckpoint(checkpoint);
  return waiting(watch.growMs, watch);
}

const isWebProxy = (path: string, { video, audio, container }: MediaInfo): boolean =>
  extname(path).toLowerCase() === '.mp4' &&
  container.includes('mp4') &&
  video?.codec === 'h264' &&
  video.pixelFormat === 'yuv420p' &&
  audio.every(({ codec }) => codec === 'aac');

/** Copies a result into the job's folder. */
async function takeFile({ access, context }: WatchedJob, file: SeenFile, to: string): Promise<void> {
  const { path: from, sizeBytes, mtimeMs } = file;
  const onProgress = () => context.progress(0, 'copying what the other program made');
  await access.takeResult({ from, to, sizeBytes, mtimeMs }, { signal: context.signal, onProgress });
}

/** A picture of the other program, when it can be read. */
async function takePicture(
  job: WatchedJob,
  file: SeenFile,
  place: { name: string; seconds: number },
): Promise<TakenPicture[]> {
  const path = join(job.dir, place.name);
  await takeFile(job, file, path);
  const info = await job.ffmpeg.probeMedia(path, job.context.signal).catch(() => null);
  job.context.signal.throwIfAborted();
  if (info?.kind !== 'image' || !info.video) return [];
  const { width, height } = info.video;
  return [{ path, sizeBytes: file.sizeBytes, seconds: place.seconds, size: { width, height } }];
}

async function collect(
  job: WatchedJob,
  step: { proxy: SeenFile; keyframes: SeenFile[]; keyframeMap: SeenFile | null },
): Promise<WatchedResults> {
  const path = join(job.dir, `watched${extname(step.proxy.path).toLowerCase()}`);
  await takeFile(job, step.proxy, path);
  const info = await job.ffmpeg.probeMedia(path, job.context.signal);
  const { sizeBytes } = step.proxy;
  const proxy = isWebProxy(path, info) ? { path, sizeBytes, info, complaint: '' } : null;
  const keyframes: TakenPicture[] = [];
  for (const [index, file] of step.keyframes.entries()) {
    // Their names say no time: they are taken to be spread evenly (inferred).
    const seconds = ((info.durationSeconds ?? 0) * index) / step.keyframes.length;
    keyframes.push(...(await takePicture(job, file, { name: `watched-${index}.jpg`, seconds })));
  }
  const [scrubSheet] = step.keyframeMap
    ? await takePicture(job, step.keyframeMap, { name: 'watched-map.jpg', seconds: 0 })
    : [];
  return { source: { path, info }, proxy, keyframes, scrubSheet: scrubSheet ?? null };
}

/**
 * Goes on with a job whose original another program turns into a proxy. Each call looks once: the job leaves its slot between
 * looks, and where it stands is in its checkpoint, so that it survives restarts and may go on on another node. Throws
 * `media-unreadable` (permanent) when nothing came within `proxy_timeout`; the folder is cleared then.
 */
export async function awaitResults(job: WatchedJob, watch: WatchFolder): Promise<Awaited> {
  const { context, checkpoint, nowMs } = job;
  if (!checkpoint.watch) return await begin(job, watch);
  const step = nextWatchStep(
    checkpoint.watch,
    { nowMs, files: await lookForResults(job.access, watch, context.signal) },
    watch,
  );
  switch (step.kind) {
    case 'wait':
      checkpoint.watch = step.state;
      await context.saveCheckpoint(checkpoint);
      return waiting(step.afterMs, watch);
    case 'ready':
      return { kind: 'here', results: await collect(job, step) };
    case 'timed-out':
      await endWatch(job, watch, { isPublished: false });
      throw new IsgError(
        'media-unreadable',
        `The program behind the watch folder "${watch.folder}" made no proxy of this file within ${Math.round(watch.timeoutMs / 1000)} s. Check that it runs and takes such files, then order the proxy anew.`,
        { retry: 'permanent', fields: { folder: watch.folder } },
      );
    default:
      return step satisfies never;
  }
}

/**
 * Clears the watch folder of a job that is over. That everything is published is saved first: an attempt that is killed from
 * here on must not wait for results that are gone.
 */
export async function endWatch(
  job: WatchedJob,
  watch: WatchFolder,
  { isPublished }: { isPublished: boolean },
): Promise<void> {
  const { context, checkpoint } = job;
  if (isPublished) checkpoint.isWatchOver = true;
  else delete checkpoint.watch;
  await context.confirmLease();
  await context.saveCheckpoint(checkpoint);
  await clearWatchFolder(job.access, watch, context.signal);
}
