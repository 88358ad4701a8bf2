import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreateOnce } from '../../../agent/iconik/creation/create-once.ts';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import type { JobContext, JobOutcome } from '../../../agent/jobs/job-handler.ts';
import { createFfmpeg } from '../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import { findFfmpeg } from '../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { createTranscodeHandler } from '../../../agent/roles/transcode/transcode-handler.ts';
import type { TranscodePayload } from '../../../agent/roles/transcode/transcode-payload.ts';
import type { TranscodeDeps } from '../../../agent/roles/transcode/transcode-work.ts';
import { type ChildGuard, createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createWatchFolders, type WatchFolders } from '../../../agent/storage/watch-folder-access.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';

/** Creates once within this process: remembers ids by key, and looks before it tries again. */
function createInMemory(): CreateOnce {
  const ids = new Map<string, string>();
  const begun = new Map<string, Date>();
  return async (creation) => {
    const known = ids.get(creation.key);
    if (known) return known;
    const startedAt = begun.get(creation.key);
    const found = startedAt ? await creation.find({ startedAt, isTaken: async () => false }) : null;
    begun.set(creation.key, startedAt ?? new Date());
    creation.assertAllowed();
    const { id } = found ?? (await creation.create(AbortSignal.timeout(10_000)));
    ids.set(creation.key, id);
    return id;
  };
}

/** How one attempt of the job goes. */
export interface Attempt {
  checkpoint?: unknown;
  signal?: AbortSignal;
  /** Runs whenever the handler asks whether the lease is still ours; throws when it is not. */
  confirmLease?(): void;
  onProgress?(fraction: number): void;
  deps?: Partial<TranscodeDeps>;
}

/** A stand-in with one asset per clip, and the real parts around the handler. */
export interface TranscodeFixture {
  dir: string;
  mountPoint: string;
  tempDir: string;
  standIn: StandIn;
  api: IconikClient;
  storage: StorageAccess;
  /** What the last attempt saved. */
  saved: { checkpoint: unknown };
  /** Registers an asset with its format ORIGINAL for a file of the storage. */
  order(path: string, wants?: Partial<TranscodePayload>): Promise<TranscodePayload>;
  run(payload: TranscodePayload, attempt?: Attempt): Promise<JobOutcome>;
  close(): Promise<void>;
}

/** Registers an asset with its format ORIGINAL; what a job on it needs. */
export async function createAsset(api: IconikClient, storageId: string, path: string): Promise<TranscodePayload> {
  const asset = await api.assets.create({ title: path, type: 'ASSET' });
  const versionId = asset.versions[0]?.id ?? '';
  const format = await api.files.createFormat(asset.id, {
    name: 'ORIGINAL',
    version_id: versionId,
    storage_methods: ['FILE'],
  });
  return { storageId, path, assetId: asset.id, versionId, formatId: format.id, wantProxy: true, wantKeyframes: true };
}

let jobNumber = 0;

function contextOf(
  payload: TranscodePayload,
  attempt: Attempt,
  saved: { checkpoint: unknown },
): JobContext<TranscodePayload> {
  jobNumber += 1;
  const job = { jobId: String(jobNumber), leaseToken: randomUUID(), role: 'TRANSCODE' as const, kind: 'transcode' };
  const signal = attempt.signal ?? new AbortController().signal;
  return {
    job: {
      ...job,
      storageId: payload.storageId,
      payload,
      attempts: 1,
      checkpoint: attempt.checkpoint ?? null,
      origin: null,
    },
    payload,
    log: silentLogger,
    signal,
    progress: (fraction) => attempt.onProgress?.(fraction),
    saveCheckpoint: async (value) => {
      saved.checkpoint = structuredClone(value);
    },
    confirmLease: async () => attempt.confirmLease?.(),
  };
}

async function makeDeps(parts: {
  api: IconikClient;
  guard: ChildGuard;
  storage: StorageAccess;
  tempDir: string;
}): Promise<TranscodeDeps & { watchFolders: WatchFolders }> {
  const { api, guard, storage, tempDir } = parts;
  const programs = await findFfmpeg({ guard, signal: AbortSignal.timeout(20_000) });
  const ffmpeg = createFfmpeg({ programs, guard });
  return {
    api,
    createOnce: createInMemory(),
    uploadObject: createUploadObject({ api }),
    tempStorage: createStorageAccess({ storageId: 'temp', mountPoint: tempDir, guard, log: silentLogger }),
    storageOf: (id) => (id === storage.storageId ? storage : null),
    tempDir,
    watchFolders: createWatchFolders({ guard, log: silentLogger }),
    ffmpeg: () => ffmpeg,
    settings: () => DEFAULT_PROXY_SETTINGS,
  };
}

/** Starts everything; `close` ends all of it. */
export async function createTranscodeFixture(): Promise<TranscodeFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'isg-transcode-job-'));
  const mountPoint = join(dir, 'media');
  // No program may read the percent sign as a pattern.
  const tempDir = join(dir, 'temp 50%d');
  await mkdir(mountPoint);
  await mkdir(tempDir);
  const standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
  const account = standIn.seed({ storages: [{ name: 'media', mountPoint }], gateways: [] });
  const storageId = account.storageIds[0] ?? '';
  const { url, appId, authToken } = standIn;
  const api = createIconikApi({
    baseUrl: url,
    appId,
    authToken,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    requestsPerSecond: 1_000,
  });
  const guard = await createChildGuard();
  const storage = createStorageAccess({ storageId, mountPoint, guard, log: silentLogger });
  const deps = await makeDeps({ api, guard, storage, tempDir });
  const saved: { checkpoint: unknown } = { checkpoint: null };
  return {
    dir,
    mountPoint,
    tempDir,
    standIn,
    api,
    storage,
    saved,
    order: async (path, wants) => ({ ...(await createAsset(api, storageId, path)), ...wants }),
    run: (payload, attempt = {}) =>
      createTranscodeHandler({ ...deps, ...attempt.deps }).run(contextOf(payload, attempt, saved)),
    async close() {
      await storage.stop();
      await deps.tempStorage.stop();
      await deps.watchFolders.stop();
      await api.close();
      await guard.stop();
      await standIn.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
