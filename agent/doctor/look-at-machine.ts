import { userInfo } from 'node:os';
import { type Entities, mountPointOf } from '../cluster/entities.ts';
import type { NodeConfig } from '../config/load-config.ts';
import type { Finding } from '../contract/index.ts';
import { createDiskCheck } from '../health/checks/disk-check.ts';
import { createFfmpegCheck } from '../health/checks/ffmpeg-check.ts';
import type { HealthCheck } from '../health/health-check.ts';
import { findFfmpeg } from '../roles/transcode/ffmpeg/find-ffmpeg.ts';
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createStorageAccess } from '../storage/create-storage-access.ts';
import type { StorageLook } from './explain-storage.ts';

/** A storage that does not answer in this time hangs; the process that asks takes part of it to start. */
const PROBE_MS = 3_500;
/** After this nobody waits for ffmpeg any more. */
const FFMPEG_MS = 30_000;

async function warningOf(code: Finding['code'], cause: string, check: HealthCheck): Promise<Finding[]> {
  const { status, reason, remedy } = (await check.ask()).result;
  if (status === 'ok') return [];
  return [{ code, severity: 'warning', cause, evidence: reason, remedy }];
}

/** ffmpeg and the room in the data folder. */
export async function lookAtMachine(config: NodeConfig, guard: ChildGuard): Promise<Finding[]> {
  const { ffmpegPath, ffprobePath, dataDir } = config;
  const search = () => findFfmpeg({ ffmpegPath, ffprobePath, guard, signal: AbortSignal.timeout(FFMPEG_MS) });
  const found = [
    warningOf(
      'ffmpeg-missing',
      'There is no usable ffmpeg, so this node makes no proxies and keyframes.',
      createFfmpegCheck(search),
    ),
    warningOf('disk-low', 'The disk of the data folder runs full.', createDiskCheck(dataDir)),
  ];
  return (await Promise.all(found)).flat();
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the machine's user list, as in containers.
    return `number ${process.getuid?.() ?? '?'}`;
  }
}

/** Every FILE storage of the node as it stands on this machine. What it is used for, the database tells (`isInUse`). */
export function lookAtStorages(
  entities: Entities,
  config: NodeConfig,
  guard: ChildGuard,
): Promise<(StorageLook & { storageId: string })[]> {
  const user = userName();
  const looks = [...entities.storages.values()].map(async (storage) => {
    const mountPoint = mountPointOf(entities, storage);
    const mayWrite = storage.settings.write === true;
    const look = { storageId: storage.id, name: storage.name, mountPoint, mayWrite, isInUse: null, user };
    if (mountPoint === null) return { ...look, probe: null };
    const access = createStorageAccess({
      storageId: storage.id,
      mountPoint,
      guard,
      log: silentLogger,
      httpsProxy: config.httpsProxy ?? null,
    });
    try {
      return { ...look, probe: await access.probe({ testWrite: mayWrite, timeoutMs: PROBE_MS }) };
    } finally {
      await access.stop();
    }
  });
  return Promise.all(looks);
}
