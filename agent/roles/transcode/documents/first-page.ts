import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Size } from '../ffmpeg/media-info.ts';
import type { ConvertedStill, LinkedOriginal } from '../stills/convert-still.ts';
import type { FoundTool } from '../tools/find-tools.ts';
import { runTool, type ToolRuntime, unreadableBy } from '../tools/run-tool.ts';
import { officeSettings } from './office-settings.ts';

/** First page of a PDF, its longer side as long as the shorter one of `box`, so that it fits whichever way it stands. */
export async function firstPageOfPdf(
  runtime: ToolRuntime,
  tool: FoundTool,
  original: LinkedOriginal,
  box: Size,
): Promise<ConvertedStill> {
  const scale = String(Math.min(box.width, box.height));
  const args = ['-png', '-singlefile', '-f', '1', '-l', '1', '-cropbox', '-scale-to', scale, original.name, 'page'];
  await runTool(runtime, { tool, args, path: original.path });
  const pages = (await readdir(runtime.dir)).filter((name) => name === 'page.png');
  if (pages.length === 0) throw unreadableBy(tool.name, 'it has no first page', original.path);
  return { path: join(runtime.dir, 'page.png'), originalSize: null };
}

/**
 * An Office document as PDF, by a LibreOffice of this job's own: its profile lies in the job's folder, forbids macros, links to
 * other files and addresses, and lock files beside the original.
 */
export async function officeToPdf(
  runtime: ToolRuntime,
  tool: FoundTool,
  original: LinkedOriginal,
): Promise<LinkedOriginal> {
  const profile = join(runtime.dir, 'profile');
  await mkdir(join(profile, 'user'), { recursive: true });
  await writeFile(join(profile, 'user', 'registrymodifications.xcu'), officeSettings());
  const quiet = ['--headless', '--invisible', '--norestore', '--nologo', '--nodefault', '--nolockcheck'];
  const args = [`-env:UserInstallation=${pathToFileURL(profile).href}`, ...quiet];
  const convert = ['--convert-to', 'pdf', '--outdir', 'pdf', original.name];
  const lines = await runTool(runtime, { tool, args: [...args, ...convert], path: original.path });
  // LibreOffice exits with 0 also for what it could not load.
  const made = (await readdir(join(runtime.dir, 'pdf')).catch(() => [])).find((name) => name.endsWith('.pdf'));
  if (made === undefined) {
    throw unreadableBy('LibreOffice', lines.at(-1) ?? 'it made no page of it', original.path);
  }
  return { name: join('pdf', made), path: original.path };
}
