import { AUDIO_BIT_RATE } from './ffmpeg/audio-plan.ts';
import { fractionValue, type MediaInfo, type Size } from './ffmpeg/media-info.ts';
import { timeCodeAt } from './ffmpeg/time-code.ts';

/** The three kinds of pictures that iconik keeps of an asset (reference A.7); KEYFRAME_MAP is the scrub sheet. */
export type PictureType = 'KEYFRAME' | 'KEYFRAME_MAP' | 'POSTER';

/** One file to be published: where it lies and what iconik is told of it. */
export interface PublishedRendition {
  kind: 'proxy' | 'keyframe';
  /** null for proxies. */
  type: PictureType | null;
  /** Named after the asset: a second attempt, or a second file with the same content, means the same rendition. */
  filename: string;
  /** Absolute path. */
  path: string;
  sizeBytes: number;
  contentType: string;
  /** Body of the creating call, without version, size and status. */
  body: Record<string, unknown>;
}

/** iconik's ids are plain; one that is not must not lead out of the folder in which the file is made. */
const plainId = (id: string): string => id.replace(/[^\w-]/g, '_');

/** File name of the proxy. Sound alone is MP4 too: the one container that iconik's player is documented to play (A.7). */
export function proxyFilename(assetId: string, info: MediaInfo): string {
  return `${plainId(assetId)}_proxy.${info.kind === 'image' ? 'jpg' : 'mp4'}`;
}

/** File name of the poster. */
export function posterFilename(assetId: string): string {
  return `${plainId(assetId)}_poster.jpg`;
}

/** File name of the n-th keyframe, from 1. */
export function keyframeFilename(assetId: string, number: number): string {
  return `${plainId(assetId)}_keyframe_${String(number).padStart(4, '0')}.jpg`;
}

/** File name of the scrub sheet. */
export function scrubSheetFilename(assetId: string): string {
  return `${plainId(assetId)}_keyframe_map.jpg`;
}

/** iconik's fields are 32-bit integers. */
function wholeBits(value: number | null): number | undefined {
  return value === null ? undefined : Math.min(2_147_483_647, Math.round(value));
}

function withoutUnknown(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined && value !== null));
}

/** Body of a proxy: what was really made, and the time code of the original, which the proxy's own track drops. */
export function proxyBody(filename: string, original: MediaInfo, made: MediaInfo): Record<string, unknown> {
  const picture = made.video;
  const [sound] = made.audio;
  const isStill = made.kind === 'image';
  return withoutUnknown({
    filename,
    name: filename,
    format: isStill ? 'jpg' : 'mp4',
    codec: isStill ? 'mjpeg' : (picture?.codec ?? made.audio[0]?.codec),
    resolution: picture ? { width: picture.width, height: picture.height } : undefined,
    rotation: picture ? 0 : undefined,
    frame_rate: isStill ? undefined : picture?.frameRate,
    bit_rate: wholeBits(made.bitRate),
    audio_bitrate: sound ? (wholeBits(sound.bitRate) ?? AUDIO_BIT_RATE) : undefined,
    audio_channels: sound?.channels,
    is_multichannel: sound ? sound.channels > 2 : undefined,
    start_time_code: original.video?.startTimeCode,
    is_drop_frame: isStill || !original.video ? undefined : original.video.isDropFrame,
  });
}

/** Body of a keyframe, poster or scrub sheet, with the place in the clip where it was taken; a sheet shows all of the clip. */
export function keyframeBody(
  filename: string,
  type: PictureType,
  picture: { size: Size; seconds: number },
  original: MediaInfo,
): Record<string, unknown> {
  const moving = original.kind === 'video' && type !== 'KEYFRAME_MAP' ? original.video : null;
  const hasRate = moving !== null && fractionValue(moving.frameRate) !== null;
  return withoutUnknown({
    type,
    filename,
    name: filename,
    format: 'jpg',
    resolution: picture.size,
    time_code: hasRate ? timeCodeAt(picture.seconds, moving) : undefined,
  });
}
