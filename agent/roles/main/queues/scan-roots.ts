/** Scan directories as paths relative to the mount, NFC, without outer slashes; empty = the whole storage is scanned. Pure. */
export function scanRoots(directories: readonly string[] | undefined): string[] {
  const roots = (directories ?? []).map((directory) =>
    directory
      .split('/')
      .filter((segment) => segment !== '' && segment !== '.')
      .join('/')
      .normalize('NFC'),
  );
  return roots.includes('') ? [] : roots;
}

/** Whether a directory (NFC, '' = the root of the storage) lies outside of all these roots. */
export function isOutside(directory: string, roots: readonly string[]): boolean {
  return roots.length > 0 && !roots.some((root) => directory === root || directory.startsWith(`${root}/`));
}
