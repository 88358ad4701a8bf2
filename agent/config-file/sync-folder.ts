import { open } from 'node:fs/promises';

/**
 * Makes a rename in this folder survive a power cut. Does nothing on Windows, which cannot open folders; its rename is
 * journalled. Throws what the file system throws.
 */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
