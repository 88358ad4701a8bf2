import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FileRecord } from '../../../agent/iconik/api.ts';
import { createIconikApi } from '../../../agent/iconik/iconik-client.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStandIn, type StandIn, seedAccount } from '../../stand-in/stand-in.ts';
import { isLong } from '../../support/long-version.ts';

const PART = 1024 * 1024;
const PARTS = 8;
const SIZE = (PARTS - 1) * PART + 4_321;
/** The uploader's default `partsAtOnce`: what is in flight when it is killed may arrive without anybody hearing of it. */
const PARTS_AT_ONCE = 4;
const POINTS = isLong ? 50 : 2;
const TIMEOUT_MS = (isLong ? 30 : 5) * 60_000;
const WORKER = fileURLToPath(new URL('./upload-worker.ts', import.meta.url));

const content = randomBytes(SIZE);
let folder: string;
let standIn: StandIn;
let filesId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'killed-gcs-'));
  await writeFile(join(folder, 'clip.mov'), content);
  standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  const storages = [{ name: 'media', mountPoint: folder }];
  const gateways = [{ name: 'a', roles: ['TRANSFER' as const] }];
  filesId = seedAccount(standIn, { storages, gateways, cloud: { files: 'GCS' } }).cloud.filesId;
});

afterAll(async () => {
  await standIn.close();
  await rm(folder, { recursive: true });
});

async function makeRecord(): Promise<FileRecord> {
  const { url: baseUrl, appId, authToken } = standIn;
  const parts = { clock: systemClock, random: Math.random, log: silentLogger };
  const api = createIconikApi({ ...parts, baseUrl, appId, authToken, requestsPerSecond: 500 });
  try {
    const { id: assetId } = await api.assets.create({ title: 'clip', type: 'ASSET' });
    const format = await api.files.createFormat(assetId, {
      name: 'ORIGINAL',
      components: [],
      storage_methods: ['FILE'],
    });
    const set = { format_id: format.id, base_dir: assetId, name: 'clip', component_ids: [], storage_id: filesId };
    const { id: fileSetId } = await api.files.createFileSet(assetId, set);
    const file = { original_name: 'clip.mov', name: 'clip.mov', type: 'FILE', size: SIZE, directory_path: assetId };
    return await api.files.createFile(assetId, { ...file, file_set_id: fileSetId, storage_id: filesId });
  } finally {
    await api.close();
  }
}

function startWorker(record: FileRecord, checkpointPath: string): ChildProcess {
  const worker = fork(WORKER, [folder, checkpointPath, String(PART)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { url, appId, authToken } = standIn;
  worker.send({ record, account: { url, appId, authToken } });
  return worker;
}

/** Kills an upload once the store has so many of its components, or while it composes and removes them. */
async function killAfter(components: number, worker: ChildProcess, receivedBefore: number): Promise<void> {
  const gone = once(worker, 'exit');
  const looking = setInterval(() => {
    if (standIn.receivedByGcs() - receivedBefore >= components) worker.kill('SIGKILL');
  }, 1);
  await gone;
  clearInterval(looking);
}

it(`sends no finished component to GCS again after a SIGKILL, and leaves none, at ${POINTS} points of uploads`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const seen = [];
  for (let round = 0; round < POINTS; round += 1) {
    const record = await makeRecord();
    const checkpointPath = join(folder, `checkpoint-${round}`);
    const before = standIn.receivedByGcs();
    // The last one is killed when all have arrived.
    const components = round === POINTS - 1 ? PARTS : 1 + randomInt(PARTS - 1);
    await killAfter(components, startWorker(record, checkpointPath), before);
    const [exitCode] = await once(startWorker(record, checkpointPath), 'exit');
    const key = standIn.objectKey(record.id) ?? '';
    const sentAgain = standIn.receivedByGcs() - before - PARTS;
    seen.push({
      components,
      sentAgain,
      isWithinFlight: sentAgain >= 0 && sentAgain <= PARTS_AT_ONCE,
      exitCode,
      md5: standIn.object(key)?.md5,
      left: standIn.objects().filter((object) => object.key.startsWith(`${key}_`)).length,
    });
  }
  const right = { isWithinFlight: true, exitCode: 0, md5: createHash('md5').update(content).digest('hex'), left: 0 };
  expect(seen).toEqual(seen.map(({ components, sentAgain }) => ({ components, sentAgain, ...right })));
  expect(standIn.state().violations).toEqual([]);
});
