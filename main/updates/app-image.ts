import { realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';

/** What tells where a process came from. */
export interface ProgramFacts {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  /** The executable of this process. */
  execPath: string;
}

/**
 * The AppImage that this process runs from; null when it runs from something else. APPIMAGE alone says nothing: whatever is
 * started from a terminal inside another AppImage inherits it. Only of one's own the executable lies below APPDIR, where the
 * AppImage is mounted.
 */
export function appImageOf({ platform, env, execPath }: ProgramFacts): string | null {
  const { APPIMAGE = '', APPDIR = '' } = env;
  if (platform !== 'linux' || !isAbsolute(APPIMAGE) || APPDIR === '') return null;
  const way = relative(real(APPDIR), real(execPath));
  const isBelow = way !== '' && way.split('/')[0] !== '..' && !isAbsolute(way);
  return isBelow ? APPIMAGE : null;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // ignored because a path that cannot be followed is compared as it is written
    return resolve(path);
  }
}
