/**
 * One argument of a command in a unit (ExecStart=): in double quotes, backslash and quote escaped, `%` and `$` doubled, because systemd would replace specifiers and variables there (systemd.service(5),
 * "Command lines"). Pure.
 */
export function systemdArgument(text: string): string {
  return `"${escaped(text).replaceAll('$', '$$$$')}"`;
}

/** A path in a list of paths (ReadWritePaths=): quoted likewise; `$` means nothing special there. Pure. */
export function systemdPath(path: string): string {
  return `"${escaped(path)}"`;
}

// No control characters: the entry refuses paths that hold any.
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
}

/** The arguments that `systemdArgument` made, side by side; null when there is anything else. Pure. */
export function readSystemdArguments(line: string): string[] | null {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/gsu)].map(([, inside = '']) => inside);
  if (words.map((inside) => `"${inside}"`).join(' ') !== line) return null;
  return words.map((inside) =>
    inside.replace(/\\(.)|%%|\$\$/gsu, (all, escapedOne?: string) => escapedOne ?? all.charAt(0)),
  );
}
