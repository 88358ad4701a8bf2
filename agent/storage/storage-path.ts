/**
 * Rules of paths inside a storage: relative to the mount point, `/`-separated, no leading slash, '' = the root. Pure; what
 * symbolic links do is checked where the storage is touched (`process/contained-path.ts`).
 */
import { isUtf8 } from 'node:buffer';
import { posix, win32 } from 'node:path';
import { IsgError } from '../runtime/errors.ts';
import { mayStandForBytes, spelledBytes } from './odd-name.ts';

/** Name of the identity marker in the root of a storage. */
export const MARKER_NAME = '.isg-pro-storage';

/** Longest path we take, in UTF-16 units; longer ones fail in every file system, and would bloat messages. */
const MAX_PATH_LENGTH = 4_096;

/**
 * Longest path that the index takes, in bytes of UTF-8: PostgreSQL refuses index entries above 2,704 bytes, and beside the path
 * stand the storage's id and, in keys of jobs and creations, some hundred bytes more.
 */
const MAX_INDEXED_BYTES = 2_400;
/** From this length on, Windows programs need the prefix `\\?\`. */
const WINDOWS_MAX_PATH = 260;

function refuse(path: string, why: string): never {
  throw new IsgError('outside-storage', `The path ${JSON.stringify(path.slice(0, 200))} ${why}; it is not touched.`, {
    retry: 'permanent',
    fields: { path: path.slice(0, 200) },
  });
}

/**
 * The segments of a path ('' has none). Throws `outside-storage` for an absolute path, `.` or `..`, an empty segment, a NUL
 * byte, and on Windows for a backslash or a colon (drive letters and alternate streams).
 */
export function pathSegments(path: string, platform: NodeJS.Platform = process.platform): string[] {
  if (path === '') return [];
  if (path.length > MAX_PATH_LENGTH) refuse(path, `is longer than ${MAX_PATH_LENGTH} characters`);
  if (path.includes('\0')) refuse(path, 'holds a NUL byte');
  if (path.startsWith('/')) refuse(path, 'is absolute, but must be relative to the mount point');
  if (platform === 'win32' && /[\\:]/.test(path)) refuse(path, 'holds a backslash or a colon');
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') refuse(path, 'has an empty, "." or ".." segment');
  }
  return segments;
}

/**
 * Absolute path of a file for other programs; pure. On Windows a long one, and one of which a segment is a device's name or ends
 * in a dot or a space, gets the prefix `\\?\` (Node's own file calls add it themselves). A segment that spells bytes which are UTF-8 is given as the name it stands for.
 */
export function absolutePathIn(mountPoint: string, path: string, platform: NodeJS.Platform = process.platform): string {
  const segments = pathSegments(path, platform).map((segment) => {
    if (!mayStandForBytes(segment)) return segment;
    const bytes = spelledBytes(segment);
    return bytes !== null && isUtf8(bytes) ? bytes.toString('utf8') : segment;
  });
  if (platform !== 'win32') return posix.join(mountPoint, ...segments);
  const absolute = win32.join(mountPoint, ...segments);
  // Without the prefix, programs would take such a name for a device, or for another file.
  const isPlain = segments.every((segment) => unwritableName(segment, platform) === null);
  return isPlain && absolute.length < WINDOWS_MAX_PATH ? absolute : win32.toNamespacedPath(absolute);
}

/** Whether the index has room for an entry of a directory; `directoryBytes` = UTF-8 length of the directory's path. */
export function isIndexable(directoryBytes: number, directory: string, name: string): boolean {
  // No UTF-16 unit takes more than six bytes, however NFC writes it: nearly every path is told by this.
  if (directoryBytes + 1 + name.length * 6 <= MAX_INDEXED_BYTES) return true;
  const path = joinPath(directory, name);
  return Math.max(Buffer.byteLength(path), Buffer.byteLength(pathKey(path))) <= MAX_INDEXED_BYTES;
}

/** Names that Windows keeps for devices, whatever their extension. */
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|$)/i;

/**
 * Why a platform cannot keep a file or directory of this name as it is, in words; null when it can. Windows would write `a.` as
 * `a`, `CON.mov` to the console, and `a:b` into a stream of `a`.
 */
export function unwritableName(name: string, platform: NodeJS.Platform = process.platform): string | null {
  if (platform !== 'win32') return null;
  if (WINDOWS_DEVICE.test(name)) return 'is the name of a device on Windows';
  if (/[. ]$/.test(name)) return 'ends in a dot or a space, which Windows drops';
  if (/[<>:"|?*\\/]/.test(name) || Array.from(name).some((character) => character < ' '))
    return 'holds a character that Windows does not allow in names';
  return name.length > 255 ? 'is longer than the 255 characters that Windows allows' : null;
}

/** A directory as people configure it: outer slashes and a leading `./` are dropped, the rest must keep the path rules. */
export function parseDirectory(text: string): string {
  const trimmed = text
    .trim()
    .replace(/^(?:\.?\/+)+/, '')
    .replace(/\/+$/, '');
  const path = trimmed === '.' ? '' : trimmed;
  pathSegments(path);
  return path;
}

/** Path of an entry of a directory. */
export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The form in which two paths are compared: NFC, so that a name typed on a Mac equals the same name typed elsewhere. */
export function pathKey(path: string): string {
  return path.normalize('NFC');
}

/** Directory of a path; '' for an entry of the root. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** Last segment of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether a path is a directory or lies in or below it; '' holds everything. */
export function isWithin(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`);
}

/** The directories that are not inside another of the list, each once; all of the storage when the list is empty. */
export function outermostDirectories(directories: readonly string[]): string[] {
  const paths = [...new Set(directories.map(parseDirectory))];
  if (paths.length === 0) return [''];
  return paths.filter((path) => !paths.some((other) => other !== path && isWithin(path, other)));
}
