import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, realpath, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { PackageId } from './bundled-packages.ts';
import { type PackageTarget, programFile, targetName } from './target.ts';

const run = promisify(execFile);

/** The Node that is shipped is of the line that Electron brings, which the agent is tested on. */
const NODE_MAJOR = 24;
const PROGRAMS = ['ffmpeg', 'ffprobe'];

/** What to ship beside the application. */
export interface RuntimeRequest {
  target: PackageTarget;
  /** Folder that gets the files; emptied first. */
  folder: string;
  /** Folder with a current static ffmpeg and ffprobe for the target; null = the ones of this machine, for trying only. */
  ffmpegFolder: string | null;
}

/**
 * Lays out the programs that an installed application brings: `node/` for the agent's own processes and the service, `ffmpeg/`.
 * Answers what was taken from where. Throws when one is missing, does not run, or is of the wrong kind.
 */
export async function layOutRuntime(request: RuntimeRequest): Promise<string[]> {
  const { target, folder, ffmpegFolder } = request;
  await rm(folder, { recursive: true, force: true });
  const said = [await takeNode(target, folder)];
  for (const name of PROGRAMS) {
    const from = ffmpegFolder === null ? await findInPath(name) : join(ffmpegFolder, programFile(name, target));
    await take(from, join(folder, 'ffmpeg', programFile(name, target)));
    said.push(`${name}: ${await versionOf(from, '-version')}${ffmpegFolder === null ? ' (of this machine)' : ''}`);
  }
  return said;
}

/** Builds run on the platform they are for, with the Node of that platform. */
async function takeNode(target: PackageTarget, folder: string): Promise<string> {
  if (target.platform !== process.platform || target.arch !== process.arch) {
    throw new Error(
      `${targetName(target)} is built on such a machine: this one is ${process.platform}-${process.arch}.`,
    );
  }
  const major = Number(process.versions.node.split('.')[0]);
  if (major !== NODE_MAJOR)
    throw new Error(`Node ${NODE_MAJOR} is shipped, but this script runs on ${process.version}.`);
  await take(process.execPath, join(folder, 'node', programFile('node', target)));
  return `node: ${process.version}`;
}

async function take(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true });
  await copyFile(await realpath(from), to);
  await chmod(to, 0o755);
}

async function versionOf(path: string, flag: string): Promise<string> {
  const { stdout } = await run(path, [flag], { timeout: 20_000 });
  return stdout.split('\n', 1)[0] ?? '';
}

/** The programs of `ffmpeg/` with the versions that they say. */
export async function shippedPrograms(folder: string, target: PackageTarget): Promise<PackageId[]> {
  return await Promise.all(
    PROGRAMS.map(async (name) => {
      const said = await versionOf(join(folder, programFile(name, target)), '-version');
      return { name, version: /version (\S+)/.exec(said)?.[1] ?? said };
    }),
  );
}

async function findInPath(name: string): Promise<string> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    try {
      return await realpath(join(directory, name));
    } catch {
      // not in this one
    }
  }
  throw new Error(`${name} is neither in PATH nor was a folder named with --ffmpeg.`);
}
