import type { VideoTrack } from './media-info.ts';

/** How HDR is brought to SDR, by iconik's words and ranges (reference A.7). */
export interface ToneMapping {
  /** -1–1, 0 = as it is. */
  brightness: number;
  /** 0–2, 1 = as it is. */
  contrast: number;
  /** 0–10, 1 = as it is. */
  gamma: number;
  /** 0–3, 1 = as it is. */
  saturation: number;
  /** 0–100: how much colour bright parts lose; 0 = none. */
  desaturation: number;
  /** 0–1000: brightest value of the original over white; 0 = what the file says, else ffmpeg's own guess. */
  peak: number;
}

/** What holds without a transcoder's word: no colour is taken from bright parts, which makes skies and lamps grey. */
export const DEFAULT_TONE_MAPPING: ToneMapping = {
  brightness: 0,
  contrast: 1,
  gamma: 1,
  saturation: 1,
  desaturation: 0,
  peak: 0,
};

/** What keeps a picture from being plain SDR: `pq` and `hlg` are HDR, `wide` is SDR with colours no web player shows. */
export type ColourKind = 'sdr' | 'wide' | 'pq' | 'hlg';

/** Which kind a picture is, by what its file says. */
export function colourKindOf({ colour }: Pick<VideoTrack, 'colour'>): ColourKind {
  if (colour.transfer === 'smpte2084') return 'pq';
  if (colour.transfer === 'arib-std-b67') return 'hlg';
  return colour.primaries === 'bt2020' ? 'wide' : 'sdr';
}

/** White of SDR in candela per square metre, to which brightness is counted. */
const WHITE = 100;
/** ffmpeg's smallest gamma; iconik allows 0, which would divide by it. */
const SMALLEST_GAMMA = 0.1;

/** What comes in, said outright: a file that leaves out one of the four makes the filter refuse it otherwise. */
function inputColour(track: VideoTrack, kind: ColourKind): string {
  const transfer = { pq: 'smpte2084', hlg: 'arib-std-b67', wide: '2020_10', sdr: '709' }[kind];
  const isRgb = /^(?:gbr|rgb|bgr|0rgb|argb)/.test(track.pixelFormat ?? '');
  const matrix = isRgb ? 'gbr' : track.colour.matrix === 'bt2020c' ? '2020_cl' : '2020_ncl';
  const range = isRgb || track.colour.range === 'pc' ? 'full' : 'limited';
  return `tin=${transfer}:pin=2020:min=${matrix}:rin=${range}`;
}

const OUTPUT = 't=709:m=709:r=limited';

function adjustments({ brightness, contrast, gamma, saturation }: ToneMapping): string[] {
  if (brightness === 0 && contrast === 1 && gamma === 1 && saturation === 1) return [];
  const inLimits = Math.max(SMALLEST_GAMMA, gamma);
  return [`eq=brightness=${brightness}:contrast=${contrast}:gamma=${inLimits}:saturation=${saturation}`];
}

/**
 * Filters that turn HDR or BT.2020 into BT.709; none for SDR. Linear light, then the colours, then brightness: any other
 * order shifts hues. Needs ffmpeg's `zscale` and `tonemap`.
 */
export function toneMappingFilters(track: VideoTrack, mapping: ToneMapping): string[] {
  const kind = colourKindOf(track);
  if (kind === 'sdr') return [];
  const input = inputColour(track, kind);
  if (kind === 'wide') return [`zscale=${input}:p=709:${OUTPUT}`, 'format=yuv420p'];
  const { desaturation, peak } = mapping;
  return [
    `zscale=${input}:t=linear:npl=${WHITE}`,
    'format=gbrpf32le',
    'zscale=p=709',
    `tonemap=tonemap=hable:desat=${desaturation}${peak > 0 ? `:peak=${peak}` : ''}`,
    `zscale=${OUTPUT}`,
    'format=yuv420p',
    ...adjustments(mapping),
  ];
}
