import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { watch } from 'chokidar';

/** An editor writes in several steps; the file is looked at when it has been quiet this long. */
const QUIET_MS = 150;
/**
 * Network folders and full watch tables tell nothing: a change is seen all the same, for one small read. Seldom, because the agent
 * looks each second by itself: here it only decides what the window shows.
 */
const LOOK_ANYWAY_MS = 5_000;

/**
 * Calls back after each change of the file's content, its appearance and its disappearance. File and folder may be missing
 * yet. Never throws. Returns the function that ends it.
 */
export function watchConfig(path: string, onChange: () => void): () => void {
  // at once: what is changed from now on is news, however late the first look comes
  let seen = firstContent(path);
  let isReading = false;
  let isOver = false;
  let quiet: NodeJS.Timeout | undefined;
  const look = async () => {
    // a read that hangs is not joined by others
    if (isReading) return;
    isReading = true;
    const now = await contentOf(path);
    isReading = false;
    if (isOver || now === seen) return;
    seen = now;
    onChange();
  };
  const watcher = watch(path, { ignoreInitial: true, atomic: false });
  watcher.on('all', () => {
    clearTimeout(quiet);
    quiet = setTimeout(() => void look(), QUIET_MS);
  });
  watcher.on('error', () => {
    // ignored because the regular look finds the change, a little later
  });
  const regular = setInterval(() => void look(), LOOK_ANYWAY_MS);
  return () => {
    isOver = true;
    clearTimeout(quiet);
    clearInterval(regular);
    void watcher.close();
  };
}

function firstContent(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // ignored as below
    return null;
  }
}

/** Bytes as characters; null when there is no file to read. */
async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'latin1');
  } catch {
    // ignored because what is wrong with it is told by whoever reads it next; here it counts as absent
    return null;
  }
}
