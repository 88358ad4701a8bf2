/** Walks a storage as an unprivileged user (root can read everything) and sends what it saw to the parent. */
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { DirectoryListing } from '../../../agent/storage/storage-access.ts';

const mountPoint = process.argv[2] ?? '';
const guard = await createChildGuard();
const storage = createStorageAccess({ storageId: 'user', mountPoint, guard, log: silentLogger });
const listings: DirectoryListing[] = [];
const summary = await storage.walk(
  { directories: [], ignore: [], include: [], concurrency: 2 },
  async (listing) => {
    listings.push(listing);
  },
  new AbortController().signal,
);
const error = await storage.digest('closed.mov', {}).catch((thrown: unknown) => thrown);
const code = error instanceof Error && 'code' in error ? error.code : null;
await storage.stop();
await guard.stop();
process.send?.({ listings, summary, code });
