import type { AudioTrack, Size, VideoTrack } from './media-info.ts';
import { fractionValue } from './media-info.ts';

/** How proxies are made (config.ini, reference A.3). */
export interface ProxySettings {
  /** `proxy-resolution`: no video proxy is larger in either direction. */
  videoBox: Size;
  /** `proxy-bitrate`: target, bits per second. */
  videoBitRate: number;
  /** `image-proxy-resolution`: no still is larger in either direction. */
  imageBox: Size;
}

/** Built-in values (reference A.3, A.7). */
export const DEFAULT_PROXY_SETTINGS: ProxySettings = {
  videoBox: { width: 1280, height: 720 },
  videoBitRate: 3_000_000,
  imageBox: { width: 2048, height: 2048 },
};

/** Ceiling over target: 4 Mb/s for 3 Mb/s (reference A.7). */
const CEILING = 4 / 3;
/** Bits per second of the stereo AAC track. */
export const AUDIO_BIT_RATE = 128_000;
/** A whole picture at least this often, seconds: how far a player must decode to seek. */
const WHOLE_PICTURE_SECONDS = 2;

const even = (value: number) => Math.max(2, Math.floor(value / 2) * 2);

/** Size of the picture as shown: upright, with square pixels. */
export function shownSize(track: VideoTrack): Size {
  const width = Math.max(1, Math.round(track.width * track.pixelAspect));
  const isTurned = track.rotation % 180 !== 0;
  return isTurned ? { width: track.height, height: width } : { width, height: track.height };
}

/** The largest even size within `box` of the same shape as the shown picture, never larger than it (but at least 2×2). */
export function fitSize(track: VideoTrack, box: Size): Size {
  const shown = shownSize(track);
  const scale = Math.min(1, box.width / shown.width, box.height / shown.height);
  return { width: even(shown.width * scale + 0.5), height: even(shown.height * scale + 0.5) };
}

/** Field parity for yadif by ffprobe's names; the second letter is the field shown first. null = not interlaced. */
function parityOf(fieldOrder: string | null): 'tff' | 'bff' | null {
  if (fieldOrder === 'tt' || fieldOrder === 'bt') return 'tff';
  if (fieldOrder === 'bb' || fieldOrder === 'tb') return 'bff';
  return null;
}

/** Filters of one moving picture: whole frames first, then the size, then square pixels. ffmpeg turns it upright itself. */
export function videoFilters(track: VideoTrack, box: Size): string {
  const parity = parityOf(track.fieldOrder);
  const size = fitSize(track, box);
  const scale = `scale=${size.width}:${size.height}:flags=bicubic,setsar=1`;
  return parity ? `yadif=mode=send_frame:parity=${parity}:deint=all,${scale}` : scale;
}

/** Options of a H.264 picture that plays everywhere: 4:2:0, no B-frames, limited peaks (reference A.7). */
export function videoOptions(track: VideoTrack, settings: ProxySettings): string[] {
  const ceiling = String(Math.round(settings.videoBitRate * CEILING));
  const frameRate = fractionValue(track.frameRate);
  const rate = track.frameRate === null ? [] : ['-r', track.frameRate];
  const wholePictures = String(Math.max(1, Math.round((frameRate ?? 25) * WHOLE_PICTURE_SECONDS)));
  const codec = ['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'high', '-pix_fmt', 'yuv420p', '-bf', '0'];
  const amount = ['-b:v', String(settings.videoBitRate), '-maxrate', ceiling, '-bufsize', ceiling, '-g', wholePictures];
  return [...codec, ...amount, ...rate];
}

/** Options of the AAC stereo track; empty without audio. */
export function audioOptions(audio: readonly AudioTrack[]): string[] {
  return audio.length === 0 ? [] : ['-c:a', 'aac', '-b:a', String(AUDIO_BIT_RATE), '-ac', '2', '-ar', '48000'];
}

/**
 * What the proxy's sound is made of: the first track, or the first two joined when both are mono, because broadcast
 * masters keep left and right in tracks of their own.
 */
export function audioSource(audio: readonly AudioTrack[]): { filter: string | null; map: string } | null {
  const [first, second] = audio;
  if (!first) return null;
  if (first.channels === 1 && second?.channels === 1) {
    const joined = `[0:${first.streamIndex}][0:${second.streamIndex}]join=inputs=2:channel_layout=stereo[sound]`;
    return { filter: joined, map: '[sound]' };
  }
  return { filter: null, map: `0:${first.streamIndex}` };
}

/** Pixel formats that can be see-through; a palette may hold a transparent colour. */
const SEE_THROUGH = /^(?:rgba|bgra|argb|abgr|ya8|ya16|yuva|gbrap|pal8)/;

/**
 * Filters of a still: within the box by what the decoder really gives (the turn written into a JPEG shows only then),
 * see-through parts on white.
 */
export function stillFilters(track: VideoTrack, box: Size): string {
  const factor = `min(1,min(${box.width}/iw,${box.height}/ih))`;
  const scale = `scale=w='max(1,trunc(iw*${factor}+0.5))':h='max(1,trunc(ih*${factor}+0.5))':flags=bicubic`;
  const flatten =
    'format=rgba,split[back][front];[back]lutrgb=r=maxval:g=maxval:b=maxval:a=maxval[white];[white][front]overlay=format=rgb';
  const isSeeThrough = SEE_THROUGH.test(track.pixelFormat ?? '');
  return isSeeThrough ? `${scale},${flatten},format=yuvj420p,setsar=1` : `${scale},format=yuvj420p,setsar=1`;
}

/** How many keyframes a clip gets at most. */
const MOST_KEYFRAMES = 20;

/** Seconds at which keyframes are taken: every 1/20 of the clip but not closer than 1 s; at least the first frame. */
export function keyframeTimes(durationSeconds: number | null): number[] {
  const duration = durationSeconds ?? 0;
  const interval = Math.max(duration / MOST_KEYFRAMES, 1);
  const count = Math.min(MOST_KEYFRAMES, Math.max(1, Math.floor(duration / interval + 1e-6)));
  return Array.from({ length: count }, (_, index) => index * interval);
}

/** Second at which the poster is taken: a tenth in, past black and slates. */
export function posterTime(durationSeconds: number | null): number {
  return (durationSeconds ?? 0) / 10;
}
