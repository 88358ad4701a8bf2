import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

/** Runs a program over the files of a list, two processes at a time, `perProcess` files each: never a process a file. */
export async function runPeer(program: readonly string[], list: string, perProcess = 1_000): Promise<void> {
  const args = ['-a', list, '-P2', `-n${perProcess}`, ...program];
  const [code] = await once(spawn('xargs', args, { stdio: 'ignore' }), 'exit');
  if (code !== 0) throw new Error(`${program.join(' ')} ended with ${code}`);
}

/** The digest of one file as a program prints it: the first word. */
export async function digestOf(program: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout.split(/\s/)[0] ?? '';
}
