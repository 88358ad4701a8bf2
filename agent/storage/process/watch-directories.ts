/**
 * Watches directories for hints. Only the directories themselves are watched (one watch of the system each), none of their
 * files. Trouble is said once and never ends anything: whoever gets no hint finds the change by the next scan.
 */
import { join } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { compileSelection, type WalkSelection } from '../ignore-patterns.ts';
import type { WatchEnd } from '../storage-access.ts';
import type { RequestOf } from '../storage-messages.ts';
import { joinPath, pathSegments } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import { systemCode } from './local-filesystem.ts';
import { networkFileSystem } from './local-mount.ts';

/** Events of a directory come in bursts; one hint stands for those of this span. */
const GATHER_MS = 100;
/** A directory that is not watched after this is taken for one that cannot be. */
const FOLLOW_LIMIT_MS = 2_000;
const FOLLOW_LOOK_MS = 50;

const OUT_OF_WATCHES = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM']);

class DirectoryWatch {
  readonly #context: CallContext;
  readonly #selection: WalkSelection;
  /** Absolute path to path in the storage. */
  readonly #wanted = new Map<string, string>();
  readonly #hinted = new Set<string>();
  readonly #watcher: FSWatcher;
  #timer: NodeJS.Timeout | undefined;
  #hasComplained = false;

  constructor(request: RequestOf<'watch'>, context: CallContext) {
    this.#context = context;
    this.#selection = compileSelection(request, { ignoreCase: process.platform === 'win32' }).selection;
    for (const path of request.directories) this.#wanted.set(this.#absolute(path), path);
    this.#watcher = watch([...this.#wanted.keys()], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignorePermissionErrors: true,
      ignored: (path) => !this.#wanted.has(path),
    });
    this.#watcher.on('raw', (_event, name, details) => this.#onRaw(name, details));
    this.#watcher.on('error', (thrown) => this.#complain(thrown));
    this.#watcher.once('ready', () => context.sendHint([]));
  }

  /** Watches these instead; resolves when the new ones are watched or cannot be. */
  async follow(directories: readonly string[]): Promise<void> {
    const next = new Map(directories.map((path) => [this.#absolute(path), path]));
    const added = [...next.keys()].filter((absolute) => !this.#wanted.has(absolute));
    const removed = [...this.#wanted.keys()].filter((absolute) => !next.has(absolute));
    for (const absolute of removed) this.#wanted.delete(absolute);
    if (removed.length > 0) this.#watcher.unwatch(removed);
    for (const absolute of added) this.#wanted.set(absolute, next.get(absolute) ?? '');
    if (added.length === 0) return;
    this.#watcher.add(added);
    const since = performance.now();
    while (!this.#isWatching(added) && performance.now() - since < FOLLOW_LIMIT_MS) {
      assertNotCancelled(this.#context.signal);
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_LOOK_MS));
    }
    // What happened in them before they were watched, nobody has told.
    for (const absolute of added) this.#hint(next.get(absolute) ?? '');
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher.close();
  }

  #absolute(path: string): string {
    return join(this.#context.mountPoint, ...pathSegments(path));
  }

  #isWatching(added: readonly string[]): boolean {
    const watched = this.#watcher.getWatched();
    return added.every((absolute) => Object.hasOwn(watched, absolute));
  }

  #onRaw(name: unknown, details: unknown): void {
    const watched =
      typeof details === 'object' && details !== null && 'watchedPath' in details ? details.watchedPath : null;
    const directory = typeof watched === 'string' ? this.#wanted.get(watched) : undefined;
    if (directory === undefined) return;
    if (typeof name === 'string' && name !== '') {
      const path = joinPath(directory, name);
      // Whether it is a file or a directory is not told; it must be left out as either.
      if (this.#selection.skipsEntry(path) && this.#selection.skipsDirectory(path)) return;
    }
    this.#hint(directory);
  }

  #hint(directory: string): void {
    this.#hinted.add(directory);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const directories = [...this.#hinted];
      this.#hinted.clear();
      this.#context.sendHint(directories);
    }, GATHER_MS);
  }

  #complain(thrown: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const code = systemCode(thrown);
    const words = OUT_OF_WATCHES.has(code)
      ? 'the system watches no more directories; changes in the others are found by scans alone (on Linux raise fs.inotify.max_user_watches)'
      : 'a directory cannot be watched; changes in it are found by scans alone';
    this.#context.warn(words, { systemCode: code, reason: thrown instanceof Error ? thrown.message : String(thrown) });
  }
}

let current: DirectoryWatch | null = null;

/** Watches until the call is cancelled; answers at once when the mount is no disk of this machine. */
export async function watchDirectories(request: RequestOf<'watch'>, context: CallContext): Promise<WatchEnd> {
  const fileSystem = await networkFileSystem(context.mountPoint);
  if (fileSystem !== null) return { kind: 'not-local', fileSystem };
  assertNotCancelled(context.signal);
  const watching = new DirectoryWatch(request, context);
  current = watching;
  try {
    await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    if (current === watching) current = null;
    await watching.close();
  }
  throw context.signal.reason;
}

/** Gives the running watch other directories; nothing happens without one. */
export async function followDirectories(directories: readonly string[]): Promise<void> {
  await current?.follow(directories);
}
