import { rename, rm } from 'node:fs/promises';
import { IsgError } from '../../../runtime/errors.ts';
import type { FfmpegInput, FfmpegOutput } from './ffmpeg-command.ts';
import { jpegFilters } from './jpeg-colours.ts';
import type { Size, VideoTrack } from './media-info.ts';
import {
  JPEG_OUTPUT,
  type MakeOptions,
  type MediaSource,
  madeSize,
  nothingDecoded,
  type RunFfmpeg,
  type TakenPicture,
} from './rendition.ts';
import { fitSize, stillFilters, videoFilters } from './rendition-plan.ts';

/** Pictures taken by one ffmpeg; each holds a decoder of its own in memory. */
const PICTURES_PER_RUN = 5;

/** A picture to be taken. */
export interface WantedPicture {
  seconds: number;
  /** Absolute path of the JPEG. */
  path: string;
}

/** What pictures are taken of. */
export interface PictureOrder {
  source: MediaSource;
  wanted: readonly WantedPicture[];
  box: Size;
  options: MakeOptions;
}

/** The pictures that could be taken, and what ffmpeg complained of. */
export interface TakenPictures {
  pictures: TakenPicture[];
  lines: string[];
}

/** One input per picture: seeking reads a few frames, where one pass would decode the whole clip. */
function inputOf(source: MediaSource, { seconds }: WantedPicture): FfmpegInput {
  const seek = seconds > 0 ? ['-ss', seconds.toFixed(3)] : [];
  return { path: source.path, options: [...(source.inputOptions ?? []), '-threads', '1', ...seek] };
}

/** JPEG knows neither HDR nor wide colours; what is not mapped looks pale. */
function movingFilters({ source, box }: PictureOrder, video: VideoTrack): string {
  const toneMapping = source.toneMapping ?? null;
  return `${videoFilters(video, box, { toneMapping })},${jpegFilters(video, toneMapping)}`;
}

function outputOf(order: PictureOrder, input: number, { path }: WantedPicture): FfmpegOutput {
  const { video, kind } = order.source.info;
  if (!video) throw nothingDecoded(order.source, ['it holds no picture']);
  const filters = kind === 'image' ? stillFilters(video, order.box) : movingFilters(order, video);
  const options = ['-map', `${input}:${video.streamIndex}`, '-vf', filters, '-q:v', '4', '-map_metadata', '-1'];
  return { path: `${path}.part`, options: [...options, ...JPEG_OUTPUT] };
}

/** Runs one group. Newer programs fail when one output of several got no frame: that is a missing picture, no more. */
async function runGroup(
  run: RunFfmpeg,
  order: PictureOrder,
  group: readonly WantedPicture[],
  done: number,
): Promise<string[]> {
  const { options } = order;
  try {
    return await run({
      inputs: group.map((wanted) => inputOf(order.source, wanted)),
      outputs: group.map((wanted, input) => outputOf(order, input, wanted)),
      signal: options.signal,
      onProgress: () => options.onProgress?.(done),
    });
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'media-unreadable') return [thrown.message];
    throw thrown;
  }
}

/** Puts a picture into place; null when there is none. */
async function keepPicture(order: PictureOrder, { seconds, path }: WantedPicture): Promise<TakenPicture | null> {
  const { video } = order.source.info;
  const sizeBytes = await madeSize(`${path}.part`);
  if (sizeBytes === null || !video) {
    await rm(`${path}.part`, { force: true });
    return null;
  }
  await rename(`${path}.part`, path);
  return { path, sizeBytes, seconds, size: fitSize(video, order.box) };
}

/** Takes pictures by seeking, several per run; those that yielded no frame are left out. */
export async function takePictures(run: RunFfmpeg, order: PictureOrder): Promise<TakenPictures> {
  const pictures: TakenPicture[] = [];
  const lines: string[] = [];
  for (let index = 0; index < order.wanted.length; index += PICTURES_PER_RUN) {
    const group = order.wanted.slice(index, index + PICTURES_PER_RUN);
    lines.push(...(await runGroup(run, order, group, index / order.wanted.length)));
    for (const wanted of group) {
      const picture = await keepPicture(order, wanted);
      if (picture) pictures.push(picture);
    }
    order.options.onProgress?.((index + group.length) / order.wanted.length);
  }
  return { pictures, lines };
}
