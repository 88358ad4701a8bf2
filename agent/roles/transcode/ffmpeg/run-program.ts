import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';
import { IsgError } from '../../../runtime/errors.ts';
import { programMissing } from './ffmpeg-errors.ts';
import { createLineSplitter, createLineTail } from './output-tail.ts';

/** Ends what it was told to watch when this process dies, however it dies. */
export interface ChildWatch {
  watch(child: ChildProcess): void;
  /** Adds to an environment what lets a program be found that `watch` was never told of. */
  environment?(base: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
}

/** One run of ffmpeg, ffprobe, or another program that reads media. */
export interface ProgramRun {
  /** Absolute path of the program. */
  program: string;
  /** What it is called in messages; absent = the file name of `program`. */
  name?: string;
  args: readonly string[];
  guard: ChildWatch;
  signal: AbortSignal;
  /** The run is ended when nothing called `alive` for this long. */
  stallMs: number;
  /** The run is ended after this long, however alive it seems: a file can make a program busy for ever. Absent = no limit. */
  limitMs?: number;
  /** Working directory; absent = this process's. */
  cwd?: string;
  /** Environment; absent = this process's. */
  env?: NodeJS.ProcessEnv;
  /** Time between SIGTERM and SIGKILL, and between SIGKILL and giving the child up; default 1000. */
  graceMs?: number;
  /** Each chunk of standard output; `alive` starts the stall window anew. */
  onStdout?(chunk: string, alive: () => void): void;
}

/** How a run ended by itself. */
export interface ProgramEnd {
  exitCode: number | null;
  signalName: string | null;
  /** At most 40 last lines of standard error. */
  lines: string[];
}

const DEFAULT_GRACE_MS = 1_000;
const KEPT_LINES = 40;

/** Media work yields to everything else on the machine: renewal of leases must not wait for an encoder. */
function lowerPriority(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Ignored because priority is a courtesy: the child may already be gone, or the system forbids it.
  }
}

// A child leads a process group of its own, so that what it starts ends with it (a program may be a script that starts the
// real one). Windows has no groups; there `taskkill /T` walks the tree, at once and by force: console programs know no SIGTERM.
const LEADS_GROUP = process.platform !== 'win32';

function signalTree(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  if (!LEADS_GROUP) {
    execFile('taskkill', ['/PID', String(child.pid), '/T', '/F'], { windowsHide: true }, (failure) => {
      if (failure) child.kill();
    });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Ignored because the group is gone already: nothing of the child is left.
  }
}

/** SIGTERM, SIGKILL after the grace, and after another grace `onGivenUp`: a child stuck in a hung mount dies only later. */
function endChild(child: ChildProcess, graceMs: number, onGivenUp: () => void): () => void {
  signalTree(child, 'SIGTERM');
  let timer = setTimeout(() => {
    signalTree(child, 'SIGKILL');
    timer = setTimeout(onGivenUp, graceMs);
  }, graceMs);
  return () => clearTimeout(timer);
}

/** Starts the program, or throws `ffmpeg-missing`: spawn throws some failures and emits others. */
function startChild(run: ProgramRun): ChildProcess {
  try {
    return spawn(run.program, run.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      detached: LEADS_GROUP,
      ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
      env: run.guard.environment?.(run.env ?? process.env) ?? run.env ?? process.env,
    });
  } catch (thrown) {
    throw programMissing(run.program, thrown);
  }
}

function stalledError(run: ProgramRun): IsgError {
  return new IsgError(
    'ffmpeg-failed',
    `${run.name ?? run.program} made no progress for ${Math.round(run.stallMs / 1000)} s and was ended. The job is tried again.`,
    { retry: 'transient', fields: { program: run.program } },
  );
}

/** Bad input, not a bad moment: the same file would keep the program busy again. */
function tooLongError(run: ProgramRun, limitMs: number): IsgError {
  return new IsgError(
    'media-unreadable',
    `${run.name ?? basename(run.program)} was not done with this file after ${Math.round(limitMs / 1000)} s and was ended. It is damaged, or far larger than it says; replace the file to try again.`,
    { retry: 'permanent', fields: { program: run.program } },
  );
}

/** Wires the outputs of a started child; returns the tail of its standard error. */
function readOutputs(child: ChildProcess, run: ProgramRun, alive: () => void): () => string[] {
  const tail = createLineTail(KEPT_LINES);
  const splitter = createLineSplitter((line) => tail.push(line));
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => run.onStdout?.(chunk, alive));
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (chunk: string) => splitter.push(chunk))
    .on('end', () => splitter.end());
  return () => tail.lines();
}

/**
 * Runs a program to its end; resolves also when it failed or was killed by someone else. Rejects with the reason of
 * `signal` when it aborts, `ffmpeg-failed` (transient) when it stalls, `media-unreadable` when it exceeds `limitMs`,
 * `ffmpeg-missing` when it cannot be started. All output is bounded. The child is watched by the guard from the moment it exists.
 */
export function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  if (run.signal.aborted) return Promise.reject(run.signal.reason);
  return new Promise((resolve, reject) => {
    const child = startChild(run);
    let failure: { error: unknown } | null = null;
    let cancelKill = () => {};
    let stallTimer: NodeJS.Timeout | undefined;
    let limitTimer: NodeJS.Timeout | undefined;
    const settle = (finish: () => void) => {
      clearTimeout(stallTimer);
      clearTimeout(limitTimer);
      cancelKill();
      run.signal.removeEventListener('abort', onAbort);
      finish();
    };
    const end = (error: unknown) => {
      if (failure) return;
      failure = { error };
      clearTimeout(stallTimer);
      cancelKill = endChild(child, run.graceMs ?? DEFAULT_GRACE_MS, () => settle(() => reject(error)));
    };
    const onAbort = () => end(run.signal.reason);
    const alive = () => {
      if (failure) return;
      clearTimeout(stallTimer);
      stallTimer = setTimeout(() => end(stalledError(run)), run.stallMs);
    };
    child.on('error', (cause) => settle(() => reject(failure ? failure.error : programMissing(run.program, cause))));
    if (child.pid === undefined) return;
    run.guard.watch(child);
    lowerPriority(child);
    run.signal.addEventListener('abort', onAbort, { once: true });
    const { limitMs } = run;
    if (limitMs !== undefined) limitTimer = setTimeout(() => end(tooLongError(run, limitMs)), limitMs);
    const lines = readOutputs(child, run, alive);
    alive();
    child.on('close', (exitCode, signalName) => {
      // What it has started may live on: heedless of SIGTERM, and with no output of ours that would keep us waiting.
      if (failure && LEADS_GROUP) signalTree(child, 'SIGKILL');
      settle(() => (failure ? reject(failure.error) : resolve({ exitCode, signalName, lines: lines() })));
    });
  });
}
