import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Size } from '../ffmpeg/media-info.ts';
import type { FoundTool } from '../tools/find-tools.ts';
import { runTool, type ToolRuntime, unreadableBy } from '../tools/run-tool.ts';

/** A picture that ffmpeg reads, made of one that it does not. */
export interface ConvertedStill {
  /** Absolute path, in the job's folder. */
  path: string;
  /** Size of the original; null = that of the converted picture. */
  originalSize: Size | null;
}

/** The original as tools see it: a link in the job's folder, by a name of ours. */
export interface LinkedOriginal {
  name: string;
  /** Path on the storage, for messages. */
  path: string;
}

function sizeIn(lines: readonly string[], pattern: RegExp): Size | null {
  for (const line of lines) {
    const match = pattern.exec(line);
    if (match) return { width: Number(match[1]), height: Number(match[2]) };
  }
  return null;
}

/** The first of the files that a tool may have written; some add numbers when a file holds several pictures. */
async function firstWritten(runtime: ToolRuntime, pattern: RegExp, tool: FoundTool, path: string): Promise<string> {
  const [name] = (await readdir(runtime.dir)).filter((entry) => pattern.test(entry)).toSorted();
  if (name === undefined) throw unreadableBy(tool.name, 'it wrote no picture', path);
  return join(runtime.dir, name);
}

/** By ImageMagick: upright, in sRGB, on white, within `box`, first picture only. The format is given, never guessed. */
export async function convertByMagick(
  runtime: ToolRuntime,
  tool: FoundTool,
  original: LinkedOriginal,
  to: { coder: string; box: Size },
): Promise<ConvertedStill> {
  const { width, height } = to.box;
  const args = [
    `${to.coder}:${original.name}[0]`,
    ...['-print', '%w %h\n', '-auto-orient', '-colorspace', 'sRGB', '-resize', `${width}x${height}>`],
    ...['-background', 'white', '-alpha', 'remove', '-alpha', 'off', '-strip', '-depth', '8', 'PNG24:converted.png'],
  ];
  const lines = await runTool(runtime, { tool, args, path: original.path });
  const path = await firstWritten(runtime, /^converted(?:-\d+)?\.png$/, tool, original.path);
  return { path, originalSize: sizeIn(lines, /^(\d+) (\d+)$/) };
}

/** By libheif: the primary picture, whole and turned upright. */
export async function convertByHeif(
  runtime: ToolRuntime,
  tool: FoundTool,
  original: LinkedOriginal,
): Promise<ConvertedStill> {
  await runTool(runtime, { tool, args: ['-q', '92', original.name, 'converted.jpg'], path: original.path });
  return { path: await firstWritten(runtime, /^converted(?:-\d+)?\.jpg$/, tool, original.path), originalSize: null };
}

/** By dcraw: developed with the camera's white balance at half size, which is quick and larger than any proxy. */
export async function convertByDcraw(
  runtime: ToolRuntime,
  tool: FoundTool,
  original: LinkedOriginal,
): Promise<ConvertedStill> {
  const facts = await runTool(runtime, { tool, args: ['-i', '-v', original.name], path: original.path });
  await runTool(runtime, { tool, args: ['-w', '-h', original.name], path: original.path });
  const path = await firstWritten(runtime, /\.(?:ppm|pgm)$/, tool, original.path);
  return { path, originalSize: sizeIn(facts, /^Output size:\s+(\d+) x (\d+)/) };
}
