import { access, constants, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { IsgError } from '../../../runtime/errors.ts';
import { packagedResources } from '../../../runtime/node-program.ts';
import { programMissing } from './ffmpeg-errors.ts';
import { createLineSplitter } from './output-tail.ts';
import { type ChildWatch, runProgram } from './run-program.ts';

/** A program that was found and answered. */
export interface FoundProgram {
  /** Absolute path. */
  path: string;
  version: string;
  /** `config`: a key of config.ini; `packaged`: beside the app; `path`: PATH; `npm`: the development package. */
  from: 'config' | 'packaged' | 'path' | 'npm';
}

/** Both programs. */
export interface FfmpegPrograms {
  ffmpeg: FoundProgram;
  ffprobe: FoundProgram;
  /** This ffmpeg has the filters that turn HDR into SDR; without them the colours stay as they are. */
  canToneMap: boolean;
}

/** Where to look. */
export interface FfmpegSearch {
  /** `ffmpeg-path` of config.ini; when set, nothing else is tried. */
  ffmpegPath?: string | undefined;
  /** `ffprobe-path` of config.ini. */
  ffprobePath?: string | undefined;
  /** Folder of the programs shipped with the app; absent = `ffmpeg` among its resources, if this is an installed one. */
  packagedDir?: string | null | undefined;
  /** Value of PATH; absent = this process's. */
  searchPath?: string | undefined;
  guard: ChildWatch;
  signal: AbortSignal;
}

/** A program that does not print its version in this time hangs. */
const ANSWER_MS = 10_000;
const NEEDED_ENCODERS = ['libx264', 'aac', 'mjpeg'];
const TONE_MAPPING_FILTERS = ['zscale', 'tonemap'];

type Name = 'ffmpeg' | 'ffprobe';

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Not there or not executable: both mean that it cannot be used.
    return false;
  }
}

/** The development packages export a path; on a platform without one the import throws. */
async function npmProgram(name: Name): Promise<string | null> {
  try {
    const found =
      name === 'ffmpeg' ? await import('@ffmpeg-installer/ffmpeg') : await import('@ffprobe-installer/ffprobe');
    return found.default.path;
  } catch {
    // Ignored because the packages are optional.
    return null;
  }
}

function shippedPrograms(): string | null {
  const resources = packagedResources();
  return resources === null ? null : join(resources, 'ffmpeg');
}

async function* candidates(
  name: Name,
  search: FfmpegSearch,
): AsyncGenerator<{ path: string; from: FoundProgram['from'] }> {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  const packaged = search.packagedDir === undefined ? shippedPrograms() : search.packagedDir;
  if (packaged !== null) yield { path: join(packaged, file), from: 'packaged' };
  for (const directory of (search.searchPath ?? process.env.PATH ?? '').split(delimiter)) {
    if (isAbsolute(directory)) yield { path: join(directory, file), from: 'path' };
  }
  const npm = await npmProgram(name);
  if (npm) yield { path: npm, from: 'npm' };
}

/** Output of a program that answers at once (`-version`, `-encoders`). Throws `ffmpeg-missing`. */
async function ask(path: string, args: readonly string[], search: FfmpegSearch): Promise<string[]> {
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => {
    if (lines.length < 2_000) lines.push(line);
  });
  const { guard, signal } = search;
  const end = await runProgram({
    program: path,
    args,
    guard,
    signal,
    stallMs: ANSWER_MS,
    onStdout: (chunk) => splitter.push(chunk),
  });
  splitter.end();
  if (end.exitCode !== 0)
    throw programMissing(path, `exit code ${end.exitCode}: ${end.lines.at(-1) ?? 'no reason given'}`);
  return lines;
}

async function tryProgram(name: Name, path: string, search: FfmpegSearch): Promise<string> {
  const [first = ''] = await ask(path, ['-hide_banner', '-version'], search);
  const version = new RegExp(`^${name} version (\\S+)`).exec(first)?.[1];
  if (!version) throw programMissing(path, `it does not say that it is ${name}`);
  return version;
}

async function findProgram(name: Name, configured: string | undefined, search: FfmpegSearch): Promise<FoundProgram> {
  if (configured) return { path: configured, version: await tryProgram(name, configured, search), from: 'config' };
  let lastError: unknown = 'not found in PATH';
  for await (const candidate of candidates(name, search)) {
    if (!(await isProgram(candidate.path))) continue;
    try {
      return { ...candidate, version: await tryProgram(name, candidate.path, search) };
    } catch (thrown) {
      search.signal.throwIfAborted();
      lastError = thrown;
    }
  }
  throw lastError instanceof IsgError ? lastError : programMissing(name, lastError);
}

/**
 * Finds ffmpeg and ffprobe: config.ini, else beside the app, else in PATH, else the development packages; the first that
 * answers is taken. A program named in config.ini that does not work is an error, never passed over in silence. Throws
 * `ffmpeg-missing` (also for an ffmpeg without H.264, AAC or JPEG encoder).
 */
export async function findFfmpeg(search: FfmpegSearch): Promise<FfmpegPrograms> {
  const ffmpeg = await findProgram('ffmpeg', search.ffmpegPath, search);
  const ffprobe = await findProgram('ffprobe', search.ffprobePath, search);
  const named = async (what: string) =>
    (await ask(ffmpeg.path, ['-hide_banner', what], search)).map((line) => line.trim().split(/\s+/)[1]);
  const encoders = await named('-encoders');
  const lacking = NEEDED_ENCODERS.filter((encoder) => !encoders.includes(encoder));
  if (lacking.length > 0) throw programMissing(ffmpeg.path, `it was built without ${lacking.join(', ')}`);
  const filters = await named('-filters');
  return { ffmpeg, ffprobe, canToneMap: TONE_MAPPING_FILTERS.every((filter) => filters.includes(filter)) };
}
