import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GUARD_SCRIPT } from './guard-script.ts';

/** How a guard process is started. */
export interface GuardCommand {
  command: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** Required by POSIX in all but name, and there on every Linux and macOS. */
const SHELL = '/bin/sh';
/** What process lists show. */
const TITLE = 'isg-pro child guard';

/** The guard in a shell. It gets nothing of the agent's environment, and its text travels in its own, so that no file can be missing. */
export function shellGuard(command = SHELL): GuardCommand {
  return {
    command,
    args: ['-c', 'eval "$ISG_PRO_CHILD_GUARD"', TITLE],
    cwd: '/',
    // `sleep` is looked for where every system has it; C keeps [0-9] to ten digits.
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', ISG_PRO_CHILD_GUARD: GUARD_SCRIPT },
  };
}

/** The guard as a Node program: for Windows, and for a system without a shell. */
export function nodeGuard(): GuardCommand {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return {
    command: process.execPath,
    args: [entryPath()],
    cwd: dirname(process.execPath),
    // Electron's binary behaves as Node only when told to; options meant for the agent are not the guard's.
    env: 'electron' in process.versions ? { ...env, ELECTRON_RUN_AS_NODE: '1' } : env,
  };
}

/** The entry beside this module: TypeScript from source, JavaScript when built. */
function entryPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`./guard-process${extension}`, import.meta.url));
}

/** The guard of this platform. */
export function guardCommand(): GuardCommand {
  return process.platform !== 'win32' && existsSync(SHELL) ? shellGuard() : nodeGuard();
}
