/**
 * A command line that CommandLineToArgvW and the C runtime split into exactly these arguments: backslashes count only before a
 * quote, where each is doubled, and the quote gets one of its own. Every argument is quoted, so that none is split. Pure.
 */
export function windowsCommandLine(args: readonly string[]): string {
  return args.map(quoted).join(' ');
}

function quoted(argument: string): string {
  const inside = argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1');
  return `"${inside}"`;
}

/** The arguments that `windowsCommandLine` made; null when there is anything else. Pure. */
export function splitWindowsCommandLine(line: string): string[] | null {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/gsu)].map(([, inside = '']) =>
    inside.replace(/(\\+)("|$)/g, (_all, slashes: string, end: string) => slashes.slice(0, slashes.length / 2) + end),
  );
  return windowsCommandLine(words) === line ? words : null;
}
