import { access, constants } from 'node:fs/promises';

// What a header claims decides how much memory most tools ask for, and only ImageMagick lets itself be limited. On Linux a
// program of the system (util-linux) sets the limit and becomes the tool; elsewhere only the time is limited.

/** Address space of a tool: several times what the largest picture takes, and enough for an office program. */
const MOST_BYTES = 6 * 1024 ** 3;
const PROGRAM = '/usr/bin/prlimit';

let isThere: Promise<boolean> | null = null;

/** The program and arguments that run a tool within its memory; unchanged where that cannot be limited. */
export async function withinMemory(
  program: string,
  args: readonly string[],
): Promise<{ program: string; args: readonly string[] }> {
  isThere ??=
    process.platform === 'linux'
      ? access(PROGRAM, constants.X_OK).then(
          () => true,
          () => false,
        )
      : Promise.resolve(false);
  if (!(await isThere)) return { program, args };
  return { program: PROGRAM, args: [`--as=${MOST_BYTES}`, '--', program, ...args] };
}
