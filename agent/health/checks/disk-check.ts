import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type HealthCheck, ok, warning } from '../health-check.ts';

/** Below this a proxy of a long clip may not fit. */
const LOW_BYTES = 2_000_000_000;

/** Warns when the data folder, which holds cache and temporary files, runs full. Local disk: it cannot hang like a mount. */
export function createDiskCheck(dataDir: string): HealthCheck {
  return {
    name: 'disk',
    everyMs: 30_000,
    timeoutMs: 5_000,
    ask: async () => {
      const { bavail, bsize } = await statfs(nearestFolder(dataDir));
      const freeBytes = bavail * bsize;
      if (freeBytes >= LOW_BYTES) return ok('disk');
      return warning('disk', {
        reason: `Only ${(freeBytes / 1e9).toFixed(1)} GB are free in ${dataDir}.`,
        remedy:
          'Free some space, or move the data folder by data-dir in config.ini; transcodes need room for their output.',
      });
    },
  };
}

/** The folder itself, or the nearest above it that exists: before the first start there is none yet. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
