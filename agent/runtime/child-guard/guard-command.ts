import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeProgram } from '../node-program.ts';
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
export function shellGuard(mark: string, command = SHELL): GuardCommand {
  return {
    command,
    args: ['-c', 'eval "$ISG_PRO_CHILD_GUARD"', TITLE, mark],
    cwd: '/',
    // `sleep` and `grep` are looked for where every system has them; C keeps [0-9] to ten digits.
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', ISG_PRO_CHILD_GUARD: GUARD_SCRIPT },
  };
}

/** The guard as a Node program: for Windows, and for a system without a shell. */
export function nodeGuard(mark: string): GuardCommand {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const node = nodeProgram();
  return {
    command: node.path,
    args: [entryPath(), mark],
    cwd: dirname(node.path),
    // Options meant for the agent are not the guard's.
    env: { ...env, ...node.env },
  };
}

/** The entry beside this module: TypeScript from source, JavaScript when built. */
function entryPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`./guard-process${extension}`, import.meta.url));
}

/** The guard of this platform. `mark` (`NAME=value`) stands in the environment of programs that it is to find untold. */
export function guardCommand(mark: string): GuardCommand {
  return process.platform !== 'win32' && existsSync(SHELL) ? shellGuard(mark) : nodeGuard(mark);
}
