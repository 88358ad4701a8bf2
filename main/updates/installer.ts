/** Finding, fetching and installing a version; electron-updater behind it, a scripted one in tests. */
export interface Installer {
  /** The version in the feed if it is newer than this one, else null. Throws in words when the feed cannot be used. */
  check(feed: string): Promise<string | null>;
  /** Fetches what the last check found and holds it against the feed's digest. Throws in words. */
  download(onPercent: (percent: number) => void): Promise<void>;
  /** Whether the program can be replaced without somebody who confirms it. */
  canInstallAlone(): boolean;
  /** Replaces the program, starts the new one and ends this one. Throws when it did not come to that. */
  install(): void;
}
