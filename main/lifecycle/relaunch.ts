import { join, sep } from 'node:path';

/**
 * How Electron is to start this application anew. Of an AppImage the image is started, not the program in it, whose folder is
 * gone when the image ends. APPIMAGE alone says nothing: a program inherits it from another image that started it. Pure.
 */
export function relaunchOptions({
  argv,
  env,
  execPath,
}: {
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  execPath: string;
}): { args: string[]; execPath?: string } {
  const args = argv.slice(1);
  const { APPIMAGE, APPDIR } = env;
  const isImage = APPIMAGE && APPDIR && execPath.startsWith(join(APPDIR, sep));
  return isImage ? { args, execPath: APPIMAGE } : { args };
}
