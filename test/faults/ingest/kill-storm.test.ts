import { execFile } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { MediaCluster } from '../../support/media-cluster.ts';

/**
 * Real agents ingest 500 files while leaders, followers and storage processes are killed, all through the ingest: each
 * kill waits for progress. The short version of the same claim is `random-kills.test.ts`.
 */

const FILES = 500;
const RUNS = 10;
const KILLS_PER_RUN = 20;
/** A kill comes when somebody leads and so many more files are known to iconik than at the last one … */
const FILES_PER_KILL = Math.floor((FILES * 0.9) / KILLS_PER_RUN);
/** … or when that has taken too long, which spares no half-finished start either. */
const PATIENCE_MS = { first: 120_000, leader: 30_000, progress: 20_000 };
const SETTLED_WITHIN_MS = 300_000;
const RUN_WITHIN_MS =
  PATIENCE_MS.first + KILLS_PER_RUN * (PATIENCE_MS.leader + PATIENCE_MS.progress) + SETTLED_WITHIN_MS + 60_000;

const run = promisify(execFile);

let cluster: MediaCluster | null = null;
let dir = '';
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
  rmSync(dir, { recursive: true, force: true });
});

async function createCluster(): Promise<MediaCluster> {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-kill-storm-'));
  return MediaCluster.create({
    dir,
    nodes: ['node-a', 'node-b', 'node-c']
      .map((name) => ({ name, roles: ['MAIN', 'CHECKSUM'] as const }))
      .map(({ name, roles }) => ({ name, roles: [...roles] })),
    storageSettings: () => ({
      growing_files_threshold: 1,
      local_proxy_creation: false,
      local_keyframe_creation: false,
    }),
    config: { 'iconik-settle-ms': 1_500, 'iconik-requests-per-second': 1_000 },
  });
}

/** Writes the files; answers the digest of each path. */
async function fillStorage(media: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (let at = 0; at < FILES; at += 1) {
    const folder = `reel ${at % 7}`;
    const content = createHash('sha512').update(`take ${at}`).digest('hex');
    await mkdir(join(media, folder), { recursive: true });
    await writeFile(join(media, folder, `take ${at}.txt`), content);
    digests.set(`${folder}/take ${at}.txt`, createHash('md5').update(content).digest('hex'));
  }
  return digests;
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [pid, ppid] = line.trim().split(/\s+/).map(Number);
    return ppid === parent && pid !== undefined ? [pid] : [];
  });
}

/** SIGKILL of the leader (half of the times), of some agent, or of a process that an agent has started. */
async function killSomething(target: MediaCluster): Promise<'leader' | 'agent' | 'child' | null> {
  const leader = await target.leader().catch(() => null);
  const living = target.nodes.filter(({ process: child }) => child?.pid);
  const random = living[randomInt(Math.max(1, living.length))];
  const dice = randomInt(10);
  const leading = living.find(({ name }) => name === leader?.name);
  const victim = dice < 7 && leading ? leading : random;
  const pid = victim?.process?.pid;
  if (!victim || !pid) return null;
  if (dice >= 5 && dice < 7) {
    const children = await childrenOf(pid);
    const child = children[randomInt(Math.max(1, children.length))];
    // It may have ended since it was listed.
    if (child !== undefined) {
      try {
        process.kill(child, 'SIGKILL');
        return 'child';
      } catch {
        return null;
      }
    }
  }
  await target.endNode(victim.name, 'SIGKILL');
  return victim === leading ? 'leader' : 'agent';
}

const alive = (table: { all(): readonly Record<string, unknown>[] }) =>
  table.all().filter(({ status }) => status !== 'DELETED');

async function untilIngested(target: MediaCluster): Promise<void> {
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const { files, jobs } = await target.counts();
    const active = Object.keys(jobs).filter((key) => key.endsWith(' queued') || key.endsWith(' leased'));
    if (files.ingested === FILES && active.length === 0) return;
    if (performance.now() > deadline) {
      const tails = target.nodes.map(({ name }) => `${name}:\n${target.tail(name, 8)}`).join('\n');
      throw new Error(`not settled: ${JSON.stringify({ files, jobs })}\n${tails}`);
    }
    await sleep(200);
  }
}

async function waitFor(condition: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until && !(await condition())) await sleep(30);
}

/** Whether a process that runs has the lease. */
async function isLed(target: MediaCluster): Promise<boolean> {
  const leader = await target.leader().catch(() => null);
  return target.nodes.some((node) => node.name === leader?.name && node.process !== null);
}

/** Kills through the whole ingest; answers how many of each sort. */
async function storm(target: MediaCluster): Promise<Record<string, number>> {
  const known = () => alive(target.standIn.records.files).length;
  const killed: Record<string, number> = {};
  await waitFor(() => known() > 0, PATIENCE_MS.first);
  for (let count = 0; count < KILLS_PER_RUN; ) {
    const enough = Math.min(FILES - 10, known() + FILES_PER_KILL);
    await waitFor(() => isLed(target), PATIENCE_MS.leader);
    await waitFor(() => known() >= enough, PATIENCE_MS.progress);
    await sleep(randomInt(300));
    const what = await killSomething(target);
    if (what !== null) {
      killed[what] = (killed[what] ?? 0) + 1;
      count += 1;
    }
    for (const node of target.nodes) if (!node.process) target.startNode(node.name);
  }
  return killed;
}

describe.runIf(isLong)(`${RUNS * KILLS_PER_RUN} SIGKILLs over ${RUNS} ingests of ${FILES} files${onlyLong}`, () => {
  it.each(Array.from({ length: RUNS }, (_, at) => at + 1))(
    'leave exactly one asset, format, file set and file each (run %i)',
    async (at) => {
      cluster = await createCluster();
      const digests = await fillStorage(cluster.mediaDir);
      for (const { name } of cluster.nodes) cluster.startNode(name);
      const killed = await storm(cluster);
      const atLastKill = alive(cluster.standIn.records.files).length;
      await untilIngested(cluster);
      const { assets, formats, fileSets, files } = cluster.standIn.records;
      const told = `run ${at}: killed ${JSON.stringify(killed)}, ${atLastKill} files in iconik at the last kill`;
      process.stdout.write(`${told}\n`);
      const shown = alive(files).map((file) => [
        [file.directory_path, file.name].join('/'),
        file.checksum,
        file.status,
      ]);
      expect(Object.fromEntries(shown.map(([path, ...rest]) => [path, rest])), told).toEqual(
        Object.fromEntries([...digests].map(([path, md5]) => [path, [md5, 'CLOSED']])),
      );
      // No two records share a thing, so that 500 of each are one each.
      const own = (key: string) => new Set(alive(files).map((file) => file[key])).size;
      expect(
        [shown.length, own('asset_id'), own('format_id'), own('file_set_id')],
        `things of the files, ${told}`,
      ).toEqual([FILES, FILES, FILES, FILES]);
      expect(
        [assets, formats, fileSets].map((table) => alive(table).length),
        `records, ${told}`,
      ).toEqual([FILES, FILES, FILES]);
      expect(cluster.standIn.state().violations).toEqual([]);
    },
    RUN_WITHIN_MS,
  );
});
