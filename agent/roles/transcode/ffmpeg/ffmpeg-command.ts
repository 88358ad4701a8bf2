import fluent from 'fluent-ffmpeg';
import { assertNoReadError, ffmpegError } from './ffmpeg-errors.ts';
import { MAX_ALLOC_BYTES, MAX_PIXELS, mediaSource } from './media-source.ts';
import { createLineSplitter } from './output-tail.ts';
import { type ChildWatch, runProgram } from './run-program.ts';

/** What every run needs. */
export interface FfmpegRuntime {
  /** Absolute path of ffmpeg. */
  program: string;
  guard: ChildWatch;
  /** A run that reports nothing new for this long is ended. */
  stallMs: number;
  /** A run that is not done after this long is ended: the file keeps it busy for ever. */
  limitMs?: number;
}

/** One input of a run. */
export interface FfmpegInput {
  /** Absolute path. */
  path: string;
  /** Options before it, such as where to start. */
  options?: readonly string[];
}

/** One output of a run. */
export interface FfmpegOutput {
  /** Absolute path; an existing file is replaced. */
  path: string;
  options: readonly string[];
}

/** One run of ffmpeg. */
export interface FfmpegCommand {
  inputs: readonly FfmpegInput[];
  filterGraph?: string | null;
  outputs: readonly FfmpegOutput[];
  signal: AbortSignal;
  /** Length of what comes out, for the fraction; null = unknown, then 0 is reported. */
  durationSeconds?: number | null;
  /** Called whenever ffmpeg reports (twice a second), 0–1. */
  onProgress?(fraction: number): void;
}

/** The command line. fluent-ffmpeg builds it; what runs it is ours (README.md). */
function commandLine(command: FfmpegCommand): string[] {
  const builder = fluent();
  for (const input of command.inputs) {
    const source = mediaSource(input.path);
    const options = ['-max_pixels', String(MAX_PIXELS), ...source.options, ...(input.options ?? [])];
    builder.input(source.address).inputOptions(options);
  }
  if (command.filterGraph) builder.complexFilter(command.filterGraph);
  for (const output of command.outputs) builder.output(`file:${output.path}`).outputOptions([...output.options]);
  return [
    '-hide_banner',
    '-nostdin',
    '-loglevel',
    'error',
    '-progress',
    'pipe:1',
    '-nostats',
    '-max_alloc',
    String(MAX_ALLOC_BYTES),
    ...builder._getArguments(),
  ];
}

/** Reads ffmpeg's `key=value` reports; only a report that differs from the one before proves life. */
function createReportReader(command: FfmpegCommand): (chunk: string, alive: () => void) => void {
  const durationUs = (command.durationSeconds ?? 0) * 1e6;
  let reached = 0;
  let report = '';
  let previous = '';
  let alive = () => {};
  const onReport = () => {
    if (report !== previous) alive();
    previous = report;
    report = '';
    if (durationUs > 0) command.onProgress?.(Math.min(1, Math.max(0, reached / durationUs)));
    else command.onProgress?.(0);
  };
  const splitter = createLineSplitter((line) => {
    const [key = '', value = ''] = line.split('=', 2);
    // Both are microseconds; older programs print only the misnamed second one.
    if (key === 'out_time_us' || key === 'out_time_ms') reached = Math.max(reached, Number(value) || 0);
    if (key === 'progress') onReport();
    else if (['frame', 'total_size', 'out_time', 'out_time_us'].includes(key)) report += `${key}=${value} `;
  });
  return (chunk, keepAlive) => {
    alive = keepAlive;
    splitter.push(chunk);
  };
}

/**
 * Runs ffmpeg to its end. Throws what `ffmpegError` and `runProgram` name. Returns the lines it complained with although
 * it succeeded.
 */
export async function runFfmpeg(runtime: FfmpegRuntime, command: FfmpegCommand): Promise<string[]> {
  const end = await runProgram({
    program: runtime.program,
    args: commandLine(command),
    guard: runtime.guard,
    signal: command.signal,
    stallMs: runtime.stallMs,
    ...(runtime.limitMs === undefined ? {} : { limitMs: runtime.limitMs }),
    onStdout: createReportReader(command),
  });
  const path = command.inputs[0]?.path ?? '';
  if (end.exitCode !== 0) throw ffmpegError({ program: 'ffmpeg', path, ...end });
  assertNoReadError({ program: 'ffmpeg', path, lines: end.lines });
  return end.lines;
}
