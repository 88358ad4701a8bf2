/**
 * Rules of paths inside a storage: relative to the mount point, `/`-separated, no leading slash, '' = the root. Pure; what
 * symbolic links do is checked where the storage is touched (`process/contained-path.ts`).
 */
import { IsgError } from '../runtime/errors.ts';

/** Longest path we take, in UTF-16 units; longer ones fail in every file system, and would bloat messages. */
const MAX_PATH_LENGTH = 4_096;

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
