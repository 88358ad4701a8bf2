import { createHash, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { runGenerator } from '../demo/clips.ts';
import { gatherEvidence } from '../demo/evidence.ts';
import { checkOutcome } from '../demo/outcome.ts';
import { isLong } from '../support/long-version.ts';
import { MediaCluster } from '../support/media-cluster.ts';

/**
 * SIGKILL of random processes at random moments: agents, their storage processes, ffmpeg. At the end every content has
 * exactly one asset, every file exactly one record, and nothing is left without one.
 */

/**
 * One run draws its kills from the same three sorts as twelve; more only draw more often. That no job is lost or done
 * twice has tests of its own (test/faults/jobs).
 */
const RUNS = isLong ? 12 : 1;
const KILLS_PER_RUN = isLong ? 15 : 10;
const FILES = 24;
/** Kills fall at random into pauses of this length: ingest of the whole set takes about as long as all pauses together. */
const PAUSE_MS = { min: 300, max: 1_800 };
/** How long it takes is no claim of this test; a machine that is shared may need three times what it needs alone. */
const SETTLED_WITHIN_MS = 180_000;

let cluster: MediaCluster | null = null;
let dir = '';
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
  rmSync(dir, { recursive: true, force: true });
});

async function createCluster(): Promise<MediaCluster> {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-kills-'));
  const everything = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] as const;
  return MediaCluster.create({
    dir,
    nodes: ['node-a', 'node-b', 'node-c'].map((name) => ({ name, roles: [...everything] })),
    storageSettings: ({ filesId }) => ({
      growing_files_threshold: 1,
      upload_files: true,
      remote_storage_id: filesId,
      remote_path: 'originals',
    }),
    config: { 'iconik-settle-ms': 1_500, 'iconik-requests-per-second': 500 },
  });
}

/** Documents in several folders, every third a copy of an earlier one, and two clips that need ffmpeg. */
async function fillStorage(media: string): Promise<void> {
  for (let at = 0; at < FILES; at++) {
    const path = join(media, `reel ${at % 4}`, `take ${at}.txt`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      createHash('sha512')
        .update(String(at % 3 === 2 ? at - 1 : at))
        .digest('hex')
        .repeat(2_000),
    );
  }
  for (const hue of [10, 200]) {
    const picture = ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=25:duration=2,hue=h=${hue}`];
    await runGenerator([
      ...picture,
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      `file:${join(media, `clip ${hue}.mov`)}`,
    ]);
  }
}

/** Kills an agent, or one of the processes it started. Answers what was killed. */
async function killSomething(target: MediaCluster): Promise<string> {
  const living = target.nodes.filter(({ process: child }) => child?.pid);
  const victim = living[randomInt(living.length)];
  const pid = victim?.process?.pid;
  if (!victim || !pid) return 'nobody';
  const children = await childrenOf(pid);
  if (children.length > 0 && randomInt(10) < 3) {
    const child = children[randomInt(children.length)];
    if (child) process.kill(child.pid, 'SIGKILL');
    return `${victim.name}: ${child?.name}`;
  }
  await target.endNode(victim.name, 'SIGKILL');
  return victim.name;
}

async function childrenOf(parent: number): Promise<{ pid: number; name: string }[]> {
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => Number(match?.[2]) === parent)
    .map((match) => ({ pid: Number(match?.[1]), name: String(match?.[3]).slice(-80) }))
    .filter(({ pid }) => Number.isInteger(pid));
}

async function untilQuiet(target: MediaCluster, expected: number): Promise<void> {
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const { files, jobs } = await target.counts();
    const active = Object.entries(jobs).filter(([key]) => key.endsWith(' queued') || key.endsWith(' leased'));
    if (files.ingested === expected && active.length === 0) return;
    if (performance.now() > deadline) {
      const tails = target.nodes.map(({ name }) => `${name}:\n${target.tail(name, 8)}`).join('\n');
      throw new Error(`not settled: ${JSON.stringify({ files, jobs })}\n${tails}`);
    }
    await sleep(200);
  }
}

describe(`${RUNS * KILLS_PER_RUN} SIGKILLs of random processes at random moments`, () => {
  it.each(Array.from({ length: RUNS }, (_, at) => at + 1))(
    'leave exactly one asset per content and one record per file (run %i)',
    async () => {
      cluster = await createCluster();
      await fillStorage(cluster.mediaDir);
      for (const { name } of cluster.nodes) cluster.startNode(name);
      const killed: string[] = [];
      for (let kill = 0; kill < KILLS_PER_RUN; kill++) {
        await sleep(randomInt(PAUSE_MS.min, PAUSE_MS.max));
        killed.push(await killSomething(cluster));
        for (const node of cluster.nodes) if (!node.process) cluster.startNode(node.name);
      }
      await untilQuiet(cluster, FILES + 2);
      const outcome = checkOutcome(
        await gatherEvidence(cluster, (path) => (path.endsWith('.mov') ? 'video' : 'document')),
      );
      expect(outcome.problems, `killed: ${killed.join(', ')}`).toEqual([]);
      expect(outcome).toMatchObject({ files: FILES + 2, duplicates: 0 });
      expect(cluster.standIn.state().violations).toEqual([]);
    },
  );
});
