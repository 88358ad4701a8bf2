import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FileRecord } from '../../../agent/iconik/api.ts';
import { IconikDouble } from '../../integration/transfer/iconik-double.ts';
import { isLong } from '../../support/long-version.ts';
import { ObjectStoreDouble } from '../../support/object-store-double.ts';

const PART = 5 * 1024 * 1024;
/** The uploader's default `partsAtOnce`: what is in flight when it is killed is lost. */
const PARTS_AT_ONCE = 4;
const SIZE = 7 * PART + 4_321;
const POINTS = isLong ? 50 : 3;
const TIMEOUT_MS = (isLong ? 30 : 5) * 60_000;
/** Of a hundred. The rest of the kills fall into the completion. */
const WHILE_SENDING = 84;
const WORKER = fileURLToPath(new URL('./upload-worker.ts', import.meta.url));

const content = randomBytes(SIZE);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'killed-uploads-'));
  await writeFile(join(folder, 'clip.mov'), content);
});

afterAll(() => rm(folder, { recursive: true }));

/** A worker at work, its questions answered by the double. */
function startWorker(iconik: IconikDouble, record: FileRecord, checkpointPath: string): ChildProcess {
  const worker = fork(WORKER, [folder, checkpointPath, String(PART)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  worker.on('message', (message: { id: number; method: string; args: unknown[] }) => {
    const calls = iconik.api().files as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    void calls[message.method]?.(...message.args).then((answer) => {
      if (worker.connected) worker.send({ id: message.id, answer }, () => {});
    });
  });
  worker.send({ record });
  return worker;
}

/** Where a worker is killed: after so many bytes, or when it asks for the completion, before or after the store has done it. */
type Point = { kind: 'bytes'; bytes: number } | { kind: 'complete'; isDone: boolean };

function pointAt(percent: number): Point {
  if (percent >= WHILE_SENDING) return { kind: 'complete', isDone: percent % 2 === 0 };
  return { kind: 'bytes', bytes: Math.floor((SIZE * percent) / WHILE_SENDING) };
}

async function killAt(point: Point, store: ObjectStoreDouble, worker: ChildProcess): Promise<void> {
  const gone = once(worker, 'exit');
  const kill = () => worker.kill('SIGKILL');
  if (point.kind === 'complete') {
    store.misbehave = ({ operation }) => {
      if (operation !== 'complete') return null;
      kill();
      return { kind: point.isDone ? 'drop-after-commit' : 'drop' };
    };
  }
  const looking = setInterval(() => {
    if (point.kind === 'bytes' && store.count('initiate') > 0 && store.receivedBytes >= point.bytes) kill();
  }, 1);
  await gone;
  clearInterval(looking);
  store.misbehave = () => null;
}

it(`sends no finished part again after a SIGKILL, at ${POINTS} random points of an upload in parts`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const seen = [];
  for (let round = 0; round < POINTS; round += 1) {
    // One in each stretch of the upload, so that few points are spread too.
    const percent = Math.floor((100 * round) / POINTS) + randomInt(Math.floor(100 / POINTS));
    seen.push({ percent, ...(await killedOnce(pointAt(percent), join(folder, `checkpoint-${round}`))) });
  }
  const right = { md5: createHash('md5').update(content).digest('hex'), writes: 1, exitCode: 0, isWithinFlight: true };
  expect(seen).toEqual(seen.map(({ percent, resentBytes }) => ({ percent, resentBytes, ...right })));
});

async function killedOnce(point: Point, checkpointPath: string) {
  const store = new ObjectStoreDouble();
  await store.start();
  try {
    const iconik = new IconikDouble(store);
    iconik.methods.set('cloud', 'S3');
    const where = { storage_id: 'cloud', directory_path: 'dir', name: 'clip.mov', file_set_id: 'set' };
    const record = await iconik.api().files.createFile('asset', where);
    await killAt(point, store, startWorker(iconik, record, checkpointPath));
    const [exitCode] = await once(startWorker(iconik, record, checkpointPath), 'exit');
    const object = store.objects.get('cloud/dir/clip.mov');
    const resentBytes = store.receivedBytes - SIZE;
    return {
      resentBytes,
      isWithinFlight: resentBytes >= 0 && resentBytes <= PARTS_AT_ONCE * PART,
      md5: object && createHash('md5').update(object.bytes).digest('hex'),
      writes: object?.writes,
      exitCode,
    };
  } finally {
    await store.stop();
  }
}
