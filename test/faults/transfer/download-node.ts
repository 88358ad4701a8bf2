/**
 * Stands for a node that downloads: real handler, storage processes, client and database. It runs one leased job to its end
 * and says on the way what it does; whoever started it kills it at some of these words.
 */
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { createIntentStore } from '../../../agent/db/queries/intent.ts';
import { lockLease, saveCheckpoint } from '../../../agent/db/queries/job-end.ts';
import { createCreateOnce } from '../../../agent/iconik/creation/intended-creation.ts';
import { createIconikApi } from '../../../agent/iconik/iconik-client.ts';
import type { JobContext } from '../../../agent/jobs/job-handler.ts';
import { createDownloadHandler, type DownloadPayload } from '../../../agent/roles/transfer/download-handler.ts';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createBandwidth } from '../../../agent/storage/bandwidth/bandwidth.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';

const setup = z
  .object({
    databaseUri: z.string(),
    iconik: z.object({ baseUrl: z.string(), appId: z.string(), authToken: z.string() }),
    /** Through which the objects are fetched; counts them. */
    objectHost: z.string(),
    mountPoint: z.string(),
    bytesPerSecond: z.number(),
    jobId: z.string(),
    leaseToken: z.string(),
    payload: z.looseObject({ storageId: z.string() }),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));

const say = (word: string, value = 0) => process.send?.({ word, value });
const { jobId, leaseToken, payload } = setup;
const parts = { clock: systemClock, random: Math.random, log: silentLogger };
const database = createDatabase({ uri: setup.databaseUri, log: silentLogger });
const guard = await createChildGuard();
const storage = createStorageAccess({
  storageId: payload.storageId,
  mountPoint: setup.mountPoint,
  guard,
  log: silentLogger,
  bandwidth: createBandwidth({ clock: systemClock, limitAt: () => setup.bytesPerSecond }),
});
const api = createIconikApi({ ...parts, ...setup.iconik, requestsPerSecond: 500 });
const counted = {
  ...api,
  files: {
    ...api.files,
    fileSetFiles: async (...asked: Parameters<typeof api.files.fileSetFiles>) => {
      const records = await api.files.fileSetFiles(...asked);
      return records.map((record) => {
        const url = record.url && new URL(record.url);
        if (url) url.host = setup.objectHost;
        return { ...record, url: url ? url.href : null };
      });
    },
  },
};
const intents = createIntentStore(database);
const createOnce = createCreateOnce({ ...parts, intents, settleMs: 50, deadlineMs: 2_000 });
const handler = createDownloadHandler({ api: counted, createOnce, sql: database, storageOf: () => storage });
const checkpointRow = z.object({ checkpoint: z.unknown() });

async function attempt(attempts: number) {
  const [row] = await database.query('SELECT checkpoint FROM job WHERE job_id = $1', [jobId], checkpointRow);
  const context: JobContext<DownloadPayload> = {
    job: {
      jobId,
      leaseToken,
      role: 'TRANSFER',
      kind: 'download',
      storageId: null,
      payload,
      attempts,
      checkpoint: row?.checkpoint ?? null,
      origin: null,
    },
    payload: handler.payload.parse(payload),
    log: silentLogger,
    signal: new AbortController().signal,
    progress: (fraction) => say('progress', fraction),
    async saveCheckpoint(value) {
      await saveCheckpoint(database, { jobId, leaseToken }, value);
      say('checkpoint');
    },
    async confirmLease() {
      const standing = await database.transaction((sql) => lockLease(sql, { jobId, leaseToken }));
      if (standing !== 'held') throw new Error(`the lease is ${standing}`);
      say('confirmed');
    },
  };
  return await handler.run(context);
}

for (let attempts = 1; ; attempts += 1) {
  const outcome = await attempt(attempts).catch((thrown: unknown) => thrown);
  const kind = typeof outcome === 'object' && outcome !== null && 'kind' in outcome ? outcome.kind : 'thrown';
  if (kind === 'done') {
    const done = outcome as { alongside?: (sql: typeof database) => Promise<void> };
    if (done.alongside)
      await database.transaction((sql) => done.alongside?.(sql as typeof database) ?? Promise.resolve());
    say('done');
    break;
  }
  if (kind === 'failed' || attempts > 20) throw new Error(`ended badly: ${JSON.stringify(outcome)} ${String(outcome)}`);
  await systemClock.sleep(100);
}
await storage.stop();
await guard.stop();
await api.close();
await database.close();
process.disconnect();
