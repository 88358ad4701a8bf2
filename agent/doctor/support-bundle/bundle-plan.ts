// Which log files go into a support bundle, and how much of each. Pure.

/** A file in the log folder. */
export interface LogFileFacts {
  name: string;
  sizeBytes: number;
  modifiedMs: number;
}

/** What becomes of it: its last `takeBytes` bytes are taken; 0 = it is only listed. */
export interface PlannedLog extends LogFileFacts {
  takeBytes: number;
}

/** How much is taken. */
export interface LogLimits {
  /** Of all files together. */
  totalBytes: number;
  /** Of one file; it is held in memory while its secrets are struck out. */
  fileBytes: number;
}

/** Enough for weeks of a busy node; a bundle of this size still passes by mail when compressed. */
export const LOG_LIMITS: LogLimits = { totalBytes: 48_000_000, fileBytes: 16_000_000 };

/** `agent.log`, `agent.1.log`, `main.old.log`, `main.log.1`. Compressed ones cannot be redacted. */
const LOG_NAME = /\.log(\.\w+)?$/;
const COMPRESSED = /\.(gz|zip|zst|br)$/;

/** Newest first, until the room is used up; the end of a file says more than its beginning. */
export function planLogs(files: readonly LogFileFacts[], { totalBytes, fileBytes }: LogLimits): PlannedLog[] {
  let left = totalBytes;
  return files
    .toSorted((a, b) => b.modifiedMs - a.modifiedMs || a.name.localeCompare(b.name))
    .map((file) => {
      const isLog = LOG_NAME.test(file.name) && !COMPRESSED.test(file.name);
      const takeBytes = isLog ? Math.min(file.sizeBytes, fileBytes, left) : 0;
      left -= takeBytes;
      return { ...file, takeBytes };
    });
}
