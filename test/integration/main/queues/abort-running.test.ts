import type { ChildProcess } from 'node:child_process';
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIntentStore } from '../../../../agent/db/queries/intent.ts';
import { createCreateOnce } from '../../../../agent/iconik/creation/intended-creation.ts';
import { createUploadObject } from '../../../../agent/iconik/object-upload/create-upload-object.ts';
import type { JobHandler } from '../../../../agent/jobs/job-handler.ts';
import { createFfmpeg } from '../../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import { findFfmpeg } from '../../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { createTranscodeHandler } from '../../../../agent/roles/transcode/transcode-handler.ts';
import { type ChildGuard, createChildGuard } from '../../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { createWatchFolders } from '../../../../agent/storage/watch-folder-access.ts';
import { isLong } from '../../../support/long-version.ts';
import type { Workbench } from '../workbench.ts';
import { createLiveLeader, type LiveLeader } from './live-leader.ts';

// A real ffmpeg works on a clip at the speed at which it plays, so that it runs for long and costs next to nothing.
const CLIP_SECONDS = 600;
const rounds = isLong ? 20 : 1;
/** The promise is 2 s; a machine under the load of other tests gets more in the short version. */
const limitMs = isLong ? 2_000 : 6_000;

let live: LiveLeader;
let guard: ChildGuard;
const opened: StorageAccess[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  guard = await createChildGuard();
  // The intervals of the agent.
  const intervals = { pollIntervalMs: 2_000, busyPollIntervalMs: 600, settleIntervalMs: 1_000 };
  live = await createLiveLeader({ ...intervals, handlers: async (bench) => [await slowTranscoder(bench)] });
});
afterAll(async () => {
  await live.close();
  for (const storage of opened) await storage.stop();
  await guard.stop();
});

async function slowTranscoder(bench: Workbench): Promise<JobHandler> {
  const { folder, storageId, database, iconik } = bench;
  const watch = {
    watch(child: ChildProcess) {
      children.push(child);
      guard.watch(child);
    },
  };
  const programs = await findFfmpeg({ guard, signal: AbortSignal.timeout(20_000) });
  const [mount, tempDir, script] = ['mount', 'temp', 'slow-ffmpeg'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const dir of [mount, tempDir]) await mkdir(dir, { recursive: true });
  const source = `color=size=64x36:rate=2:duration=${CLIP_SECONDS}`;
  const args = ['-loglevel', 'error', '-f', 'lavfi', '-i', source, '-c:v', 'mpeg4', join(mount, 'long.avi')];
  await promisify(execFile)(programs.ffmpeg.path, args);
  await writeFile(script, `#!/bin/sh\nexec '${programs.ffmpeg.path}' -re "$@"\n`);
  await chmod(script, 0o755);
  const slow = { ...programs, ffmpeg: { ...programs.ffmpeg, path: script } };
  const ffmpeg = createFfmpeg({ programs: slow, guard: watch });
  const open = (id: string, mountPoint: string) => {
    const storage = createStorageAccess({ storageId: id, mountPoint, guard, log: silentLogger });
    opened.push(storage);
    return storage;
  };
  const storage = open(storageId, mount);
  return createTranscodeHandler({
    api: iconik,
    createOnce: createCreateOnce({
      intents: createIntentStore(database),
      clock: systemClock,
      settleMs: 50,
      deadlineMs: 2_000,
      log: silentLogger,
    }),
    uploadObject: createUploadObject({ api: iconik }),
    tempStorage: open('temp', tempDir),
    storageOf: () => storage,
    tempDir,
    watchFolders: createWatchFolders({ guard, log: silentLogger }),
    ffmpeg: () => ffmpeg,
    settings: () => DEFAULT_PROXY_SETTINGS,
  }) as JobHandler;
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;
const encoding = () => children.find((child) => isAlive(child) && child.spawnfile.endsWith('slow-ffmpeg'));

it('an abort in iconik ends a running ffmpeg within two seconds, and shows as ABORTED', {
  timeout: 300_000,
}, async () => {
  const { bench } = live;
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await bench.database.execute('DELETE FROM storage_file', []);
    const file = await bench.knownFile({ path: 'long.avi' });
    const { jobId } = bench.standIn.orderTranscode({ fileId: file.fileId });
    await expect.poll(encoding, { timeout: 30_000, interval: 20 }).toBeDefined();
    const child = encoding();
    const pressedMs = performance.now();
    await live.press(jobId, 'ABORT');
    await expect.poll(() => child && isAlive(child), { timeout: 30_000, interval: 10 }).toBe(false);
    took.push(performance.now() - pressedMs);
    const shown = () => bench.standIn.records.jobs.get(jobId)?.status;
    await expect.poll(shown, { timeout: 30_000, interval: 20 }).toBe('ABORTED');
    await expect.poll(() => bench.standIn.records.transcodes.all(), { timeout: 30_000, interval: 20 }).toEqual([]);
  }
  const worst = Math.round(Math.max(...took));
  process.stdout.write(`abort to end of ffmpeg: ${took.map(Math.round).join(' ')} ms\n`);
  expect(worst).toBeLessThan(limitMs);
});
