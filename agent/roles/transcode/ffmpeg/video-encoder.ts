/** Ways to make H.264: the processor, or a part of the machine made for it. */
export type VideoEncoder = 'libx264' | 'h264_videotoolbox' | 'h264_nvenc' | 'h264_qsv';

/** Values of `hardware-encoding` in config.ini. */
export type HardwareWish = 'off' | 'auto' | 'videotoolbox' | 'nvenc' | 'qsv';

const BY_NAME = { videotoolbox: 'h264_videotoolbox', nvenc: 'h264_nvenc', qsv: 'h264_qsv' } as const;

/**
 * Hardware encoders worth a trial, best first: what is asked for, on `auto` what the platform can have. Graphics cards go
 * before processors' own units. Pure.
 */
export function hardwareCandidates(wish: HardwareWish, platform: NodeJS.Platform): VideoEncoder[] {
  if (wish === 'off') return [];
  if (wish !== 'auto') return [BY_NAME[wish]];
  return platform === 'darwin' ? ['h264_videotoolbox'] : ['h264_nvenc', 'h264_qsv'];
}

/** Hardware encoders refuse pictures with a side below this (NVENC: 145 wide). */
const SMALLEST_SIDE = 160;

/** Whether a picture of this size is given to hardware at all. */
export function suitsHardware(size: { width: number; height: number }): boolean {
  return Math.min(size.width, size.height) >= SMALLEST_SIDE;
}

/** What the encoder must keep to. */
export interface EncoderRates {
  /** Target, bits per second. */
  bitRate: number;
  /** Never more over one second. */
  ceiling: number;
  /** Frames from one whole picture to the next. */
  wholePictureFrames: number;
}

const PARTICULARS: Readonly<Record<VideoEncoder, readonly string[]>> = {
  libx264: ['-preset', 'veryfast', '-pix_fmt', 'yuv420p'],
  // Without leave to go on in software: ours is better, and its use is told.
  h264_videotoolbox: ['-allow_sw', '0', '-realtime', '0', '-pix_fmt', 'yuv420p'],
  // Names of presets changed over the years; what is left out has meant the same in all of them.
  h264_nvenc: ['-rc', 'vbr', '-pix_fmt', 'yuv420p'],
  h264_qsv: ['-preset', 'veryfast', '-look_ahead', '0', '-pix_fmt', 'nv12'],
};

/** Options of a H.264 picture that plays everywhere: 4:2:0, no B-frames, limited peaks (reference A.7). Pure. */
export function encoderOptions(encoder: VideoEncoder, rates: EncoderRates): string[] {
  const ceiling = String(rates.ceiling);
  const codec = ['-c:v', encoder, ...PARTICULARS[encoder], '-profile:v', 'high', '-bf', '0'];
  const amount = ['-b:v', String(rates.bitRate), '-maxrate', ceiling, '-bufsize', ceiling];
  return [...codec, ...amount, '-g', String(rates.wholePictureFrames)];
}

/** Command line of the trial: one frame, encoded as proxies are, and thrown away. */
export function trialArguments(encoder: VideoEncoder): string[] {
  const rates = { bitRate: 1_000_000, ceiling: 1_333_333, wholePictureFrames: 50 };
  const picture = ['-f', 'lavfi', '-i', 'color=size=640x360:rate=25:duration=1', '-frames:v', '1'];
  const quiet = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-y'];
  return [...quiet, ...picture, ...encoderOptions(encoder, rates), '-f', 'null', '-'];
}
