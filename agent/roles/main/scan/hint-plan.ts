import { directoryOf, isWithin, pathKey } from '../../../storage/storage-path.ts';

/** Where to look between scans, and when: pure; time comes in as an argument. */

/** More directories than this at once are a matter for a whole pass. */
export const MAX_LOOK = 300;

/** Directories that are to be looked at, each at its time; one that is named twice keeps the earlier. */
export class LookAgenda {
  readonly #due = new Map<string, number>();

  get size(): number {
    return this.#due.size;
  }

  add(directories: Iterable<string>, atMs: number): void {
    for (const directory of directories) {
      this.#due.set(directory, Math.min(atMs, this.#due.get(directory) ?? Number.POSITIVE_INFINITY));
    }
  }

  /** When the next one is due; Infinity when none is on the list. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const atMs of this.#due.values()) next = Math.min(next, atMs);
    return next;
  }

  /** Takes those that are due off the list. */
  take(nowMs: number): string[] {
    const due = [...this.#due].filter(([, atMs]) => atMs <= nowMs).map(([directory]) => directory);
    for (const directory of due) this.#due.delete(directory);
    return due;
  }

  clear(): void {
    this.#due.clear();
  }
}

/** Which directories were active last; remembers about twice as many as are asked for. */
export class ActivityRanking {
  readonly #newest = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Something happened in a directory, milliseconds since the epoch. */
  note(directory: string, atMs: number): void {
    this.#newest.set(directory, Math.max(atMs, this.#newest.get(directory) ?? Number.NEGATIVE_INFINITY));
    if (this.#newest.size <= this.#limit * 2) return;
    const keep = new Set(this.top(this.#limit));
    for (const known of this.#newest.keys()) if (!keep.has(known)) this.#newest.delete(known);
  }

  forget(directory: string): void {
    this.#newest.delete(directory);
  }

  /** The `count` most recently active, most recent first. */
  top(count: number): string[] {
    return [...this.#newest]
      .sort(([, one], [, other]) => other - one)
      .slice(0, count)
      .map(([directory]) => directory);
  }
}

/** The directories to watch: the roots always, then the most recently active inside of them, at most `limit`. */
export function directoriesToWatch(roots: readonly string[], active: readonly string[], limit: number): string[] {
  const inside = active.filter((directory) => isInScan(directory, roots));
  return [...new Set([...roots, ...inside])].slice(0, limit);
}

/** Whether a path is one of these roots or lies in one. */
export function isInScan(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => isWithin(pathKey(path), pathKey(root)));
}

/** What a scan on demand names, as iconik's scan request does (reference A.6). */
export interface ScanRequest {
  /** Directories, with all below; '' = the whole storage. */
  paths?: readonly string[];
  files?: readonly string[];
  /** What is being looked at just now is not looked at again afterwards. */
  ignoreAlreadyActive?: boolean;
}

/** What a request comes down to. `outside`: named, but no part of what is scanned. */
export interface RequestedLooks {
  /** A whole pass. */
  isWhole: boolean;
  deep: string[];
  shallow: string[];
  outside: string[];
}

const plain = (path: string): string =>
  path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/');

/** Turns a request into looks: a path with all below, for a file its directory alone. Nothing named = the whole storage. */
export function planRequest(request: ScanRequest, roots: readonly string[]): RequestedLooks {
  const paths = (request.paths ?? []).map(plain);
  const files = (request.files ?? []).map(plain).filter((file) => file !== '');
  const isEmpty = paths.length + files.length === 0;
  const isWhole = isEmpty || paths.some((path) => roots.some((root) => isWithin(pathKey(root), pathKey(path))));
  if (isWhole) return { isWhole, deep: [], shallow: [], outside: [] };
  const outside = [...paths, ...files].filter((path) => !isInScan(path, roots) || path.split('/').includes('..'));
  const isAsked = (path: string) => !outside.includes(path);
  const deep = [...new Set(paths.filter(isAsked))];
  const shallow = [...new Set(files.filter(isAsked).map(directoryOf))].filter(
    (directory) => !isInScan(directory, deep),
  );
  return { isWhole, deep, shallow, outside };
}
