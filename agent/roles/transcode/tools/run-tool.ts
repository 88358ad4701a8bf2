import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { IsgError } from '../../../runtime/errors.ts';
import { ffmpegError, programMissing, quoteLines } from '../ffmpeg/ffmpeg-errors.ts';
import { createLineSplitter } from '../ffmpeg/output-tail.ts';
import { type ChildWatch, runProgram } from '../ffmpeg/run-program.ts';
import type { FoundTool } from './find-tools.ts';
import { writeMagickPolicy } from './magick-policy.ts';
import { withinMemory } from './memory-limit.ts';

/** Longest that one tool may work on one file: a single picture or a page, on a slow machine. */
const TOOL_LIMIT_MS = 180_000;

/** How tools are run for one job. */
export interface ToolRuntime {
  guard: ChildWatch;
  signal: AbortSignal;
  /** Folder of this attempt: tools work in it, and all they leave goes with it. */
  dir: string;
  /** Default `TOOL_LIMIT_MS`. */
  limitMs?: number;
  /** Called now and then while the tool works: the tools report nothing themselves. */
  alive?(): void;
}

/** One run of a tool. `args` name files of the job's folder only, by names that are ours. */
export interface ToolRun {
  tool: FoundTool;
  args: readonly string[];
  /** The original, for messages. */
  path: string;
}

/** How often a working tool is called alive. */
const ALIVE_MS = 5_000;

/**
 * The environment of tools: nothing of the agent's (it may hold secrets) but what programs need to run, and homes and
 * temporary folders inside the job's.
 */
async function environmentOf(dir: string): Promise<NodeJS.ProcessEnv> {
  const home = join(dir, 'home');
  await mkdir(home, { recursive: true });
  await writeMagickPolicy(home);
  const passed = ['PATH', 'SystemRoot', 'windir', 'LD_LIBRARY_PATH', 'LANG'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  const temporary = Object.fromEntries(['TMPDIR', 'TMP', 'TEMP', 'MAGICK_TMPDIR'].map((name) => [name, home]));
  return { ...Object.fromEntries(passed), ...temporary, HOME: home, USERPROFILE: home, MAGICK_CONFIGURE_PATH: home };
}

/**
 * Runs a tool in the job's folder, with limits of time and (on Linux) memory, as a group that ends as a whole. Returns its standard output (first 100
 * lines). Throws `media-unreadable` (permanent) with the tool's own words when it fails, the transient ones of `ffmpegError`
 * when disk or memory are the cause, `ffmpeg-missing` when it cannot be started, and the reason of the signal.
 */
export async function runTool(runtime: ToolRuntime, run: ToolRun): Promise<string[]> {
  const { guard, signal, dir } = runtime;
  const limitMs = runtime.limitMs ?? TOOL_LIMIT_MS;
  const output: string[] = [];
  const splitter = createLineSplitter((line) => output.length < 100 && output.push(line));
  const ticking = setInterval(() => runtime.alive?.(), ALIVE_MS);
  try {
    const end = await runProgram({
      ...(await withinMemory(run.tool.path, run.args)),
      name: basename(run.tool.path),
      guard,
      signal,
      stallMs: limitMs * 2,
      limitMs,
      cwd: dir,
      env: await environmentOf(dir),
      onStdout: (chunk) => splitter.push(chunk),
    });
    splitter.end();
    if (end.exitCode === 0) return output;
    if (end.exitCode === 127) throw programMissing(run.tool.path, end.lines.at(-1) ?? 'a part of it is missing');
    throw toolError(run, end);
  } finally {
    clearInterval(ticking);
  }
}

/** What a failed tool means: its disk and memory are the machine's, all else is the file's doing. */
function toolError(
  run: ToolRun,
  end: { exitCode: number | null; signalName: string | null; lines: string[] },
): IsgError {
  const error = ffmpegError({ program: 'ffmpeg', path: run.path, ...end });
  const isOfMachine = error.retry === 'transient' && error.code !== 'ffmpeg-failed';
  const name = basename(run.tool.path);
  const words = quoteLines(end.lines, run.path) || 'it gave no reason';
  if (isOfMachine && error.code !== 'file-not-found') {
    return new IsgError(error.code, `${name}: ${words}. The job is tried again.`, { retry: 'transient' });
  }
  if (end.signalName !== null && end.signalName !== 'SIGABRT' && end.signalName !== 'SIGSEGV') {
    return new IsgError('ffmpeg-failed', `${name} was ended by ${end.signalName} (${words}). The job is tried again.`, {
      retry: 'transient',
    });
  }
  return unreadableBy(name, words, run.path);
}

/** The error of a file that a tool could not read. */
export function unreadableBy(name: string, words: string, path: string): IsgError {
  const message = `${name} cannot read this file: ${words}. It is damaged or of another kind than its name says; replace the file to try again.`;
  return new IsgError('media-unreadable', message, { retry: 'permanent', fields: { path, program: name } });
}
