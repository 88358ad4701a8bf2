import type { ServedStorage } from '../../../cluster/served-storages.ts';
import { newestDirectories } from '../../../db/queries/scan-hint.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import { ActivityRanking, directoriesToWatch } from './hint-plan.ts';
import { rootsOf } from './scan-settings.ts';

/** Directories watched at once: a watch costs the system memory, and old folders hardly change. */
const MAX_WATCHED = 2_000;
/** A watch that ended by itself is begun anew after this. */
const AGAIN_MS = 60_000;

/** What watching works with. */
export interface HintWatchDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  storageId: string;
  served(): ServedStorage | undefined;
  onHint(directories: readonly string[]): void;
  /** A watch has begun. */
  onWatching(): void;
}

/** Keeps a watch on the most recently active directories of one storage. Its trouble is said once and never matters. */
export class HintWatch {
  readonly #deps: HintWatchDeps;
  readonly #ranking = new ActivityRanking(MAX_WATCHED);
  readonly #begun = Promise.withResolvers<void>();
  #hasBegun = false;
  #watched = new Set<string>();
  #said: string | null = null;
  /** What the running watch was begun with; it is begun anew when this changes. */
  #settings = '';
  #renew: AbortController | null = null;

  constructor(deps: HintWatchDeps) {
    this.#deps = deps;
  }

  /** Learns once which directories are active, and lets the watching begin; later, follows changed settings. */
  async begin(): Promise<void> {
    const { database, storageId } = this.#deps;
    if (this.#hasBegun) {
      if (this.#settings !== this.#currentSettings()) this.#renew?.abort();
      return;
    }
    for (const { directory, newestMs } of await newestDirectories(database, storageId, MAX_WATCHED)) {
      this.#ranking.note(directory, newestMs);
    }
    this.#hasBegun = true;
    this.#begun.resolve();
  }

  /** Directories in which something changed just now. */
  async noteActive(directories: readonly string[]): Promise<void> {
    const nowMs = this.#deps.clock.wallMs();
    for (const directory of directories) this.#ranking.note(directory, nowMs);
    const served = this.#deps.served();
    if (!served || this.#renew === null || directories.every((directory) => this.#watched.has(directory))) return;
    const next = this.#wanted(served);
    this.#watched = new Set(next);
    try {
      await served.access.follow(next);
    } catch (thrown) {
      this.#say('more directories could not be watched; changes in them are found by scans alone', thrown);
    }
  }

  /** Directories that are gone. */
  forget(directories: readonly string[]): void {
    for (const directory of directories) {
      this.#ranking.forget(directory);
      this.#watched.delete(directory);
    }
  }

  /** Watches until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#begun.promise, aborted(signal)]);
    while (!signal.aborted) {
      const renew = new AbortController();
      this.#renew = renew;
      const isOver = await this.#watchOnce(AbortSignal.any([signal, renew.signal]));
      this.#renew = null;
      if (isOver || signal.aborted) return;
      if (!renew.signal.aborted) await this.#deps.clock.sleep(AGAIN_MS, signal).catch(() => undefined);
    }
  }

  /** Answers whether there is no use in trying again. */
  async #watchOnce(signal: AbortSignal): Promise<boolean> {
    const deps = this.#deps;
    const served = this.#deps.served();
    if (!served) return true;
    try {
      const directories = this.#wanted(served);
      this.#watched = new Set(directories);
      this.#settings = this.#currentSettings();
      const { scan_ignore: ignore = [], scan_include: include = [] } = served.storage.settings;
      const hear = (hinted: string[]) => (hinted.length === 0 ? deps.onWatching() : deps.onHint(hinted));
      const { fileSystem } = await served.access.watch({ directories, ignore, include }, hear, signal);
      deps.log.info('the storage is not watched, because its file system is not local; changes are found by scans', {
        fileSystem,
      });
      return true;
    } catch (thrown) {
      if (!signal.aborted) this.#say('the storage is not watched now; changes are found by scans', thrown);
      return false;
    }
  }

  #wanted(served: ServedStorage): string[] {
    return directoriesToWatch(rootsOf(served), this.#ranking.top(MAX_WATCHED), MAX_WATCHED);
  }

  #currentSettings(): string {
    const served = this.#deps.served();
    if (!served) return '';
    const { scan_directories: roots, scan_ignore: ignore, scan_include: include } = served.storage.settings;
    return JSON.stringify([served.access.mountPoint, roots, ignore, include]);
  }

  #say(words: string, thrown: unknown): void {
    const error = coerceError(thrown);
    const level = this.#said === words ? 'debug' : 'warn';
    this.#said = words;
    this.#deps.log[level](words, { error });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
