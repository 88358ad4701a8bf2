/** Finding, fetching and installing a version; electron-updater behind it, a scripted one in tests. */
export interface Installer {
  /** The version in the feed if it is newer than this one, else null. Throws in words when the feed cannot be used. */
  check(feed: string): Promise<string | null>;
  /** Fetches what the last check found and holds it against the feed's digest. Throws in words. */
  download(onPercent: (percent: number) => void): Promise<void>;
  /** Whether the program can be replaced without somebody who confirms it. */
  canInstallAlone(): boolean;
  /**
   * Replaces the program and starts the new one with `args`; when it resolves, this process has only to end. Where the
   * system's own installer ends it, it never resolves. Throws when it did not come to that, at the latest when `signal` says so.
   */
  install(args: readonly string[], signal: AbortSignal): Promise<void>;
  /** Whether `install` has passed the point from which only the next start can tell what came of it. */
  isReplacing(): boolean;
}
