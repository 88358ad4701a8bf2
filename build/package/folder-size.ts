import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all files under the folder; links count nothing. */
export async function folderSize(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

/** One part of an unpacked application and what it may weigh. */
export interface SizeBudget {
  /** Below the application's resources, or `.` for the whole. */
  part: string;
  /** 1 MB = 1,000,000 bytes. */
  megabytes: number;
}

/** What may lie inside, with room for growth; a part above it is looked at before it is raised. */
export const SIZE_BUDGETS: readonly SizeBudget[] = [
  { part: 'app.asar', megabytes: 6 },
  { part: 'app.asar.unpacked/out', megabytes: 6 },
  { part: 'app.asar.unpacked/node_modules', megabytes: 80 },
  { part: 'node', megabytes: 135 },
  { part: 'ffmpeg', megabytes: 260 },
  { part: '.', megabytes: 760 },
];

/** One line a part, and whether all are within their budgets. */
export function judgeSizes(sizes: ReadonlyMap<string, number>): { lines: string[]; isWithin: boolean } {
  let isWithin = true;
  const lines = SIZE_BUDGETS.map(({ part, megabytes }) => {
    const size = (sizes.get(part) ?? 0) / 1e6;
    if (size > megabytes) isWithin = false;
    return `${size > megabytes ? 'TOO BIG' : 'ok'} ${part}: ${size.toFixed(1)} of ${megabytes} MB`;
  });
  return { lines, isWithin };
}
