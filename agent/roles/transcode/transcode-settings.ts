import { z } from 'zod';
import type { Transcoder } from '../../iconik/api.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ProxySettings, Scaler } from './ffmpeg/rendition-plan.ts';

/** The type whose settings are for stills. */
const STILLS = 'IMAGEMAGICK';
/** Types whose settings are for the web proxy that this role makes; all others describe programs of their own. */
const OURS = new Set(['FFMPEG', 'ICONIK_EDGE_TRANSCODER']);

/** iconik does not publish the values of `scaling_method`; ffmpeg's words are understood, in any case of letters. */
const SCALERS: readonly Scaler[] = ['fast_bilinear', 'bilinear', 'bicubic', 'area', 'lanczos', 'spline', 'neighbor'];

/** iconik publishes no unit of the bit rates; below this many bits per second they can only be kilobits. */
const SMALLEST_RATE = 10_000;
const AUDIO_RATES = { min: 32_000, max: 512_000 };

const rate = z
  .number()
  .positive()
  .transform((value) => Math.round(value < SMALLEST_RATE ? value * 1_000 : value));
const within = (min: number, max: number) => z.number().min(min).max(max);

/** The settings that count, with iconik's ranges (reference A.7, A2.2). */
const HONOURED = {
  bitrate: rate,
  audio_bitrate: rate.transform((value) => Math.min(AUDIO_RATES.max, Math.max(AUDIO_RATES.min, value))),
  width: z.int().min(2).max(16_000),
  scaling_method: z.string().toLowerCase().pipe(z.enum(SCALERS)),
  hdr_brightness: within(-1, 1),
  hdr_contrast: within(0, 2),
  hdr_gamma: within(0, 10),
  hdr_saturation: within(0, 3),
  hdr_tonemap_desat: within(0, 100),
  hdr_tonemap_peak: within(0, 1_000),
  enable_multi_channel_audio: z.boolean(),
  merge_multichannel_audio_tracks: z.boolean(),
} as const;
/** Those of IMAGEMAGICK. */
const HONOURED_OF_STILLS = { width: z.int().min(1).max(16_000), height: z.int().min(1).max(16_000) } as const;
type HonouredOfStills = { [Name in keyof typeof HONOURED_OF_STILLS]?: number };
type Honoured = { [Name in keyof typeof HONOURED]?: z.output<(typeof HONOURED)[Name]> };

/** Settings without effect, and why. */
const IDLE: Readonly<Record<string, string>> = {
  overlay_url: 'overlays are not drawn, since the form of their coordinates is not published',
  data: 'free options are not passed on, since whoever edits a transcoder could read any file of this machine with them',
};

const isSaid = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

/** What a transcoder says, value by value; what is out of its range is left out and told. */
function readChoices<Choices>(
  said: Readonly<Record<string, unknown>>,
  honoured: Readonly<Record<string, z.ZodType>>,
): { choices: Choices; remarks: string[] } {
  const choices: Record<string, unknown> = {};
  const remarks: string[] = [];
  for (const [name, schema] of Object.entries(honoured)) {
    if (!isSaid(said[name])) continue;
    const parsed = schema.safeParse(said[name]);
    if (parsed.success) choices[name] = parsed.data;
    else remarks.push(`${name} is not a value that this node knows, so it has no effect`);
  }
  for (const [name, why] of Object.entries(IDLE)) if (isSaid(said[name])) remarks.push(`${name} has no effect: ${why}`);
  return { choices: choices as Choices, remarks };
}

/** config.ini's settings with stills no larger than an ImageMagick transcoder says. */
function withStills(config: ProxySettings, said: Readonly<Record<string, unknown>>) {
  const { choices, remarks } = readChoices<HonouredOfStills>(said, HONOURED_OF_STILLS);
  const { width, height } = config.imageBox;
  const imageBox = {
    width: Math.min(width, choices.width ?? width),
    height: Math.min(height, choices.height ?? height),
  };
  return { settings: { ...config, imageBox }, remarks };
}

/**
 * The settings of a job: config.ini's, narrowed by the transcoder's. config.ini states maxima of picture and bit rate
 * (reference A.3), so a transcoder can stay below them but not exceed them. Pure.
 */
export function settingsWith(
  config: ProxySettings,
  transcoder: Transcoder | null,
): { settings: ProxySettings; remarks: string[] } {
  if (transcoder?.type === STILLS) return withStills(config, { ...transcoder.settings });
  if (transcoder === null || !OURS.has(transcoder.type)) return { settings: config, remarks: [] };
  const { choices, remarks } = readChoices<Honoured>({ ...transcoder.settings }, HONOURED);
  const { videoBox, sound, toneMapping: tone } = config;
  const settings: ProxySettings = {
    ...config,
    videoBox: { ...videoBox, width: Math.min(videoBox.width, choices.width ?? videoBox.width) },
    videoBitRate: Math.min(config.videoBitRate, choices.bitrate ?? config.videoBitRate),
    scaler: choices.scaling_method ?? config.scaler,
    sound: {
      audioBitRate: choices.audio_bitrate ?? sound.audioBitRate,
      keepChannels: choices.enable_multi_channel_audio ?? sound.keepChannels,
      mergeTracks: choices.merge_multichannel_audio_tracks ?? sound.mergeTracks,
    },
    toneMapping: {
      brightness: choices.hdr_brightness ?? tone.brightness,
      contrast: choices.hdr_contrast ?? tone.contrast,
      gamma: choices.hdr_gamma ?? tone.gamma,
      saturation: choices.hdr_saturation ?? tone.saturation,
      desaturation: choices.hdr_tonemap_desat ?? tone.desaturation,
      peak: choices.hdr_tonemap_peak ?? tone.peak,
    },
  };
  return { settings, remarks };
}

/** What finding the settings of jobs needs. */
export interface TranscodeSettingsDeps {
  /** What config.ini says now. */
  ofConfig: () => ProxySettings;
  transcoders: {
    ofFile(file: { storageId: string; path: string }, signal: AbortSignal): Promise<Transcoder | null>;
  };
  log: Logger;
}

/** Settings by file: those of the transcoder that takes it. What has no effect is said once for each transcoder. */
export function createTranscodeSettings({ ofConfig, transcoders, log }: TranscodeSettingsDeps) {
  const said = new Map<string, string>();
  return async (file: { storageId: string; path: string }, signal: AbortSignal): Promise<ProxySettings> => {
    const transcoder = await transcoders.ofFile(file, signal);
    const { settings, remarks } = settingsWith(ofConfig(), transcoder);
    const words = remarks.join('; ');
    if (transcoder && (said.get(transcoder.id) ?? '') !== words) {
      said.set(transcoder.id, words);
      if (words !== '')
        log.warn(`Settings of the transcoder "${transcoder.name}": ${words}`, { transcoderId: transcoder.id });
    }
    return settings;
  };
}
