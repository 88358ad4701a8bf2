import { readFile } from 'node:fs/promises';
import { watch } from 'chokidar';

/** An editor writes in several steps; the file is looked at when it has been quiet this long. */
const QUIET_MS = 100;
/** Network folders and full watch tables tell nothing: a change is seen within a second all the same, for one small read. */
const LOOK_ANYWAY_MS = 700;

/** The bytes of the file; null when it is gone or cannot be read now. */
export type ConfigBytes = Uint8Array | null;

/**
 * Tells each new content of the file, its appearance and its disappearance, and nothing twice. The first content is the one at
 * the start, and is not told. Never throws. Returns the function that ends it.
 */
export function watchConfigFile(path: string, first: ConfigBytes, onChange: (bytes: ConfigBytes) => void): () => void {
  let seen = first;
  let isReading = false;
  let isOver = false;
  let quiet: NodeJS.Timeout | undefined;
  const look = async () => {
    // a read that hangs is not joined by others
    if (isReading) return;
    isReading = true;
    const now = await readBytes(path);
    isReading = false;
    if (isOver || isSame(now, seen)) return;
    seen = now;
    onChange(now);
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
  regular.unref();
  return () => {
    isOver = true;
    clearTimeout(quiet);
    clearInterval(regular);
    void watcher.close();
  };
}

async function readBytes(path: string): Promise<ConfigBytes> {
  try {
    return await readFile(path);
  } catch {
    // ignored because what is wrong with it is told by whoever uses it; here it counts as absent
    return null;
  }
}

const isSame = (a: ConfigBytes, b: ConfigBytes): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
