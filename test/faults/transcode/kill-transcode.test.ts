import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIconikApi } from '../../../agent/iconik/iconik-client.ts';
import { findFfmpeg } from '../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';
import type { TranscodePayload } from '../../../agent/roles/transcode/transcode-payload.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { runGenerator } from '../../demo/clips.ts';
import { createAsset } from '../../integration/transcode/transcode-fixture.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import { isLong } from '../../support/long-version.ts';
import { type NodePlan, reportSchema } from './node-plan.ts';

/**
 * A node is killed, or its job cancelled, at a random moment of a transcode, again and again on one clip. Each time: no
 * ffmpeg is left, and nothing that anybody can see is cut short (a closed record in iconik, a file under its final name).
 * Here ffmpeg is a script that starts the real one at the speed of the clip, so that what dies must be the whole tree.
 */

const TRIES = isLong ? 100 : 2;
const PROGRAM = fileURLToPath(new URL('./transcode-node.ts', import.meta.url));
/** While this file is there, ffmpeg never ends by itself: only those who kill it do. */
const HANG = 'hang';
/** Steps of a job in their order; '' = at once. The first three come before the end of the first ffmpeg. */
const STEPS = [
  '',
  'read the media info',
  'making the proxy',
  'sending the proxy',
  'taking keyframes',
  'sending keyframes',
];
const CLIP_SECONDS = 1;

let dir = '';
let standIn: StandIn;
let api: ReturnType<typeof createIconikApi>;
let plan: NodePlan;
let payload: TranscodePayload;
let ffmpeg = '';
let node: Node | null = null;

/** The process under test, and what it has said. */
class Node {
  readonly #process: ChildProcess;
  readonly #said: string[] = [];
  #listen: () => void = () => {};

  constructor() {
    this.#process = fork(PROGRAM, [JSON.stringify(plan)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => {
      const report = reportSchema.parse(message);
      this.#said.push('note' in report ? report.note : `ended: ${report.ended}`);
      this.#listen();
    });
    this.#process.on('exit', () => {
      this.#said.push('ended: exit');
      this.#listen();
    });
  }

  /** Resolves with what it said once that begins with `words`, or its job has ended before. */
  async until(words: string): Promise<string> {
    for (;;) {
      const heard = this.#said.find((line) => line.startsWith(words) || line.startsWith('ended:'));
      if (heard !== undefined) return heard;
      await new Promise<void>((resolve) => {
        this.#listen = resolve;
      });
    }
  }

  run(): void {
    this.#said.length = 0;
    this.#process.send({ run: payload });
  }

  cancel(): void {
    this.#process.send({ cancel: true });
  }

  async kill(): Promise<void> {
    const gone =
      this.#process.exitCode === null && this.#process.signalCode === null ? once(this.#process, 'exit') : null;
    this.#process.kill('SIGKILL');
    await gone;
  }
}

async function startNode(): Promise<Node> {
  node = new Node();
  expect(await node.until('ready')).toBe('ready');
  expect(await readdir(plan.tempDir), 'a start removes what dead runs left').toEqual([]);
  return node;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'isg-pro-kill-transcode-'));
  const mountPoint = join(dir, 'media');
  const tempDir = join(dir, 'temp');
  await mkdir(mountPoint);
  await mkdir(tempDir);
  const programs = await findFfmpeg({ guard: { watch() {} }, signal: AbortSignal.timeout(60_000) });
  ffmpeg = programs.ffmpeg.path;
  const slow = join(dir, 'slow-ffmpeg');
  const companion = `if [ -e '${join(dir, HANG)}' ]; then tail -f '${join(mountPoint, 'clip.mp4')}' > /dev/null 2>&1 & fi`;
  await writeFile(slow, `#!/bin/sh\n${companion}\n'${ffmpeg}' -re "$@"; ended=$?\nwait\nexit $ended\n`);
  await chmod(slow, 0o755);
  const picture = `testsrc2=size=192x108:rate=10:duration=${CLIP_SECONDS}`;
  const sound = `sine=frequency=440:duration=${CLIP_SECONDS}`;
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'];
  const clip = join(mountPoint, 'clip.mp4');
  await runGenerator(['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound, ...codecs, `file:${clip}`]);
  standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
  const [storageId = ''] = standIn.seed({ storages: [{ name: 'media', mountPoint }], gateways: [] }).storageIds;
  const iconik = { baseUrl: standIn.url, appId: standIn.appId, authToken: standIn.authToken };
  api = createIconikApi({
    ...iconik,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    requestsPerSecond: 1_000,
  });
  plan = { storageId, mountPoint, tempDir, ffmpeg: slow, ffprobe: programs.ffprobe.path, iconik };
  payload = await createAsset(api, storageId, 'clip.mp4');
});

