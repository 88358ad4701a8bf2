import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFfmpeg, type Ffmpeg, type FfmpegDeps } from '../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import { type FfmpegPrograms, findFfmpeg } from '../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';

/** The real programs of this machine, a folder, and every child that was started. */
export interface FfmpegFixture {
  dir: string;
  programs: FfmpegPrograms;
  ffmpeg: Ffmpeg;
  children: ChildProcess[];
  /** The same programs with other limits, or one of them replaced. */
  with(changes: Partial<FfmpegDeps>): Ffmpeg;
  /** Resolves with the next child that is started. */
  nextChild(): Promise<ChildProcess>;
  remove(): Promise<void>;
}

/** Finds ffmpeg and makes a folder; throws (the tests fail, they do not skip) when there is no ffmpeg. */
export async function createFfmpegFixture(): Promise<FfmpegFixture> {
  const children: ChildProcess[] = [];
  const waiting: ((child: ChildProcess) => void)[] = [];
  const guard = {
    watch(child: ChildProcess) {
      children.push(child);
      for (const resolve of waiting.splice(0)) resolve(child);
    },
  };
  const programs = await findFfmpeg({ guard, signal: AbortSignal.timeout(20_000) });
  const dir = await mkdtemp(join(tmpdir(), 'isg-transcode-'));
  return {
    dir,
    programs,
    ffmpeg: createFfmpeg({ programs, guard }),
    children,
    with: (changes) => createFfmpeg({ programs, guard, ...changes }),
    nextChild: () => new Promise((resolve) => waiting.push(resolve)),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Whether a process still exists. */
export function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
