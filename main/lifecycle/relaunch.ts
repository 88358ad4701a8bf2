import { appImageOf, type ProgramFacts } from '../updates/app-image.ts';

/**
 * How Electron is to start this application anew, with its arguments. Of an AppImage the image is started, not the program in
 * it, whose folder is gone when the image ends.
 */
export function relaunchOptions(program: ProgramFacts & { argv: readonly string[] }): {
  args: string[];
  execPath?: string;
} {
  const args = program.argv.slice(1);
  const image = appImageOf(program);
  return image === null ? { args } : { args, execPath: image };
}
