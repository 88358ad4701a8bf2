import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { typedCommand } from './plan-text.ts';
import type { RunStep, ServiceStep } from './service-plan.ts';

/** How a plan is carried out. */
export interface CarryOutOptions {
  /** Folder under which files land instead of `/`; tests. */
  root?: string | undefined;
  say: (line: string) => void;
  clock?: Clock;
}

/** How it ended; after a failure the steps before it stay done, and the same call may be repeated. */
export type CarriedOut = { kind: 'done' } | { kind: 'failed'; message: string };

/** A program that answers nothing must not hold the installation for ever; stopping a service takes half a minute. */
const RUN_LIMIT_MS = 120_000;
/** The embedded database lingers 30 s and then stops. */
const DATABASE_LIMIT_MS = 90_000;

/** Carries out the steps in order and stops at the first that fails. Never throws. */
export async function carryOut(steps: readonly ServiceStep[], options: CarryOutOptions): Promise<CarriedOut> {
  for (const step of steps) {
    try {
      await carryOutStep(step, options);
    } catch (thrown) {
      return { kind: 'failed', message: coerceError(thrown).message };
    }
  }
  return { kind: 'done' };
}

const placed = (path: string, root: string | undefined): string =>
  root === undefined ? path : join(resolve(root), path);

async function carryOutStep(step: ServiceStep, options: CarryOutOptions): Promise<void> {
  switch (step.kind) {
    case 'folder':
      await onFiles(`make the folder ${step.path}`, () => makeFolder(placed(step.path, options.root), step.mode));
      return;
    case 'file':
      await onFiles(`write ${step.path}`, () => writeWhole(placed(step.path, options.root), step));
      return options.say(`wrote ${step.path}`);
    case 'remove':
      if (!existsSync(placed(step.path, options.root))) return;
      await onFiles(`remove ${step.path}`, () => rm(placed(step.path, options.root), { recursive: true, force: true }));
      return options.say(`removed ${step.path}`);
    case 'await-database':
      return awaitDatabase(placed(step.dataDir, options.root), options);
    case 'run':
      return runStep(step, options);
    default:
      return step satisfies never;
  }
}

async function onFiles(purpose: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (thrown) {
    const why = coerceError(thrown).message;
    throw new Error(`Could not ${purpose}: ${why}. What was done before stays; mend this and repeat the call.`);
  }
}

async function makeFolder(path: string, mode: number): Promise<void> {
  // null when it was there: then its rights are somebody's decision
  const made = await mkdir(path, { recursive: true, mode: 0o755 });
  if (made !== undefined) await chmod(path, mode);
}

// A service manager never sees half a file, also when the machine goes down in between.
async function writeWhole(path: string, { text, mode, encoding }: { text: string; mode: number; encoding: string }) {
  const bytes = encoding === 'utf-16' ? Buffer.from(`\uFEFF${text}`, 'utf16le') : Buffer.from(text, 'utf8');
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(bytes);
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

async function runStep(step: RunStep, { say }: CarryOutOptions): Promise<void> {
  if (step.when !== undefined) {
    const { code } = await run(step.when.command, false);
    if ((code === 0) !== (step.when.kind === 'onlyIf')) return;
  }
  const typed = typedCommand(step.command, process.platform);
  const { code, output } = await run(step.command, step.isInteractive === true);
  if (code === 0) return say(`ran ${typed}`);
  if (step.mayFail) return;
  const ended = code === null ? 'could not be run or did not end' : `ended with ${code}`;
  const said = output.trim() === '' ? '' : `\n${output.trim()}`;
  throw new Error(`Could not ${step.purpose}: "${typed}" ${ended}. ${step.remedy}${said}`);
}

/** Code null: there is no such program, or it was ended by a signal. */
function run(command: readonly string[], isInteractive: boolean): Promise<{ code: number | null; output: string }> {
  const [program = '', ...args] = command;
  return new Promise((done) => {
    const child = spawn(program, args, {
      stdio: isInteractive ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      timeout: isInteractive ? undefined : RUN_LIMIT_MS,
      windowsHide: true,
    });
    let output = '';
    const take = (chunk: Buffer) => {
      if (output.length < 4_000) output += chunk.toString();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('error', (error) => done({ code: null, output: error.message }));
    child.once('close', (code) => done({ code, output }));
  });
}

async function awaitDatabase(dataDir: string, { say, clock = systemClock }: CarryOutOptions): Promise<void> {
  const path = join(dataDir, 'embedded-db', 'keeper.lock');
  if (!existsSync(path)) return;
  const { tryLockFile } = await import('../cache/data-folder-lock.ts');
  const deadlineMs = clock.monotonicMs() + DATABASE_LIMIT_MS;
  for (let said = false; ; said = true) {
    const lock = tryLockFile(path);
    if (lock) return lock.release();
    if (clock.monotonicMs() > deadlineMs)
      throw new Error(
        `The embedded database in ${dataDir} does not end. End the programs that use it, and repeat the call.`,
      );
    if (!said) say('waiting for the embedded database to stop (half a minute)');
    await clock.sleep(250);
  }
}
