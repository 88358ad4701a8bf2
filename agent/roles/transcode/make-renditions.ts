import { join } from 'node:path';
import type { JobContext, JobOutcome } from '../../jobs/job-handler.ts';
import { IsgError } from '../../runtime/errors.ts';
import { describeFormat } from './describe-format.ts';
import type { MediaSource, TakenPicture } from './ffmpeg/rendition.ts';
import { publishRendition } from './publish-rendition.ts';
import {
  keyframeBody,
  keyframeFilename,
  type PictureType,
  posterFilename,
  proxyBody,
  proxyFilename,
  scrubSheetFilename,
} from './rendition-record.ts';
import type { TranscodePayload } from './transcode-payload.ts';
import type { Work } from './transcode-work.ts';

/** Shares of a job's progress; what is left out of a job is passed over. */
const SHARE = { probed: 0.02, proxyMade: 0.6, proxySent: 0.8, picturesMade: 0.9, done: 1 };

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

/** Media info, proxy and pictures of one original, made and published. */
export async function describeAndRender(work: Work): Promise<JobOutcome> {
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
