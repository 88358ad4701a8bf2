import { IsgError } from '../../../runtime/errors.ts';
import { ffmpegError } from './ffmpeg-errors.ts';
import { type MediaInfo, mediaInfoOf, probeOutputSchema } from './media-info.ts';
import { MAX_ALLOC_BYTES, mediaSource } from './media-source.ts';
import { type ChildWatch, runProgram } from './run-program.ts';

/** What ffprobe needs. */
export interface ProbeRuntime {
  /** Absolute path of ffprobe. */
  program: string;
  guard: ChildWatch;
  /** Longest that one look may take. */
  timeoutMs: number;
}

/** More than any real clip makes ffprobe print; a file that makes it print more is refused. */
const OUTPUT_CHARACTERS = 4 * 1024 * 1024;

const QUIET = ['-v', 'error', '-max_alloc', String(MAX_ALLOC_BYTES)];

function parseOutput(text: string, path: string): MediaInfo {
  const unreadable = (reason: string, cause?: unknown) =>
    new IsgError('media-unreadable', `ffprobe's answer about this file cannot be used: ${reason}.`, {
      retry: 'permanent',
      cause,
      fields: { path },
    });
  if (text.length > OUTPUT_CHARACTERS) throw unreadable('it is longer than 4 MiB');
  try {
    return mediaInfoOf(probeOutputSchema.parse(JSON.parse(text)));
  } catch (thrown) {
    throw unreadable('it is not what ffprobe prints', thrown);
  }
}

/**
 * What is in a media file. Throws `media-unreadable` when ffprobe cannot read it, and what else `ffmpegError` and
 * `runProgram` name.
 */
export async function probeMedia(runtime: ProbeRuntime, path: string, signal: AbortSignal): Promise<MediaInfo> {
  const source = mediaSource(path);
  let text = '';
  const end = await runProgram({
    program: runtime.program,
    args: [...QUIET, ...source.options, '-show_format', '-show_streams', '-of', 'json', '-i', source.address],
    guard: runtime.guard,
    signal,
    stallMs: runtime.timeoutMs,
    onStdout: (chunk) => {
      if (text.length <= OUTPUT_CHARACTERS) text += chunk;
    },
  });
  if (end.exitCode !== 0) throw ffmpegError({ program: 'ffprobe', path, ...end });
  return parseOutput(text, path);
}
