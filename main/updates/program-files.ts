import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../agent/config-file/sync-folder.ts';

/** Programs as files: replaced as a whole, compared, started. */

/** What a copy has to be. */
export interface CopyDemands {
  mode: number;
  /** Digest that the copy must have, read back from where it was written; default: not looked at. */
  sha512?: string;
  /** Called when only the rename is left: the last moment at which nothing has happened. What it throws ends the copy. */
  commit?: () => void;
}

/**
 * The whole file or the one that was there before, also after a kill or a power cut. Throws what the file system throws, and
 * in words when the copy is not what it should be; then `to` is untouched and nothing is left beside it.
 */
export async function copyWhole(from: string, to: string, { mode, sha512, commit }: CopyDemands): Promise<void> {
  const temporary = `${to}.new`;
  try {
    await copyFile(from, temporary);
    await chmod(temporary, mode);
    const handle = await open(temporary, 'r+');
    await handle.sync().finally(() => handle.close());
    if (sha512 !== undefined && (await digestOf(temporary)) !== sha512)
      throw new Error(`The copy of ${from} is not what it should be.`);
    commit?.();
    await rename(temporary, to);
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw thrown;
  }
  await syncFolder(dirname(to));
}

/** SHA-512 of a file, base64 as in the feed. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('base64');
}

/** Whether there is something at the path. */
export async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Starts a program that outlives this one; throws when it does not begin. */
export async function startDetached(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(file, [...args], { detached: true, stdio: 'ignore', env });
  await once(child, 'spawn');
  child.unref();
}

/** Runs a Windows installer silently; it starts the application afterwards. Throws when it does not begin. */
export async function startInstaller(resourcesPath: string, installer: string, env: NodeJS.ProcessEnv): Promise<void> {
  const args = ['--updated', '/S', '--force-run'];
  try {
    await startDetached(installer, args, env);
  } catch {
    // ignored because an installer for all users needs rights that only this asks for
    await startDetached(join(resourcesPath, 'elevate.exe'), [installer, ...args], env);
  }
}
