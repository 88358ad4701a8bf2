import { randomUUID } from 'node:crypto';
import { mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissingFile } from '../support/app-error.ts';

/** Holds secrets: nobody but the owner reads it. */
const MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * Replaces a file as a whole: after a crash or power cut at any moment the old or the new content is there, never a part.
 * A symbolic link stays one; its target is replaced. The folder is made if missing. Throws what the file system throws.
 */
export async function writeAtomically(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  const target = await realpath(path).catch((thrown: unknown) => {
    if (isMissingFile(thrown)) return path;
    throw thrown;
  });
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', MODE);
    try {
      await file.writeFile(content, 'utf8');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncFolder(dirname(target));
}

/** Makes the rename itself survive a power cut. Windows cannot open folders; its rename is journalled. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
