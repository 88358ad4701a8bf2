import { hasEverHeldFiles } from '../../db/queries/storage-root.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { isMountMissing } from './awaited-mount.ts';

const PROBE_TIMEOUT_MS = 5_000;

/**
 * Marks the root of a storage that has never been used, so that a restore to it can begin; answers whether it did. An
 * empty root without a marker is otherwise taken for the folder under a vanished mount. Only somebody's order to put files
 * there, on a storage of which the index never knew a file or a marker, makes it a new storage instead; and not even that
 * where this machine says that a mount is missing. The scan finds the marker and remembers it.
 */
export async function markFreshRoot(
  sql: Sql,
  context: Pick<JobContext<unknown>, 'confirmLease' | 'log'>,
  storage: StorageAccess,
): Promise<boolean> {
  const probe = await storage.probe({ testWrite: true, timeoutMs: PROBE_TIMEOUT_MS });
  if (probe.kind === 'unreachable' || probe.marker !== 'absent' || !probe.empty || !probe.writable) return false;
  if ((await hasEverHeldFiles(sql, storage.storageId)) || (await isMountMissing(storage.mountPoint))) return false;
  await context.confirmLease();
  await storage.placeMarker();
  context.log.info('The root of a new, empty storage was marked, because files are to be downloaded to it.', {
    storageId: storage.storageId,
    mountPoint: storage.mountPoint,
  });
  return true;
}
