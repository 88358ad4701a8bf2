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
