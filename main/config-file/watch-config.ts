import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** An editor writes in several steps; the file is looked at when it has been quiet this long. */
const QUIET_MS = 150;
/** Network folders and full watch tables tell nothing: look anyway, at the cost of one small read. */
const LOOK_ANYWAY_MS = 5_000;

/**
 * Calls back after each change of the file's content, its appearance and its disappearance. The folder is watched, because
 * saving replaces the file; it may be missing yet. Never throws. Returns the function that ends it.
 */
export function watchConfig(path: string, onChange: () => void): () => void {
  let seen = contentOf(path);
  let quiet: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | null = null;
  const look = () => {
    if (watcher === null) watcher = open();
    const now = contentOf(path);
    if (now === seen) return;
    seen = now;
    onChange();
  };
  const open = () =>
    tryWatch(dirname(path), {
      onEvent: (file) => {
        if (file !== null && file !== basename(path)) return;
        clearTimeout(quiet);
        quiet = setTimeout(look, QUIET_MS);
      },
      onEnd: () => {
        watcher?.close();
        watcher = null;
      },
    });
  watcher = open();
  const regular = setInterval(look, LOOK_ANYWAY_MS);
  return () => {
    clearTimeout(quiet);
    clearInterval(regular);
    watcher?.close();
  };
}

/** null when there is nothing to watch. */
function tryWatch(folder: string, on: { onEvent: (file: string | null) => void; onEnd: () => void }): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, (_, file) => on.onEvent(file));
    watcher.on('error', on.onEnd);
    return watcher;
  } catch {
    // ignored because the regular look finds the change, a little later
    return null;
  }
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // ignored because what is wrong with it is told by whoever reads it next; here it counts as absent
    return null;
  }
}
