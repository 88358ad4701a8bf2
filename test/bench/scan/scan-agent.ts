/** The agent's part of a scan as a process of its own: what it and its children take is the product's alone. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { newestDirectories } from '../../../agent/db/queries/scan-hint.ts';
import { settleAbsence } from '../../../agent/roles/main/scan/absence.ts';
import { runScanPass } from '../../../agent/roles/main/scan/scan-pass.ts';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { keepHeapLean } from '../../../agent/runtime/lean-heap.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';

keepHeapLean();
const [uri = '', mountPoint = ''] = process.argv.slice(2);
const STORAGE_ID = 'bench';
const WALKERS = 4;
const MAX_WATCHED = 2_000;

/** As often as the health checks of a node look at its storages. */
const PROBE_EVERY_MS = 1_000;

const database = createDatabase({ uri, log: silentLogger });
const guard = await createChildGuard();
const access = createStorageAccess({ storageId: STORAGE_ID, mountPoint, guard, log: silentLogger });
const runId = randomUUID();
const [row] = await database.query(
  "UPDATE leader_term SET term = term + 1, run_id = $1, why = 'bench' RETURNING term::text",
  [runId],
  z.object({ term: z.string() }),
);
const signal = new AbortController().signal;
const leadership = { term: Number(row?.term), runId, signal, assertTrusted: () => {} };
const settings = { scan: true, read: true, growing_files_threshold: 0 };
const storage = { id: STORAGE_ID, name: 'bench', method: 'FILE', purpose: 'FILES', status: 'ACTIVE', settings };

/** Every entry looked at and compared with a fingerprint in hand; nothing to say of what is unchanged. */
const fingerprints = new Map<string, string | null>();
async function walk(): Promise<number> {
  const options = { directories: [], ignore: [], include: [], concurrency: WALKERS };
  const known = async (paths: string[]) => paths.map((path) => fingerprints.get(path) ?? null);
  const { files } = await access.walk(
    { ...options, known },
    async (listing) => {
      if (listing.kind === 'listed') fingerprints.set(listing.path, listing.fingerprint);
    },
    signal,
  );
  return files;
}

/** What a node has running beside a scan: a probe of the storage again and again, and a watch on its active directories. */
async function runBesides(): Promise<void> {
  const probe = async () => {
    const verdict = await access.probe({ testWrite: true, timeoutMs: 60_000 });
    if (verdict.kind !== 'reachable') throw new Error(`the storage is ${verdict.reason}`);
    setTimeout(() => void probe(), PROBE_EVERY_MS).unref();
  };
  await probe();
  const watched = { directories: [''], ignore: [], include: [] };
  await new Promise<void>((resolve) => void access.watch(watched, () => resolve(), signal).catch(() => undefined));
}

/** Watches the directories that the index names, as many as a node watches. */
async function follow(): Promise<void> {
  const newest = await newestDirectories(database, STORAGE_ID, MAX_WATCHED);
  await access.follow(newest.map(({ directory }) => directory));
}

let follows = false;
/** One whole pass as the scanner makes it; answers how many rows changed. */
async function pass(): Promise<number> {
  const context = { database, leadership, storage: { ...storage, date_modified: null }, access, walkers: WALKERS };
  const result = await runScanPass(context);
  await settleAbsence(context, result, () => Promise.resolve());
  if (!follows) {
    follows = true;
    await follow();
  }
  return result.changed;
}

process.on('message', (order: 'walk' | 'pass' | 'stop') => {
  if (order === 'stop') {
    void Promise.all([access.stop(), database.close()])
      .then(() => guard.stop())
      .then(() => process.exit(0));
    return;
  }
  const startedMs = performance.now();
  void (order === 'walk' ? walk() : pass()).then((count) =>
    process.send?.({ ms: performance.now() - startedMs, count }),
  );
});
process.once('disconnect', () => process.exit(1));
await runBesides();
process.send?.({ ms: 0, count: 0 });
