import { z } from 'zod';

/** Width and height in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** How the numbers of a picture mean light, in ffmpeg's words (`bt709`, `smpte2084`, …); null = the file does not say. */
export interface Colour {
  transfer: string | null;
  primaries: string | null;
  matrix: string | null;
  /** `tv` (16–235) or `pc` (0–255). */
  range: string | null;
}

/** The picture of a media file: of a video, or a still image. */
export interface VideoTrack extends Size {
  /** Index among all streams of the container. */
  streamIndex: number;
  codec: string;
  /** Such as `High` or `HQ`; null when unknown. */
  codecProfile: string | null;
  /** Width of a pixel divided by its height; 1 for square ones. Width and height above are stored pixels. */
  pixelAspect: number;
  /** Clockwise turn needed to show it upright: 0, 90, 180 or 270 degrees. Width and height above are before the turn. */
  rotation: number;
  /** Frames per second as a fraction (`25`, `30000/1001`); null when unknown. */
  frameRate: string | null;
  /** Frames come at uneven distances: `frameRate` is their average. */
  isVariableRate: boolean;
  pixelFormat: string | null;
  colour: Colour;
  /** `progressive`, `tt`, `bb`, `tb`, `bt` as ffprobe names them; null when unknown. */
  fieldOrder: string | null;
  /** Bits per second. */
  bitRate: number | null;
  /** `HH:MM:SS:FF`, with `;` before the frames when it drops frame numbers. */
  startTimeCode: string | null;
  isDropFrame: boolean;
}

/** One audio stream. */
export interface AudioTrack {
  streamIndex: number;
  codec: string;
  channels: number;
  /** `stereo`, `5.1(side)`, …; null = the channels are not placed, as in broadcast masters with one sound per channel. */
  channelLayout: string | null;
  sampleRate: number | null;
  bitRate: number | null;
}

/** What ffprobe found. `none` = nothing to see or hear (text, subtitles, data, playlists). */
export interface MediaInfo {
  kind: 'video' | 'audio' | 'image' | 'none';
  /** ffprobe's name of the container. */
  container: string;
  /** ffprobe's score for the container, 0–100. */
  confidence: number;
  durationSeconds: number | null;
  bitRate: number | null;
  video: VideoTrack | null;
  audio: AudioTrack[];
  /** Present and true for a HEIF still, of which ffmpeg may show a single tile; its kind is `none` then. */
  isHeif?: boolean;
}

const numberText = z.union([z.string(), z.number()]).optional();

