/**
 * A node that does nothing but transcodes, as a process of its own: the product's handler, storage access and child guard.
 * Its one argument is a plan (JSON). It runs one job at a time as it is told, and ends when the channel to its parent closes.
 */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { CreateOnce } from '../../../agent/iconik/creation/create-once.ts';
import { createIconikApi } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { createFfmpeg } from '../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { cleanTemp } from '../../../agent/roles/transcode/job-temp.ts';
import { createTranscodeHandler } from '../../../agent/roles/transcode/transcode-handler.ts';
import { transcodePayloadSchema } from '../../../agent/roles/transcode/transcode-payload.ts';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import { createWatchFolders } from '../../../agent/storage/watch-folder-access.ts';
import { nodePlanSchema, orderSchema } from './node-plan.ts';

const plan = nodePlanSchema.parse(JSON.parse(process.argv[2] ?? ''));
const { storageId, mountPoint, tempDir, iconik } = plan;
const log = silentLogger;
const guard = await createChildGuard();
const api = createIconikApi({ ...iconik, clock: systemClock, random: Math.random, log, requestsPerSecond: 1_000 });
const program = (path: string) => ({ path, version: '0', from: 'config' as const });
const ffmpeg = createFfmpeg({
  programs: { ffmpeg: program(plan.ffmpeg), ffprobe: program(plan.ffprobe), canToneMap: true },
  guard,
});
const storage = createStorageAccess({ storageId, mountPoint, guard, log });

/** One node at a time: whatever is found in iconik is its own. */
const createOnce: CreateOnce = async (creation) => {
  const found = await creation.find({ startedAt: new Date(0), isTaken: async () => false });
  creation.assertAllowed();
  return (found ?? (await creation.create(AbortSignal.timeout(10_000)))).id;
};

const handler = createTranscodeHandler({
  api,
  createOnce,
  uploadObject: createUploadObject({ api }),
  tempStorage: createStorageAccess({ storageId: 'temp', mountPoint: tempDir, guard, log }),
  storageOf: () => storage,
  tempDir,
  watchFolders: createWatchFolders({ guard, log }),
  ffmpeg: () => ffmpeg,
  settings: () => ({ ...DEFAULT_PROXY_SETTINGS, videoBitRate: 400_000 }),
});

let abort = new AbortController();

async function run(payload: z.infer<typeof transcodePayloadSchema>): Promise<void> {
  abort = new AbortController();
  const job = { jobId: '1', leaseToken: randomUUID(), role: 'TRANSCODE' as const, kind: 'transcode', storageId };
  const outcome = await handler
    .run({
      job: { ...job, payload, attempts: 1, checkpoint: null, origin: null },
      payload,
      log,
      signal: abort.signal,
      progress: (_fraction, note = '') => process.send?.({ note }),
      saveCheckpoint: async () => {},
      confirmLease: async () => abort.signal.throwIfAborted(),
    })
    .then(
      ({ kind }) => kind,
      (thrown) => String(thrown),
    );
  process.send?.({ ended: outcome });
}

process.on('message', (message) => {
  const order = orderSchema.parse(message);
  if ('cancel' in order) abort.abort(new Error('cancelled'));
  else void run(transcodePayloadSchema.parse(order.run));
});
process.on('disconnect', () => process.exit(0));
await cleanTemp(tempDir);
process.send?.({ note: 'ready' });
