import { makeScrubSheet } from '../scrub-sheet/make-scrub-sheet.ts';
import { createEncoderChoice } from './encoder-choice.ts';
import { type FfmpegRuntime, runFfmpeg } from './ffmpeg-command.ts';
import { ffmpegError } from './ffmpeg-errors.ts';
import type { FfmpegPrograms } from './find-ffmpeg.ts';
import { makeProxy } from './make-proxy.ts';
import type { MediaInfo, Size } from './media-info.ts';
import { type ProbeRuntime, probeMedia } from './probe-media.ts';
import {
  type MakeOptions,
  type MediaSource,
  nothingDecoded,
  type Rendition,
  type RunFfmpeg,
  type TakenPicture,
} from './rendition.ts';
import { keyframeTimes, type ProxySettings, posterTime } from './rendition-plan.ts';
import { type ChildWatch, runProgram } from './run-program.ts';
import { takePictures } from './take-pictures.ts';
import { type HardwareWish, trialArguments, type VideoEncoder } from './video-encoder.ts';

/**
 * ffmpeg as the transcode role uses it. Everything made is written beside its place as `*.part` and renamed when
 * complete. Errors: `media-unreadable` (permanent), `ffmpeg-missing`, `ffmpeg-failed`, `disk-full`, `storage-unavailable`,
 * `file-not-found`, `file-unreadable` (transient), and the reason of the signal.
 */
export interface Ffmpeg {
  probeMedia(path: string, signal: AbortSignal): Promise<MediaInfo>;
  /** Video → MP4 (H.264, AAC); audio → MP4 with AAC only; still → JPEG. The kind is `source.info.kind`. */
  makeProxy(source: MediaSource, path: string, settings: ProxySettings, options: MakeOptions): Promise<Rendition>;
  /** A JPEG from a tenth into the clip, the first frame when there is none, or the still itself. */
  makePoster(source: MediaSource, path: string, box: Size, options: MakeOptions): Promise<TakenPicture>;
  /** JPEGs at even distances; `pathOf` names the n-th (from 1). Frames that cannot be read are left out. */
  makeKeyframes(
    source: MediaSource,
    pathOf: (number: number) => string,
    box: Size,
    options: MakeOptions,
  ): Promise<TakenPicture[]>;
  /** The scrub sheet of a clip, one JPEG of tiles; null when it is too short for one, or no picture of it can be read. */
  makeScrubSheet(source: MediaSource, path: string, options: MakeOptions): Promise<TakenPicture | null>;
  /** A clip of one second made of nothing; throws when this ffmpeg cannot encode, or not there. */
  makeTestClip(path: string, signal: AbortSignal): Promise<void>;
}

/** What `createFfmpeg` needs. */
export interface FfmpegDeps {
  programs: FfmpegPrograms;
  guard: ChildWatch;
  /** Shortest stall window; default 2 minutes. Longer for long clips: moving the index to the front reports nothing. */
  stallMs?: number;
  /** Longest that one run may take, milliseconds; default by the length of the clip. */
  limitMs?: number;
  /** `hardware-encoding` of config.ini; default `off`. */
  hardwareEncoding?: HardwareWish;
  /** Longest that ffprobe may look at a file; default 1 minute. */
  probeTimeoutMs?: number;
}

const STALL_MS = 120_000;
const PROBE_TIMEOUT_MS = 60_000;
/** Stall window per second of clip: 10 hours of video wait 12 minutes for the last pass. */
const STALL_MS_PER_SECOND = 20;
/** A header can claim any length: what it claims beyond this gives no more time. */
const LONGEST_CLIP_SECONDS = 24 * 3_600;
/** Longest run: ten minutes and twenty times the length of the clip, for slow machines beside other work. */
const LIMIT_MS = 600_000;
const LIMIT_MS_PER_SECOND = 20_000;

const TEST_CLIP =
  '-hide_banner -nostdin -loglevel error -y -f lavfi -i testsrc=size=320x180:rate=25:duration=1 -c:v libx264 -preset veryfast -pix_fmt yuv420p'.split(
    ' ',
  );

/** A driver that takes longer for one frame hangs. */
const TRIAL_MS = 15_000;

