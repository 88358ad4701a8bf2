import { rename, rm } from 'node:fs/promises';
import { IsgError } from '../../../runtime/errors.ts';
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
import {
  audioOptions,
  audioSource,
  type ProxySettings,
  stillFilters,
  videoFilters,
  videoOptions,
} from './rendition-plan.ts';

/** A clip of which less than this share could be decoded, with complaints, is damaged; with more, what there is is shown. */
const HOLLOW = 0.1;
/** Strips what a phone writes (place, owner) and all tracks a player does not show. */
const NOTHING_ELSE = ['-map_metadata', '-1', '-map_chapters', '-1', '-dn', '-sn'];
/** The index in front, so that playing starts before the file is loaded. */
const MP4 = ['-movflags', '+faststart', '-write_tmcd', '0', '-f', 'mp4'];

/** Options of the proxy by kind: streams, filters, codecs, container. */
function proxyOutput(info: MediaInfo, settings: ProxySettings): { filterGraph: string | null; options: string[] } {
  const { video, audio } = info;
  if (info.kind === 'image' && video) {
    const still = ['-map', `0:${video.streamIndex}`, '-vf', stillFilters(video, settings.imageBox), '-q:v', '3'];
    return { filterGraph: null, options: [...still, '-map_metadata', '-1', ...JPEG_OUTPUT] };
  }
  const sound = audioSource(audio);
  const picture = video ? ['-map', `0:${video.streamIndex}`, '-vf', videoFilters(video, settings.videoBox)] : [];
  const options = [
    ...picture,
    ...(sound ? ['-map', sound.map] : []),
    ...(video ? videoOptions(video, settings) : []),
    ...audioOptions(audio),
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

/** Makes a proxy, looks into it with `probe`, and puts it into place. */
export async function makeProxy(
  run: RunFfmpeg,
  probe: (path: string) => Promise<MediaInfo>,
  order: ProxyOrder,
): Promise<Rendition> {
  const { source, path, options } = order;
  const part = `${path}.part`;
  const { filterGraph, options: outputOptions } = proxyOutput(source.info, order.settings);
  const lines = await run({
    inputs: [{ path: source.path, options: source.inputOptions ?? [] }],
    filterGraph,
    outputs: [{ path: part, options: outputOptions }],
    durationSeconds: source.info.durationSeconds,
    ...options,
  });
  try {
    const sizeBytes = await madeSize(part);
    if (sizeBytes === null) throw nothingDecoded(source, lines);
    const info = await probe(part);
    assertWorthShowing(info, source, lines);
    await rename(part, path);
    return { path, sizeBytes, info, complaint: quoteLines(lines, source.path) };
  } catch (thrown) {
    await rm(part, { force: true });
    const isUnreadable = thrown instanceof IsgError && thrown.code === 'media-unreadable';
    throw isUnreadable ? nothingDecoded(source, lines) : thrown;
  }
}
