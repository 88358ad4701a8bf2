/** Without them the new version would be another node, or none. */
const NEEDED = ['--data-dir', '--config'];

/**
 * The argument of this run that its successor needs and would not get, null when there is none: the installers of Windows and
 * macOS start the new version without any. Pure.
 */
export function lostArgument(platform: NodeJS.Platform, args: readonly string[]): string | null {
  if (platform !== 'win32' && platform !== 'darwin') return null;
  return NEEDED.find((name) => args.some((one) => one === name || one.startsWith(`${name}=`))) ?? null;
}
