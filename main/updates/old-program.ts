import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appImageOf, type ProgramFacts } from './app-image.ts';
import { installerVersion } from './installer-version.ts';
import { copyWhole, digestOf, isThere, startDetached, startInstaller } from './program-files.ts';
import type { OldProgram } from './update-memory.ts';

/** Keeping the program that an update replaces, and putting it back. What works where stands in README.md. */

/** What this depends on. */
export interface OldProgramFacts extends ProgramFacts {
  /** Folder of ours in which the old program is kept. */
  folder: string;
  /** Resources of the packaged application: where elevate.exe is. */
  resourcesPath: string;
}

const PROGRAM_MODE = 0o755;

/**
 * Keeps the running version so that `putBack` can bring it back; null where that is not possible. Only one is kept, and a
 * copy that is still what it was is not written again: what lies in the program's place by now may be worse. Throws what the
 * file system throws: then nothing may be replaced.
 */
export async function keepOldProgram(facts: OldProgramFacts, version: string): Promise<OldProgram | null> {
  const source = await sourceOf(facts, version);
  if (source === null) return null;
  const name = `isg-pro-${version}${source.ending}`;
  const file = join(facts.folder, name);
  const digestFile = `${file}.sha512`;
  const known = await readFile(digestFile, 'utf8').catch(() => null);
  if (known !== null && known === (await digestOf(file).catch(() => null)))
    return { file, sha512: known, place: source.place };
  if (!(await isThere(source.from))) return null;
  await mkdir(facts.folder, { recursive: true, mode: 0o700 });
  for (const old of await readdir(facts.folder)) {
    if (old.startsWith('isg-pro-') && old !== name) await rm(join(facts.folder, old), { force: true });
  }
  await copyWhole(source.from, file, { mode: source.mode });
  const sha512 = await digestOf(file);
  await writeFile(digestFile, sha512);
  return { file, sha512, place: source.place };
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
    return startInstaller(facts.resourcesPath, old.file, { ...facts.env });
  }
  await copyWhole(old.file, old.place, { mode: PROGRAM_MODE, sha512: old.sha512 });
  beforeStart();
  await startDetached(old.place, args, { ...facts.env, APPIMAGE: old.place });
}

/** After an installation that failed: the running version's file is as it was. Throws when it is not and cannot be restored. */
export async function restoreProgram({ file, sha512, place }: OldProgram): Promise<void> {
  if (place === '') return;
  if ((await digestOf(place).catch(() => null)) === sha512) return;
  await copyWhole(file, place, { mode: PROGRAM_MODE, sha512 });
}

async function sourceOf(facts: OldProgramFacts, version: string) {
  const appImage = appImageOf(facts);
  if (appImage !== null) return { from: appImage, ending: '.AppImage', place: appImage, mode: PROGRAM_MODE };
  const { platform, env } = facts;
  if (platform !== 'win32' || env.LOCALAPPDATA === undefined) return null;
  // where the NSIS installer leaves a copy of itself, for the user in whose name it ran: it may be of another version
  const from = join(env.LOCALAPPDATA, 'isg-pro-updater', 'installer.exe');
  if ((await installerVersion(from).catch(() => null)) !== version) return null;
  return { from, ending: '.exe', place: '', mode: 0o600 };
}
