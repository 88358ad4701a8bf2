import { DEFAULT_SOUND, type SoundSettings } from './audio-plan.ts';
import { fractionValue, type Size, type VideoTrack } from './media-info.ts';
import { colourKindOf, DEFAULT_TONE_MAPPING, type ToneMapping, toneMappingFilters } from './tone-mapping.ts';
import { encoderOptions, type VideoEncoder } from './video-encoder.ts';

/** How a picture is resampled: ffmpeg's names. */
export type Scaler = 'fast_bilinear' | 'bilinear' | 'bicubic' | 'area' | 'lanczos' | 'spline' | 'neighbor';

/** How proxies are made (config.ini, reference A.3; transcoders of iconik, A.7). */
export interface ProxySettings {
  /** `proxy-resolution`: no video proxy is larger in either direction. */
  videoBox: Size;
  /** `proxy-bitrate`: target, bits per second. */
  videoBitRate: number;
  /** `image-proxy-resolution`: no still is larger in either direction. */
  imageBox: Size;
  scaler: Scaler;
  sound: SoundSettings;
  toneMapping: ToneMapping;
  /** `enable-hdr-to-sdr-keyframe-conversion`: pictures taken of an HDR original become SDR as proxies do. */
  mapsPictures: boolean;
}

/** Built-in values (reference A.3, A.7). */
export const DEFAULT_PROXY_SETTINGS: ProxySettings = {
  videoBox: { width: 1280, height: 720 },
  videoBitRate: 3_000_000,
  imageBox: { width: 2048, height: 2048 },
  scaler: 'bicubic',
  sound: DEFAULT_SOUND,
  toneMapping: DEFAULT_TONE_MAPPING,
  mapsPictures: true,
};

/** Ceiling over target: 4 Mb/s for 3 Mb/s (reference A.7). */
const CEILING = 4 / 3;
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

/** Whole frames of interlaced pictures. What the container does not tell, each frame does: progressive ones pass untouched. */
function deinterlacer(fieldOrder: string | null): string[] {
  const parity = parityOf(fieldOrder);
  if (parity) return [`yadif=mode=send_frame:parity=${parity}:deint=all`];
  return fieldOrder === null ? ['yadif=mode=send_frame:deint=interlaced'] : [];
}

/** Rates that every player keeps. */
const STANDARD_RATES = ['24000/1001', '24', '25', '30000/1001', '30', '50', '60000/1001', '60'];

/**
 * Frames per second of the proxy. Uneven distances become even ones at the standard rate nearest to the average, or the next
 * above when none is near: no picture is lost, and positions can be counted in frames.
 */
export function proxyFrameRate({ frameRate, isVariableRate }: VideoTrack): string | null {
  const average = fractionValue(frameRate);
  if (!isVariableRate || average === null) return frameRate;
  const distance = (rate: string) => Math.abs((fractionValue(rate) ?? 0) - average) / average;
  const nearest = STANDARD_RATES.toSorted((a, b) => distance(a) - distance(b))[0] ?? '25';
  if (distance(nearest) <= 0.05) return nearest;
  return STANDARD_RATES.find((rate) => (fractionValue(rate) ?? 0) >= average) ?? '60';
}

/** Whether the numbers of a picture are red, green and blue. */
export const isRgb = ({ pixelFormat }: VideoTrack): boolean =>
  /^(?:gbr|rgb|bgr|0rgb|0bgr|argb|abgr|pal8)/.test(pixelFormat ?? '');

/** RGB becomes BT.709, which ffmpeg would not choose by itself; all others keep their colours, within the range of video. */
function colourOptions(track: VideoTrack): string {
  return isRgb(track) ? ':out_color_matrix=bt709:out_range=tv' : ':out_range=tv';
}

/** What is said of colours that were RGB; those of all others are passed on. */
const SAID_OF_RGB = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];

/** What the filters of a moving picture go by; the built-in values otherwise. `toneMapping` null = colours stay as they are. */
export interface VideoFilterChoices {
  scaler?: Scaler;
  toneMapping?: ToneMapping | null;
}

/**
 * Filters of one moving picture: whole frames at even distances first, then the size, square pixels, and last the colours,
 * which cost most. ffmpeg turns it upright itself.
 */
export function videoFilters(track: VideoTrack, box: Size, choices: VideoFilterChoices = {}): string {
  const size = fitSize(track, box);
  const rate = track.isVariableRate ? proxyFrameRate(track) : null;
  const isMapped = choices.toneMapping && colourKindOf(track) !== 'sdr';
  return [
    ...deinterlacer(track.fieldOrder),
    ...(rate === null ? [] : [`fps=${rate}`]),
    `scale=${size.width}:${size.height}:flags=${choices.scaler ?? 'bicubic'}${isMapped ? '' : colourOptions(track)}`,
    'setsar=1',
    ...(choices.toneMapping ? toneMappingFilters(track, choices.toneMapping) : []),
  ].join(',');
}

/** Options of the H.264 picture. */
export function videoOptions(track: VideoTrack, settings: ProxySettings, encoder: VideoEncoder = 'libx264'): string[] {
  const frameRate = proxyFrameRate(track);
  const frames = Math.max(1, Math.round((fractionValue(frameRate) ?? 25) * WHOLE_PICTURE_SECONDS));
  const ceiling = Math.round(settings.videoBitRate * CEILING);
  const options = encoderOptions(encoder, { bitRate: settings.videoBitRate, ceiling, wholePictureFrames: frames });
  const isConverted = isRgb(track) && colourKindOf(track) === 'sdr';
  return [...options, ...(isConverted ? SAID_OF_RGB : []), ...(frameRate === null ? [] : ['-r', frameRate])];
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
