import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileLock } from '../cache/data-folder-lock.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { typedCommand } from './plan-text.ts';
import { placed } from './service-facts.ts';
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
/** An agent that was told to stop has stopped by then; Windows does not wait for its end. */
const AGENT_LIMIT_MS = 15_000;
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
      (await quietFolder(placed(step.dataDir, options.root), options))?.release();
      return;
    case 'remove-data':
      return removeData(placed(step.dataDir, options.root), step.dataDir, options);
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
  // undefined when it was there: then its rights are somebody's decision
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  await chmod(path, mode);
  // whatever the umask: the service's account has to pass through what was made above
  for (let above = dirname(path); above.startsWith(first); above = dirname(above)) await chmod(above, 0o755);
}

// A service manager never sees half a file, also when the machine goes down in between.
async function writeWhole(path: string, { text, mode, encoding }: { text: string; mode: number; encoding: string }) {
  const bytes = encoding === 'utf-16' ? Buffer.from(`\uFEFF${text}`, 'utf16le') : Buffer.from(text, 'utf8');
  await makeFolder(dirname(path), 0o755);
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

/**
 * Waits until neither an agent nor the embedded database works in the folder; the lock that is answered keeps agents out until
 * it is released. Null where no agent has ever worked. Throws in words when somebody stays.
 */
async function quietFolder(dataDir: string, options: CarryOutOptions): Promise<FileLock | null> {
  const agent = await untilFree(join(dataDir, 'lock.db'), AGENT_LIMIT_MS, options, {
    waiting: 'waiting for the agent to stop',
    stays: `An agent works in ${dataDir}, which is not the service. Stop it, and repeat the call; the folder is as it was.`,
  });
  try {
    const database = await untilFree(join(dataDir, 'embedded-db', 'keeper.lock'), DATABASE_LIMIT_MS, options, {
      waiting: 'waiting for the embedded database to stop (half a minute)',
      stays: `The embedded database in ${dataDir} does not end. End the programs that use it, and repeat the call.`,
    });
    database?.release();
  } catch (thrown) {
    agent?.release();
    throw thrown;
  }
  return agent;
}

async function untilFree(
  path: string,
  limitMs: number,
  { say, clock = systemClock }: CarryOutOptions,
  words: { waiting: string; stays: string },
): Promise<FileLock | null> {
  if (!existsSync(path)) return null;
  const { tryLockFile } = await import('../cache/data-folder-lock.ts');
  const deadlineMs = clock.monotonicMs() + limitMs;
  for (let said = false; ; said = true) {
    const lock = tryLockFile(path);
    if (lock) return lock;
    if (clock.monotonicMs() > deadlineMs) throw new Error(words.stays);
    if (!said) say(words.waiting);
    await clock.sleep(250);
  }
}

async function removeData(path: string, name: string, options: CarryOutOptions): Promise<void> {
  if (!existsSync(path)) return;
  const lock = await quietFolder(path, options);
  try {
    await onFiles(`remove ${name}`, async () => {
      // the lock last: until it goes no agent starts in what is left
      for (const entry of await readdir(path))
        if (entry !== 'lock.db') await rm(join(path, entry), { recursive: true, force: true });
    });
  } finally {
    // Windows removes no file that is open
    lock?.release();
  }
  await onFiles(`remove ${name}`, () => rm(path, { recursive: true, force: true }));
  options.say(`removed ${name}`);
}
