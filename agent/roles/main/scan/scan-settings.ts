import type { ServedStorage } from '../../../cluster/served-storages.ts';
import type { Storage } from '../../../iconik/api.ts';
import { outermostDirectories } from '../../../storage/storage-path.ts';

/** Seconds between two passes when the storage does not say (reference A.5). */
const DEFAULT_SCAN_INTERVAL_S = 5;
/** Seconds of quiet before a file is read when the storage does not say: longer than editors pause between writes. */
const DEFAULT_GROWING_THRESHOLD_S = 60;

/** Whether the leader scans the storage. */
export function isScanned({ storage }: ServedStorage): boolean {
  return storage.settings.scan === true && storage.settings.read !== false;
}

/** Pause between two passes, milliseconds, at least 100. */
export function scanIntervalMs(storage: Storage): number {
  return Math.max(100, (storage.settings.scan_interval_seconds ?? DEFAULT_SCAN_INTERVAL_S) * 1000);
}

/** Seconds a file must be quiet before it is read. */
export function growingThresholdS(storage: Storage): number {
  return storage.settings.growing_files_threshold ?? DEFAULT_GROWING_THRESHOLD_S;
}

/** The directories that a scan covers, '' = all of the storage; throws `outside-storage` for a setting that leads out. */
export function rootsOf({ storage }: ServedStorage): string[] {
  return outermostDirectories(storage.settings.scan_directories ?? []);
}
