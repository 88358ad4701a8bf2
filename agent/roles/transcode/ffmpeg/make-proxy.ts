import { rename, rm } from 'node:fs/promises';
import { type ErrorCode, IsgError } from '../../../runtime/errors.ts';
import { planSound, soundOptions } from './audio-plan.ts';
import type { EncoderChoice } from './encoder-choice.ts';
import { quoteLines } from './ffmpeg-errors.ts';
import type { MediaInfo } from './media-info.ts';
import {
  JPEG_OUTPUT,
  type MakeOptions,
  type MediaSource,
  madeSize,
  nothingDecoded,
  type Rendition,
  type RunFfmpeg,
} from './rendition.ts';
import { fitSize, type ProxySettings, stillFilters, videoFilters, videoOptions } from './rendition-plan.ts';
import { colourKindOf } from './tone-mapping.ts';
import type { VideoEncoder } from './video-encoder.ts';

/** A clip of which less than this share could be decoded, with complaints, is damaged; with more, what there is is shown. */
const HOLLOW = 0.1;
/** Strips what a phone writes (place, owner) and all tracks a player does not show. */
const NOTHING_ELSE = ['-map_metadata', '-1', '-map_chapters', '-1', '-dn', '-sn'];
/** The index in front, so that playing starts before the file is loaded. */
const MP4 = ['-movflags', '+faststart', '-write_tmcd', '0', '-f', 'mp4'];

/** What this machine and the program add to an order. */
interface Means {
  encoder: VideoEncoder;
  canToneMap: boolean;
}

/** Options of the proxy by kind: streams, filters, codecs, container. */
function proxyOutput(
  info: MediaInfo,
  settings: ProxySettings,
  { encoder, canToneMap }: Means,
): { filterGraph: string | null; options: string[] } {
  const { video, audio } = info;
  if (info.kind === 'image' && video) {
    const still = ['-map', `0:${video.streamIndex}`, '-vf', stillFilters(video, settings.imageBox), '-q:v', '3'];
    return { filterGraph: null, options: [...still, '-map_metadata', '-1', ...JPEG_OUTPUT] };
  }
  const sound = planSound(audio, settings.sound, info.durationSeconds);
  const choices = { scaler: settings.scaler, toneMapping: canToneMap ? settings.toneMapping : null };
  const options = [
    ...(video ? ['-map', `0:${video.streamIndex}`, '-vf', videoFilters(video, settings.videoBox, choices)] : []),
    ...(sound ? ['-map', sound.map] : []),
    ...(video ? videoOptions(video, settings, encoder) : []),
    ...(sound ? soundOptions(sound, settings.sound) : []),
    ...NOTHING_ELSE,
    ...MP4,
  ];
  return { filterGraph: sound?.filter ?? null, options };
}

/** Throws `media-unreadable` when what was made shows (nearly) nothing of the original. */
function assertWorthShowing(made: MediaInfo, source: MediaSource, lines: readonly string[]): void {
  const isHollow = lines.length > 0 && (made.durationSeconds ?? 0) < (source.info.durationSeconds ?? 0) * HOLLOW;
  if (made.kind === 'none' || (made.kind !== 'image' && isHollow)) throw nothingDecoded(source, lines);
}

/** What one proxy is made of. */
export interface ProxyOrder {
  source: MediaSource;
  /** Absolute path of the result. */
  path: string;
  settings: ProxySettings;
  options: MakeOptions;
}

/** What makes proxies. */
export interface ProxyMaker {
  run: RunFfmpeg;
  /** Looks into what was made. */
  probe(path: string): Promise<MediaInfo>;
  encoders: EncoderChoice;
  canToneMap: boolean;
}

/** Makes a proxy with one encoder, looks into it, and puts it into place. */
async function makeWith(maker: ProxyMaker, order: ProxyOrder, encoder: VideoEncoder): Promise<Rendition> {
  const { source, path, options } = order;
  const part = `${path}.part`;
  const { canToneMap } = maker;
  const { filterGraph, options: outputOptions } = proxyOutput(source.info, order.settings, { encoder, canToneMap });
  try {
    const lines = await maker.run({
      inputs: [{ path: source.path, options: source.inputOptions ?? [] }],
      filterGraph,
      outputs: [{ path: part, options: outputOptions }],
      durationSeconds: source.info.durationSeconds,
      ...options,
    });
    return await keepProxy(maker, order, { part, lines, encoder });
  } catch (thrown) {
    await rm(part, { force: true });
    throw thrown;
  }
}

async function keepProxy(
  maker: ProxyMaker,
  { source, path }: ProxyOrder,
  { part, lines, encoder }: { part: string; lines: string[]; encoder: VideoEncoder },
): Promise<Rendition> {
  const sizeBytes = await madeSize(part);
  if (sizeBytes === null) throw nothingDecoded(source, lines);
  const info = await maker.probe(part).catch((thrown: unknown) => {
    const isUnreadable = thrown instanceof IsgError && thrown.code === 'media-unreadable';
    throw isUnreadable ? nothingDecoded(source, lines) : thrown;
  });
  assertWorthShowing(info, source, lines);
  await rename(part, path);
  const made = { path, sizeBytes, info, complaint: quoteLines(lines, source.path) };
  return info.kind === 'video' ? { ...made, encoder } : made;
}

/** Said with the finished job when HDR could not be mapped. */
const FLAT =
  'This ffmpeg cannot turn HDR into SDR (it lacks zscale or tonemap): the proxy looks flat where a player does not know HDR';

/** Adds what was noticed to what ffmpeg said. */
function withRemark(made: Rendition, remark: string): Rendition {
  return remark === '' ? made : { ...made, complaint: [remark, made.complaint].filter(Boolean).join('; ') };
}

/** Errors that another encoder does not cure: the storage, the disk, the file's place. */
const NOT_OF_ENCODER: readonly ErrorCode[] = ['disk-full', 'storage-unavailable', 'file-not-found', 'file-unreadable'];

/**
 * Makes a proxy: with hardware where that is asked for and works, else in software. A hardware encode that fails midway is
 * made again in software at once, because graphics drivers refuse what another moment or another clip would allow.
 */
export async function makeProxy(maker: ProxyMaker, order: ProxyOrder): Promise<Rendition> {
  const { source, settings, options } = order;
  const { video, kind } = source.info;
  const isMoving = kind === 'video' && video !== null;
  const remark = isMoving && !maker.canToneMap && colourKindOf(video) !== 'sdr' ? FLAT : '';
  const encoder = isMoving ? await maker.encoders.choose(fitSize(video, settings.videoBox), options.signal) : 'libx264';
  if (encoder === 'libx264') return withRemark(await makeWith(maker, order, encoder), remark);
  try {
    const made = await makeWith(maker, order, encoder);
    maker.encoders.ended(true);
    return withRemark(made, remark);
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (!(thrown instanceof IsgError) || NOT_OF_ENCODER.includes(thrown.code)) throw thrown;
    const made = await makeWith(maker, order, 'libx264');
    // Counted only now: a clip that software cannot encode either says nothing about the hardware.
    maker.encoders.ended(false);
    const failure = `The hardware encoder ${encoder} failed, so the proxy was made in software (${thrown.message})`;
    return withRemark(withRemark(made, remark), failure);
  }
}
