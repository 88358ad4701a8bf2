import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** A lock that is ours until `release`, or until this process ends in whatever way. */
export interface FileLock {
  /** Safe to call twice. */
  release(): void;
}

/** SQLite's words for "somebody else holds it". */
const HELD = /^SQLITE_(BUSY|LOCKED)/;

/**
 * Takes an exclusive operating-system lock on a file by an open EXCLUSIVE transaction of SQLite; null when another process
 * (or another call in this one) holds it. The lock dies with the process, so there is no stale lock to judge. Never open
 * such a file by other means in this process: closing any descriptor of it would drop the lock (POSIX record locks).
 * Throws what the file system throws when the file cannot be made.
 */
export function tryLockFile(path: string): FileLock | null {
  const database = new Database(path, { timeout: 0 });
  try {
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    database.close();
    if (thrown instanceof Error && 'code' in thrown && HELD.test(String(thrown.code))) return null;
    throw thrown;
  }
  return {
    release: () => {
      if (database.open) database.close();
    },
  };
}

/** Folders in the data folder that hold what is nobody else's business: logs name files and servers, renditions are footage. */
const CLOSED = ['cache', 'logs', 'temp'];

/**
 * Takes from all but the owner and the group what they could read here, also where an earlier version, or a hand, has made a
 * folder for everybody. The data folder itself may be passed still: the embedded PostgreSQL has a user of its own when the
 * agent is root, and enters it.
 */
function closeToOthers(dir: string): void {
  if (process.platform === 'win32') return;
  takeFromOthers(dir, 0o006);
  for (const name of CLOSED) {
    mkdirSync(join(dir, name), { recursive: true, mode: 0o750 });
    takeFromOthers(join(dir, name), 0o007);
  }
}

function takeFromOthers(folder: string, rights: number): void {
  const { mode, uid } = statSync(folder);
  // What is not ours is somebody's decision.
  if (uid === process.getuid?.() && (mode & rights) !== 0) chmodSync(folder, mode & 0o7777 & ~rights);
}

/** Makes this process the only agent on a data folder (file `lock.db`); null when another one is. Makes the folder. */
export function lockDataFolder(dir: string): FileLock | null {
  mkdirSync(dir, { recursive: true, mode: 0o750 });
  closeToOthers(dir);
  return tryLockFile(join(dir, 'lock.db'));
}
