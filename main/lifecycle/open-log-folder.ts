import { mkdir } from 'node:fs/promises';
import { shell } from 'electron';
import { AppError } from '../support/app-error.ts';

/**
 * Shows the folder of the text files in the system's own window, and makes it first when nothing has been written yet. The
 * only path that is handed to the system. Throws `folder-not-opened`.
 */
export async function openLogFolder(folder: string): Promise<Record<string, never>> {
  try {
    await mkdir(folder, { recursive: true });
  } catch {
    // ignored because the system says below what is wrong with the folder
  }
  const why = await shell.openPath(folder);
  if (why === '') return {};
  throw new AppError('folder-not-opened', `The folder ${folder} could not be opened: ${why}`, 'transient');
}
