import { extname, join } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import { firstPageOfPdf, officeToPdf } from './documents/first-page.ts';
import type { Ffmpeg } from './ffmpeg/ffmpeg.ts';
import type { MediaInfo, Size } from './ffmpeg/media-info.ts';
import type { MediaSource } from './ffmpeg/rendition.ts';
import { promiseOfName } from './media-names.ts';
import { linkPrivately, pathBytes } from './private-link.ts';
import {
  type ConvertedStill,
  convertByDcraw,
  convertByHeif,
  convertByMagick,
  type LinkedOriginal,
} from './stills/convert-still.ts';
import { type ProbeVerdict, type Route, routeByName, routeOf } from './stills/still-route-plan.ts';
import { type FoundTool, type ToolKind, type Tools, wordsForLack } from './tools/find-tools.ts';
import type { ToolRuntime } from './tools/run-tool.ts';

/** What renditions are made of, or why nothing is made of the original. */
export type Prepared =
  | {
      kind: 'ready';
      /** What ffmpeg reads: the original, or a picture made of it. */
      source: MediaSource;
      /** What iconik is told about the original. */
      described: MediaInfo;
      /** Shown on the iconik job beside what was made. */
      warning?: string;
    }
  /** `warning` is shown on the iconik job; without it the file is simply none of ours. */
  | { kind: 'skipped'; why: string; warning?: string };

/** What preparing needs beside the original. */
export interface PrepareOptions extends ToolRuntime {
  ffmpeg: Ffmpeg;
  tools: Tools;
  /** `image-proxy-resolution`: nothing is converted larger. */
  box: Size;
}

/** ffprobe sees sound in random bytes; this score and below means that it would like to see more. */
const GUESS = 25;

type ConvertRoute = Extract<Route, { kind: 'convert' }>;

/**
 * ffprobe's view. Names that are no text are opened through a link in the job's folder: their path as text is not theirs.
 */
async function probe(path: string, options: PrepareOptions): Promise<{ at: string; verdict: ProbeVerdict }> {
  const { ffmpeg, signal } = options;
  try {
    return { at: path, verdict: { kind: 'read', info: await ffmpeg.probeMedia(path, signal) } };
  } catch (thrown) {
    if (!(thrown instanceof IsgError)) throw thrown;
    if (thrown.code === 'media-unreadable')
      return { at: path, verdict: { kind: 'unreadable', reason: thrown.message } };
    const bytes = pathBytes(path);
    if (thrown.code !== 'file-not-found' || typeof bytes === 'string') throw thrown;
    const link = join(options.dir, `odd-name${safeExtension(path)}`);
    await linkPrivately(bytes, link);
    return await probe(link, options);
  }
}

/** The extension when it is plain; programs go by it, and nothing else of a name reaches them. */
function safeExtension(path: string): string {
  const extension = extname(path).toLowerCase();
  return /^\.[a-z0-9]{1,8}$/.test(extension) ? extension : '';
}

async function linkOriginal(path: string, dir: string): Promise<LinkedOriginal> {
  const name = `original${safeExtension(path)}`;
  await linkPrivately(path, join(dir, name));
  return { name, path };
}

function firstTool(kinds: readonly ToolKind[], tools: Tools): { kind: ToolKind; tool: FoundTool } | null {
  for (const kind of kinds) {
    const tool = tools[kind];
    if (tool) return { kind, tool };
  }
  return null;
}

async function convert(
  route: ConvertRoute,
  chosen: { kind: ToolKind; tool: FoundTool },
  path: string,
  options: PrepareOptions,
): Promise<ConvertedStill> {
  const original = await linkOriginal(path, options.dir);
  const { kind, tool } = chosen;
  switch (kind) {
    case 'imagemagick':
      return await convertByMagick(options, tool, original, { coder: route.coder, box: options.box });
    case 'heif':
      return await convertByHeif(options, tool, original);
    case 'raw':
      return await convertByDcraw(options, tool, original);
    case 'pdf':
      return await firstPageOfPdf(options, tool, original, options.box);
    case 'office': {
      const pdf = options.tools.pdf;
      if (!pdf) throw new IsgError('ffmpeg-missing', wordsForLack('A page', ['pdf']), { retry: 'transient' });
      return await firstPageOfPdf(options, pdf, await officeToPdf(options, tool, original), options.box);
    }
    default:
      return kind satisfies never;
  }
}

/** The original as iconik is told of it: a still of its own kind and size, whatever picture was made of it. */
function describedAs(path: string, made: MediaInfo, converted: ConvertedStill): MediaInfo {
  const name = safeExtension(path).slice(1) || 'image';
  const size = converted.originalSize ?? {};
  const video = made.video ? { ...made.video, codec: name, rotation: 0, ...size } : null;
  return { ...made, container: name, bitRate: null, video };
}

async function prepareConverted(route: ConvertRoute, path: string, options: PrepareOptions): Promise<Prepared> {
  const { tools } = options;
  const lacksPdf = route.by.includes('office') && tools.pdf === null;
  const chosen = lacksPdf ? null : firstTool(route.by, tools);
  if (!chosen) {
    if (route.fallback) return { kind: 'ready', source: { path, info: route.fallback }, described: route.fallback };
    const needed = route.by.includes('office') ? (['office', 'pdf'] as const).filter((kind) => !tools[kind]) : route.by;
    return { kind: 'skipped', why: 'no tool', warning: wordsForLack(route.what, needed) };
  }
  const converted = await convert(route, chosen, path, options);
  const info = await options.ffmpeg.probeMedia(converted.path, options.signal);
  return { kind: 'ready', source: { path: converted.path, info }, described: describedAs(path, info, converted) };
}

/** Whether the name alone says that nobody watches it. */
export function isForeignByName(path: string): boolean {
  return promiseOfName(path) === 'document' && routeByName(path) === null;
}

function isGuess(path: string, info: MediaInfo): boolean {
  return info.confidence <= GUESS && promiseOfName(path) === 'unknown';
}

/**
 * Finds out who reads the original at an absolute path, and has it read: ffmpeg as it is, other tools by way of a picture in
 * the job's folder. Throws `media-unreadable` (permanent) for what is damaged, and the transient errors of the programs.
 */
export async function prepareSource(path: string, options: PrepareOptions): Promise<Prepared> {
  const byName = routeByName(path);
  if (byName?.kind === 'convert') {
    // ffprobe's view of a document counts for nothing; it only tells whether the name is to be taken for bytes.
    const at = typeof pathBytes(path) === 'string' ? path : (await probe(path, options)).at;
    return await prepareConverted(byName, at, options);
  }
  if (isForeignByName(path)) return { kind: 'skipped', why: 'not media' };
  const { at, verdict } = await probe(path, options);
  if (verdict.kind === 'read' && isGuess(path, verdict.info)) return { kind: 'skipped', why: 'not media' };
  const route = routeOf(path, verdict);
  switch (route.kind) {
    case 'ffmpeg':
      return { kind: 'ready', source: { path: at, info: route.info }, described: route.info };
    case 'convert':
      return await prepareConverted(route, at, options);
    case 'passed-over':
      return { kind: 'skipped', why: 'no tool', warning: route.warning };
    case 'not-media':
      return { kind: 'skipped', why: 'not media' };
    case 'unreadable': {
      if (promiseOfName(path) === 'unknown') return { kind: 'skipped', why: 'not media' };
      const reason = verdict.kind === 'unreadable' ? verdict.reason : 'ffmpeg cannot read this file.';
      throw new IsgError('media-unreadable', reason, { retry: 'permanent', fields: { path } });
    }
    default:
      return route satisfies never;
  }
}
