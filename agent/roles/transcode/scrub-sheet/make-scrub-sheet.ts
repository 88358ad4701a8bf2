import { rename, rm } from 'node:fs/promises';
import { IsgError } from '../../../runtime/errors.ts';
import { jpegFilters } from '../ffmpeg/jpeg-colours.ts';
import {
  JPEG_OUTPUT,
  type MakeOptions,
  type MediaSource,
  madeSize,
  type RunFfmpeg,
  type TakenPicture,
} from '../ffmpeg/rendition.ts';
import { planSheet, sheetFilters, sheetSize } from './scrub-sheet-plan.ts';

/**
 * Makes the scrub sheet of a clip as one JPEG, written beside its place and renamed when complete. null when the clip is too
 * short for one, or no picture of it could be read.
 */
export async function makeScrubSheet(
  run: RunFfmpeg,
  source: MediaSource,
  path: string,
  options: MakeOptions,
): Promise<TakenPicture | null> {
  const { video, durationSeconds } = source.info;
  const plan = video ? planSheet(video, durationSeconds) : null;
  if (!video || !plan) return null;
  const part = `${path}.part`;
  const filters = `${sheetFilters(plan)},${jpegFilters(video)}`;
  const picture = ['-map', `0:${video.streamIndex}`, '-vf', filters, '-q:v', '5', '-map_metadata', '-1'];
  // Whole pictures are enough where the clip has one per interval or more (our proxies have one every 2 s).
  const skipping = plan.intervalSeconds >= 4 ? ['-skip_frame', 'nokey'] : [];
  try {
    await run({
      inputs: [{ path: source.path, options: [...(source.inputOptions ?? []), ...skipping] }],
      outputs: [{ path: part, options: [...picture, ...JPEG_OUTPUT] }],
      durationSeconds,
      ...options,
    });
  } catch (thrown) {
    // Ignored because a clip that can be read in parts only has pictures all the same; just this one is missing.
    if (!(thrown instanceof IsgError) || thrown.code !== 'media-unreadable') throw thrown;
  }
  const sizeBytes = await madeSize(part);
  if (sizeBytes === null) {
    await rm(part, { force: true });
    return null;
  }
  await rename(part, path);
  return { path, sizeBytes, seconds: 0, size: sheetSize(plan) };
}