/** Whether one frame comes out of an encoder. Not bound to a job: its answer is for all. */
async function tryEncoder({ programs, guard }: FfmpegDeps, encoder: VideoEncoder): Promise<boolean> {
  const signal = new AbortController().signal;
  const args = trialArguments(encoder);
  try {
    const end = await runProgram({ program: programs.ffmpeg.path, args, guard, signal, stallMs: TRIAL_MS });
    return end.exitCode === 0;
  } catch {
    // Ignored because the trial only answers yes or no; what is wrong with ffmpeg itself shows in the next real run.
    return false;
  }
}

/** Binds the programs. One instance serves any number of jobs at once. */
export function createFfmpeg(deps: FfmpegDeps): Ffmpeg {
  const { programs, guard } = deps;
  const probe: ProbeRuntime = {
    program: programs.ffprobe.path,
    guard,
    timeoutMs: deps.probeTimeoutMs ?? PROBE_TIMEOUT_MS,
  };
  const encoders = createEncoderChoice({
    wish: deps.hardwareEncoding ?? 'off',
    platform: process.platform,
    trial: (encoder) => tryEncoder(deps, encoder),
  });
  const runFor = (source: MediaSource): RunFfmpeg => {
    const seconds = Math.min(source.info.durationSeconds ?? LONGEST_CLIP_SECONDS, LONGEST_CLIP_SECONDS);
    const byLength = source.info.durationSeconds === null ? 0 : seconds * STALL_MS_PER_SECOND;
    const isStill = source.info.kind === 'image';
    const runtime: FfmpegRuntime = {
      program: programs.ffmpeg.path,
      guard,
      stallMs: Math.max(deps.stallMs ?? STALL_MS, byLength),
      limitMs: deps.limitMs ?? LIMIT_MS + (isStill ? 0 : seconds * LIMIT_MS_PER_SECOND),
    };
    return (command) => runFfmpeg(runtime, command);
  };
  const mappable = (source: MediaSource): MediaSource =>
    programs.canToneMap ? source : { ...source, toneMapping: null };
  /** A still turned by its own notes has a size that only the result tells. */
  const sizeOfStill = async (path: string, signal: AbortSignal): Promise<Size> => {
    const { video } = await probeMedia(probe, path, signal);
    return { width: video?.width ?? 0, height: video?.height ?? 0 };
  };
  return {
    probeMedia: (path, signal) => probeMedia(probe, path, signal),
    makeProxy: (source, path, settings, options) =>
      makeProxy(
        {
          run: runFor(source),
          probe: (made) => probeMedia(probe, made, options.signal),
          encoders,
          canToneMap: programs.canToneMap,
        },
        { source, path, settings, options },
      ),
    async makePoster(source, path, box, options) {
      const isClip = source.info.kind === 'video';
      const attempts = isClip ? [posterTime(source.info.durationSeconds), 0] : [0];
      const complaints: string[] = [];
      for (const seconds of attempts) {
        const taken = await takePictures(runFor(source), {
          source: mappable(source),
          wanted: [{ seconds, path }],
          box,
          options,
        });
        const [picture] = taken.pictures;
        if (picture) return isClip ? picture : { ...picture, size: await sizeOfStill(picture.path, options.signal) };
        complaints.push(...taken.lines);
      }
      throw nothingDecoded(source, complaints);
    },
    async makeKeyframes(source, pathOf, box, options) {
      const wanted = keyframeTimes(source.info.durationSeconds).map((seconds, index) => ({
        seconds,
        path: pathOf(index + 1),
      }));
      return (await takePictures(runFor(source), { source: mappable(source), wanted, box, options })).pictures;
    },
    makeScrubSheet: (source, path, options) => makeScrubSheet(runFor(source), source, path, options),
    async makeTestClip(path, signal) {
      const stallMs = deps.stallMs ?? STALL_MS;
      const args = [...TEST_CLIP, `file:${path}`];
      const end = await runProgram({ program: programs.ffmpeg.path, args, guard, signal, stallMs });
      if (end.exitCode !== 0) throw ffmpegError({ program: 'ffmpeg', path, ...end });
    },
  };
}