const streamSchema = z.looseObject({
  index: z.number(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  sample_aspect_ratio: z.string().optional(),
  pix_fmt: z.string().optional(),
  profile: z.union([z.string(), z.number()]).optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  color_space: z.string().optional(),
  color_range: z.string().optional(),
  channel_layout: z.string().optional(),
  field_order: z.string().optional(),
  r_frame_rate: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  duration: numberText,
  bit_rate: numberText,
  nb_frames: numberText,
  channels: z.number().optional(),
  sample_rate: numberText,
  disposition: z.record(z.string(), z.number()).optional(),
  tags: z.record(z.string(), z.string()).optional(),
  side_data_list: z.array(z.looseObject({ rotation: z.number().optional() })).optional(),
});
type Stream = z.infer<typeof streamSchema>;

/** What `ffprobe -show_format -show_streams -of json` prints, as far as we read it. */
export const probeOutputSchema = z.looseObject({
  streams: z.array(streamSchema).default([]),
  format: z.looseObject({
    format_name: z.string(),
    probe_score: z.number().default(100),
    duration: numberText,
    bit_rate: numberText,
    tags: z.record(z.string(), z.string()).optional(),
  }),
});
/** Parsed output of ffprobe. */
export type ProbeOutput = z.infer<typeof probeOutputSchema>;

/**
 * Containers that are lists of other files, programs, or drawn text: opening them as media would show something else, files of
 * this machine among it.
 */
const NOT_MEDIA_CONTAINERS = new Set(
  'tty hls applehttp concat sdp rtsp rtp dash imf webm_dash_manifest avisynth vapoursynth lavfi vobsub svg_pipe lrc txt'.split(
    ' ',
  ),
);
/** Brands of HEIF stills, which hold one picture as many tiles; ffmpeg before 7.1 would show a single tile. */
const HEIF_BRANDS = new Set(['heic', 'heix', 'heim', 'heis', 'mif1', 'msf1']);
/** Rates outside are time bases taken for rates. */
const FRAME_RATE_LIMITS = { min: 1, max: 240 };

function toNumber(text: string | number | undefined): number | null {
  const value = Number(text ?? Number.NaN);
  return Number.isFinite(value) ? value : null;
}

/** Value of a fraction such as `30000/1001` or `16:15`; null when it has none. */
export function fractionValue(text: string | null | undefined): number | null {
  const match = /^(\d+)(?:[/:](\d+))?$/.exec(text ?? '');
  if (!match) return null;
  const value = Number(match[1]) / Number(match[2] ?? 1);
  return Number.isFinite(value) && value > 0 ? value : null;
}

function usableRate(text: string | undefined): number | null {
  const value = fractionValue(text);
  return value !== null && value >= FRAME_RATE_LIMITS.min && value <= FRAME_RATE_LIMITS.max ? value : null;
}

/** Whole, or whole over 1.001: what cameras make; an average of uneven distances is neither but by chance. */
function isEven(rate: number): boolean {
  const isWhole = (value: number) => Math.abs(value - Math.round(value)) < 0.0005;
  return isWhole(rate) || isWhole(rate * 1.001);
}

/**
 * The average rate, or the nominal one where it is the same but for rounding; `25/1` becomes `25`. The rates of interlaced
 * pictures differ by 2 when one of them counts fields: that is no variable rate.
 */
function frameRateOf(stream: Stream): { frameRate: string | null; isVariableRate: boolean } {
  const average = usableRate(stream.avg_frame_rate);
  const nominal = usableRate(stream.r_frame_rate);
  const isNear = (one: number, other: number) => Math.abs(one - other) / other < 0.01;
  const inShort = (text: string | undefined) => (text ?? '').replace(/\/1$/, '');
  if (nominal !== null && (average === null || isNear(average, nominal))) {
    return { frameRate: inShort(stream.r_frame_rate), isVariableRate: false };
  }
  if (average === null) return { frameRate: null, isVariableRate: false };
  const isSteady = nominal === null ? isEven(average) : isNear(average * 2, nominal);
  return { frameRate: inShort(stream.avg_frame_rate), isVariableRate: !isSteady };
}

/** ffprobe's words for what it does not know. */
function said(text: string | number | undefined): string | null {
  const word = String(text ?? '');
  return ['', 'unknown', 'unspecified', 'reserved', 'N/A'].includes(word) ? null : word;
}

/** ffprobe tells the turn of the display matrix (anti-clockwise) or, older, a `rotate` tag (clockwise). */
function rotationOf(stream: Stream): number {
  const matrix = stream.side_data_list?.find((entry) => entry.rotation !== undefined)?.rotation;
  const clockwise = matrix === undefined ? (toNumber(stream.tags?.rotate) ?? 0) : -matrix;
  // Of a matrix that is no turn ffprobe prints whatever its number overflows to.
  if (Math.abs(clockwise) > 360) return 0;
  return (((Math.round(clockwise / 90) * 90) % 360) + 360) % 360;
}

const TIME_CODE = /^\d{2}:\d{2}:\d{2}[:;.]\d{2,3}$/;

/** A start time code may stand on the picture, on a track of its own, or on the container; what is none is passed over. */
function startTimeCodeOf(stream: Stream, output: ProbeOutput): string | null {
  const tags = [stream.tags, ...output.streams.map((other) => other.tags), output.format.tags];
  return tags.map((tag) => tag?.timecode).find((text) => text !== undefined && TIME_CODE.test(text)) ?? null;
}

function videoTrack(stream: Stream, output: ProbeOutput): VideoTrack {
  const startTimeCode = startTimeCodeOf(stream, output);
  return {
    streamIndex: stream.index,
    codec: stream.codec_name ?? 'unknown',
    codecProfile: said(stream.profile),
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    pixelAspect: fractionValue(stream.sample_aspect_ratio) ?? 1,
    rotation: rotationOf(stream),
    ...frameRateOf(stream),
    pixelFormat: stream.pix_fmt ?? null,
    colour: {
      transfer: said(stream.color_transfer),
      primaries: said(stream.color_primaries),
      matrix: said(stream.color_space),
      range: said(stream.color_range),
    },
    fieldOrder: stream.field_order && stream.field_order !== 'unknown' ? stream.field_order : null,
    bitRate: toNumber(stream.bit_rate),
    startTimeCode,
    isDropFrame: /[;.]/.test(startTimeCode ?? ''),
  };
}

function audioTrack(stream: Stream): AudioTrack {
  return {
    streamIndex: stream.index,
    codec: stream.codec_name ?? 'unknown',
    channels: stream.channels ?? 0,
    channelLayout: said(stream.channel_layout),
    sampleRate: toNumber(stream.sample_rate),
    bitRate: toNumber(stream.bit_rate),
  };
}

/** A still is what a picture reader opened, or a moving-picture format that holds one frame and no sound. */
function isStill(container: string, stream: Stream, hasAudio: boolean): boolean {
  if (hasAudio) return false;
  if (container === 'image2' || container.endsWith('_pipe')) return true;
  return ['gif', 'apng', 'webp', 'av1'].includes(stream.codec_name ?? '') && toNumber(stream.nb_frames) === 1;
}

/** Media info of parsed ffprobe output. Cover art of audio files is not a picture of its own; data tracks are ignored. */
export function mediaInfoOf(output: ProbeOutput): MediaInfo {
  const container = output.format.format_name;
  const isHeif = HEIF_BRANDS.has(output.format.tags?.major_brand?.trim() ?? '');
  const isForeign = NOT_MEDIA_CONTAINERS.has(container) || isHeif;
  const pictures = output.streams.filter(
    (stream) => stream.codec_type === 'video' && stream.disposition?.attached_pic !== 1 && (stream.width ?? 0) > 0,
  );
  const audio = output.streams.filter((stream) => stream.codec_type === 'audio' && (stream.channels ?? 0) > 0);
  const picture = isForeign ? undefined : pictures[0];
  const still = picture !== undefined && isStill(container, picture, audio.length > 0);
  const withSound = isForeign ? [] : audio.map(audioTrack);
  const moving = picture ? 'video' : withSound.length > 0 ? 'audio' : 'none';
  return {
    kind: still ? 'image' : moving,
    container,
    confidence: output.format.probe_score,
    durationSeconds: still ? null : (toNumber(output.format.duration) ?? toNumber(picture?.duration)),
    bitRate: still ? null : toNumber(output.format.bit_rate),
    video: picture ? videoTrack(picture, output) : null,
    audio: withSound,
    ...(isHeif ? { isHeif } : {}),
  };
}
