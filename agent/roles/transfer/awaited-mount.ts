import { readFile } from 'node:fs/promises';

/** Places of a mount table (`/etc/fstab`, `/proc/self/mounts`): the second field, with its octal escapes resolved. */
function placesOf(table: string): string[] {
  const lines = table.split('\n').filter((line) => !line.trim().startsWith('#'));
  const fields = lines.flatMap((line) => line.trim().split(/\s+/)[1] ?? []);
  return fields.map((field) => field.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))));
}

/** Whether something is to be mounted at or above `folder` (but for the system's root) and is not. Pure. */
export function isMountAwaited(folder: string, tables: { planned: string; mounted: string }): boolean {
  const mounted = new Set(placesOf(tables.mounted));
  const planned = placesOf(tables.planned).filter((place) => /^\/./.test(place) && !mounted.has(place));
  return planned.some((place) => `${folder}/`.startsWith(`${place.replace(/\/+$/, '')}/`));
}

/** Whether this machine plans a mount at or above `folder` that is not there now. Linux only; elsewhere nobody says. */
export async function isMountMissing(folder: string): Promise<boolean> {
  // Ignored because a system without the file plans nothing there.
  const read = (path: string) => readFile(path, 'utf8').catch(() => '');
  const [planned, mounted] = await Promise.all([read('/etc/fstab'), read('/proc/self/mounts')]);
  return mounted !== '' && isMountAwaited(folder, { planned, mounted });
}