afterEach(async () => {
  await node?.kill();
  node = null;
  // What a failed test has found alive must not live on.
  for (const line of running()) {
    try {
      process.kill(Number.parseInt(line, 10), 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
  await api.close();
  await standIn.close();
  await rm(dir, { recursive: true, force: true });
});

/** Programs of ours that still run: all name a file in this test's folder. */
function running(): string[] {
  const all = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const ours = (line: string) => line.includes(dir) && !line.includes('transcode-node.ts');
  return all.filter((line) => /\b(?:ffmpeg|ffprobe|tail)\b/.test(line) && ours(line));
}

/** Throws when a video cannot be decoded from end to end, or is shorter than the clip. */
function assertWhole(path: string): void {
  const words = execFileSync(ffmpeg, ['-v', 'error', '-i', path, '-progress', '-', '-f', 'null', '/dev/null'], {
    encoding: 'utf8',
  });
  const reached = [...words.matchAll(/out_time_us=(\d+)/g)].map(([, digits]) => Number(digits)).at(-1) ?? 0;
  expect(reached, path).toBeGreaterThan(CLIP_SECONDS * 0.9e6);
}

/** The last two bytes of a JPEG are its end. */
async function assertWholePicture(path: string): Promise<void> {
  const file = await open(path);
  const { size } = await file.stat();
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, size - 2);
  await file.close();
  expect(buffer.toString('hex'), path).toBe('ffd9');
}

/** What the node's users can see: closed records have all their bytes, and files under their final names are whole. */
async function assertNothingTruncated(): Promise<void> {
  const state = standIn.state();
  const closed = [...state.proxies, ...state.keyframes].filter(({ status }) => status === 'CLOSED');
  for (const record of closed) {
    const key = standIn.objectKey(String(record.id));
    const object = key === undefined ? undefined : standIn.object(key);
    expect(object?.sizeBytes, `closed ${String(record.filename)}`).toBe(record.size);
  }
  for (const path of await readdir(plan.tempDir, { recursive: true })) {
    if (path.endsWith('.mp4')) assertWhole(join(plan.tempDir, path));
    if (path.endsWith('.jpg')) await assertWholePicture(join(plan.tempDir, path));
  }
}

it(
  `SIGKILL of the node or cancel of the job at ${TRIES} random moments leave no ffmpeg and nothing cut short`,
  async () => {
    const story: string[] = [];
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const worker = node ?? (await startNode());
      // The first is always while ffmpeg works, so that no draw misses what this is about.
      const step = STEPS[attempt === 0 ? 2 : Math.floor(Math.random() * STEPS.length)] ?? '';
      const delayMs = Math.floor(Math.random() * 400);
      const isKill = attempt % 2 === 0;
      story.push(`${isKill ? 'kill' : 'cancel'} ${delayMs} ms after "${step}"`);
      if (STEPS.indexOf(step) <= 2) await writeFile(join(dir, HANG), '');
      worker.run();
      await worker.until(step);
      // The moment is the fault itself, drawn at random; nothing is waited for.
      await sleep(delayMs);
      if (isKill) {
        await worker.kill();
        node = null;
      } else {
        worker.cancel();
        await worker.until('ended:');
        expect(await readdir(plan.tempDir), story.at(-1)).toEqual([]);
      }
      await expect.poll(running, { timeout: 30_000, message: story.at(-1) ?? '' }).toEqual([]);
      await assertNothingTruncated();
      await rm(join(dir, HANG), { force: true });
    }
    const worker = node ?? (await startNode());
    worker.run();
    expect(await worker.until('ended:'), story.join(', ')).toBe('ended: done');
    await assertNothingTruncated();
    const { proxies, keyframes } = standIn.state();
    expect(proxies).toMatchObject([{ status: 'CLOSED' }]);
    expect(keyframes.filter(({ status }) => status !== 'CLOSED')).toEqual([]);
    expect(new Set(keyframes.map(({ filename }) => filename)).size).toBe(keyframes.length);
    expect(standIn.state().violations).toEqual([]);
  },
  TRIES * 20_000 + 120_000,
);
