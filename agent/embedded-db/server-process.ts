import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { open, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { IsgError } from '../runtime/errors.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** How a server is run. */
export interface ServerPlace {
  binaries: PostgresBinaries;
  user: ServerUser;
  /** PostgreSQL's own folder (PGDATA), made by `initialiseServer`. */
  dataDir: string;
  /** File that takes the server's log. */
  logFile: string;
}

/** What postmaster.pid tells (PostgreSQL source, miscadmin.h: LOCK_FILE_LINE_*). */
export interface PostmasterFile {
  pid: number;
  port: number;
  isReady: boolean;
}

/** Reads postmaster.pid; null when there is none or it is half written. */
export async function readPostmasterFile(dataDir: string): Promise<PostmasterFile | null> {
  let text: string;
  try {
    text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8');
  } catch {
    // ignored because no file means no server
    return null;
  }
  const lines = text.split('\n');
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  if (!Number.isInteger(pid) || pid === 0) return null;
  return { pid, port: Number.parseInt(lines[3] ?? '0', 10) || 0, isReady: (lines[7] ?? '').trim() === 'ready' };
}

/** Whether a process with this id exists (also another user's). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM';
  }
}

/** What the system calls a process, and whether it is a zombie; empty when it is gone. */
async function describeProcess(pid: number): Promise<string> {
  try {
    const { stdout } =
      process.platform === 'win32'
        ? await run('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH'])
        : await run('ps', ['-o', 'stat=,comm=', '-p', String(pid)]);
    return /^\s*Z/.test(stdout) ? '' : stdout;
  } catch {
    // ignored because ps fails exactly when the process is gone
    return '';
  }
}

/**
 * Whether the process is the PostgreSQL server of this folder. Ids are reused, so a stale postmaster.pid may name anybody's
 * process, even another server's. A server's working directory is its folder; where that cannot be read the answer is yes,
 * because taking a living server for a dead one would put two servers on one folder.
 */
export async function isServerOf(pid: number, dataDir: string): Promise<boolean> {
  if (!isAlive(pid) || !/postgres/.test(await describeProcess(pid))) return false;
  if (process.platform !== 'linux') return true;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDir));
  } catch {
    return isAlive(pid);
  }
}

/** A free TCP port of the loopback interface, `preferred` if it is free. Another program may still take it before use. */
export async function findFreePort(preferred = 0): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1' }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
      });
    });
  if (preferred > 0) {
    try {
      return await tryPort(preferred);
    } catch {
      // ignored because any other port will do
    }
  }
  return tryPort(0);
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long a start may take; recovery after a crash with a large journal is the slow case. */
const START_DEADLINE_MS = 120_000;
const POLL_MS = 50;

async function tail(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim().split('\n').slice(-5).join(' | ');
  } catch {
    return '';
  }
}

/**
 * Starts the server as a child whose output goes straight to the log file (so it survives this process), and resolves when
 * postmaster.pid says `ready`. Extra settings are `name=value`. Rejects with `database-refused` and the last log lines.
 */
export async function startServer(
  place: ServerPlace,
  port: number,
  settings: readonly string[],
): Promise<ChildProcess> {
  const log = await open(place.logFile, 'a');
  const args = ['-D', place.dataDir, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const child = spawn(place.binaries.postgres, args, {
    ...place.user,
    cwd: place.dataDir,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
    windowsHide: true,
  });
  let spawnError: Error | undefined;
  child.once('error', (error) => {
    spawnError = error;
  });
  await log.close();
  const deadline = performance.now() + START_DEADLINE_MS;
  while (
    performance.now() < deadline &&
    spawnError === undefined &&
    child.exitCode === null &&
    child.signalCode === null
  ) {
    const file = await readPostmasterFile(place.dataDir);
    if (file?.isReady && file.pid === child.pid) return child;
    await sleep(POLL_MS);
  }
  const why = spawnError?.message ?? (await tail(place.logFile));
  child.kill('SIGKILL');
  throw new IsgError('database-refused', `The embedded PostgreSQL did not start: ${why}`, { retry: 'transient' });
}

/** Stops the server fast (transactions are rolled back), and by force when that takes longer than `patienceMs`. */
export async function stopServer(place: ServerPlace, patienceMs = 20_000): Promise<void> {
  const file = await readPostmasterFile(place.dataDir);
  if (file === null || !(await isServerOf(file.pid, place.dataDir))) return;
  const ctl = async (mode: string, seconds: number) =>
    run(place.binaries.pgCtl, ['stop', '-D', place.dataDir, '-m', mode, '-w', '-t', String(seconds)], {
      ...place.user,
      cwd: place.dataDir,
    });
  try {
    await ctl('fast', Math.max(1, Math.ceil(patienceMs / 1000)));
  } catch {
    // a server that does not stop in time is ended by force; its journal makes the next start whole
    await ctl('immediate', 5).catch(() => killServer(file.pid, place.dataDir));
  }
}

// It may have died since it was looked at, also between this look and the signal; its id may be another's by now.
async function killServer(pid: number, dataDir: string): Promise<void> {
  if (!(await isServerOf(pid, dataDir))) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown;
  }
}

/** Removes a postmaster.pid whose process is gone or somebody else's, which would keep the server from starting. */
export async function clearStalePostmasterFile(dataDir: string): Promise<void> {
  const file = await readPostmasterFile(dataDir);
  if (file === null || (await isServerOf(file.pid, dataDir))) return;
  await rm(join(dataDir, 'postmaster.pid'), { force: true });
}
