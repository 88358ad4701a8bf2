import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { OldProgram } from './update-memory.ts';

/** Keeping the program that an update replaces, and putting it back. What works where stands in README.md. */

/** What this depends on. */
export interface OldProgramFacts {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  /** Folder of ours in which the old program is kept. */
  folder: string;
  /** Resources of the packaged application: where elevate.exe is. */
  resourcesPath: string;
}

/**
 * Keeps the running version so that `putBack` can bring it back; null where that is not possible. Only one is kept. Throws
 * what the file system throws: then nothing may be replaced.
 */
export async function keepOldProgram(facts: OldProgramFacts, version: string): Promise<OldProgram | null> {
  const source = sourceOf(facts);
  if (source === null || !(await isThere(source.from))) return null;
  await mkdir(facts.folder, { recursive: true, mode: 0o700 });
  const name = `isg-pro-${version}${source.ending}`;
  for (const old of await readdir(facts.folder)) {
    if (old.startsWith('isg-pro-') && old !== name) await rm(join(facts.folder, old), { force: true });
  }
  const file = join(facts.folder, name);
  await copyWhole(source.from, file, source.mode);
  return { file, sha512: await digestOf(file), place: source.place };
}

/**
 * Puts the old version back and starts it; the caller ends this process then. `beforeStart` is called when the file is in its
 * place. Throws when the kept file is not what it was.
 */
export async function putBack(
  facts: OldProgramFacts,
  old: OldProgram,
  args: readonly string[],
  beforeStart: () => void = () => {},
): Promise<void> {
  if ((await digestOf(old.file)) !== old.sha512) throw new Error(`${old.file} is not the file that was kept.`);
  if (old.place === '') {
    beforeStart();
    return startInstaller(facts, old.file);
  }
  await copyWhole(old.file, old.place, 0o755);
  const current = facts.env.APPIMAGE;
  if (current !== undefined && resolve(current) !== resolve(old.place)) await rm(current, { force: true });
  beforeStart();
  await startDetached(old.place, args, { ...facts.env, APPIMAGE: old.place });
}

function sourceOf({ platform, env }: OldProgramFacts) {
  if (platform === 'linux' && env.APPIMAGE !== undefined && env.APPIMAGE !== '')
    return { from: env.APPIMAGE, ending: '.AppImage', place: env.APPIMAGE, mode: 0o755 };
  // where the NSIS installer leaves a copy of itself
  if (platform === 'win32' && env.LOCALAPPDATA !== undefined)
    return { from: join(env.LOCALAPPDATA, 'isg-pro-updater', 'installer.exe'), ending: '.exe', place: '', mode: 0o600 };
  return null;
}

/** The whole file or the one that was there before, also after a power cut. */
async function copyWhole(from: string, to: string, mode: number): Promise<void> {
  const temporary = `${to}.new`;
  await copyFile(from, temporary);
  await chmod(temporary, mode);
  const handle = await open(temporary, 'r+');
  await handle.sync().finally(() => handle.close());
  await rename(temporary, to);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('base64');
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function startDetached(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(file, [...args], { detached: true, stdio: 'ignore', env });
  await once(child, 'spawn');
  child.unref();
}

async function startInstaller({ resourcesPath, env }: OldProgramFacts, installer: string): Promise<void> {
  const args = ['--updated', '/S', '--force-run'];
  try {
    await startDetached(installer, args, { ...env });
  } catch {
    // ignored because an installer for all users needs rights that only this asks for
    await startDetached(join(resourcesPath, 'elevate.exe'), [installer, ...args], { ...env });
  }
}
