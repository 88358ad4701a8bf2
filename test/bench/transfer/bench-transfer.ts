import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBenchAgent } from '../built-agent.ts';
import { cpuSecondsOf, FamilyMemory, familyCpuSeconds } from '../family-memory.ts';
import { median, rounded } from '../statistics.ts';
import { startSink } from './start-sink.ts';

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;
const FILES = 8;
const FILE_BYTES = 512 * MEBIBYTE;
/** The same on both sides: 16 MiB parts, 4 of a file at once; downloads in one stream per file. */
const PART_BYTES = 16 * MEBIBYTE;
const PARTS_AT_ONCE = 4;
const ROUNDS = 3;

type Direction = 'up' | 'down';

/** One round of one side in one direction. */
interface Run {
  seconds: number;
  cpuSeconds: number;
  rssMb: number;
  /** As `rssMb`, but what processes share is counted once. */
  pssMb: number;
}

const memoryOf = ({ peaksMb }: FamilyMemory) => ({ rssMb: peaksMb.rss.sum, pssMb: peaksMb.pss.sum });

/** A folder with files to be sent and a place for those that come, the store, and the agent. */
interface Bench {
  root: string;
  sink: { url: string; md5: string };
  agent: ChildProcess;
  names: string[];
  sizeBytes: number;
}

/**
 * Moves 8 files of 512 MiB to and from a store of the bench's own (`sink.ts`), the agent's part and rclone in turn, medians.
 * Parts and streams are the same on both sides; rclone signs nothing (its digest of each body for the signature would be work
 * that signed URLs do not need) and makes no MD5 of the whole file beforehand. All on one machine: what is compared is the
 * processor time that moving bytes costs. `ISG_PRO_BENCH_DIR` should be memory (`/dev/shm`), or the disk is measured:
 * downloads of the agent are synced to it, those of rclone are not. `rssMb` counts pages that processes share once.
 */
export async function benchTransfer({ isShort }: { isShort: boolean }) {
  const sizeBytes = isShort ? FILE_BYTES / 8 : FILE_BYTES;
  const program = await buildBenchAgent('transfer', 'transfer-agent');
  const root = mkdtempSync(join(process.env.ISG_PRO_BENCH_DIR ?? tmpdir(), 'isg-pro-bench-transfer-'));
  const sink = await startSink({ sizeBytes, count: FILES });
  try {
    const names = Array.from({ length: FILES }, (_, at) => `file-${at}`);
    mkdirSync(join(root, 'up'));
    for (const name of names) {
      writeFileSync(join(root, 'up', name), '');
      truncateSync(join(root, 'up', name), sizeBytes);
    }
    const agent = fork(program, [sink.url, root, String(PART_BYTES)], { execArgv: [] });
    await once(agent, 'message');
    try {
      return figures(await measure({ root, sink, agent, names, sizeBytes }), sizeBytes);
    } finally {
      if (agent.connected) agent.send('stop');
      if (agent.exitCode === null) await once(agent, 'exit');
    }
  } finally {
    sink.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

async function measure(bench: Bench): Promise<Record<`${'agent' | 'rclone'}-${Direction}`, Run[]>> {
  const runs = {
    'agent-up': [] as Run[],
    'rclone-up': [] as Run[],
    'agent-down': [] as Run[],
    'rclone-down': [] as Run[],
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const direction of ['up', 'down'] as const) {
      // Who begins takes turns too: the second one finds a warmer machine.
      const agentFirst = round % 2 === 0;
      if (agentFirst) runs[`agent-${direction}`].push(await runAgent(bench, direction));
      runs[`rclone-${direction}`].push(await runRclone(bench, direction));
      if (!agentFirst) runs[`agent-${direction}`].push(await runAgent(bench, direction));
    }
  }
  return runs;
}

async function runAgent(bench: Bench, direction: Direction): Promise<Run> {
  const { agent, sizeBytes, sink } = bench;
  const pid = agent.pid ?? 0;
  const memory = new FamilyMemory(pid);
  const before = familyCpuSeconds(pid);
  const files = direction === 'up' ? bench.names.map((name) => `up/${name}`) : bench.names;
  agent.send({ direction, files, sizeBytes, md5: sink.md5 });
  const died = new AbortController();
  const onExit = () => died.abort(new Error('the agent of the bench ended'));
  agent.once('exit', onExit);
  const [answer] = (await once(agent, 'message', { signal: died.signal })) as [{ ms?: number; error?: string }];
  agent.off('exit', onExit);
  memory.stop();
  if (answer.ms === undefined) throw new Error(`the agent failed: ${answer.error}`);
  const run = { seconds: answer.ms / 1000, cpuSeconds: familyCpuSeconds(pid) - before, ...memoryOf(memory) };
  if (direction === 'down') assertArrived(bench, 'down');
  return run;
}

async function runRclone(bench: Bench, direction: Direction): Promise<Run> {
  const local = join(bench.root, direction === 'up' ? 'up' : 'down-rclone');
  const remote = `sink:${direction === 'up' ? 'empty' : 'full'}`;
  const [from, to] = direction === 'up' ? [local, remote] : [remote, local];
  const startedMs = performance.now();
  const before = cpuSecondsOf(process.pid).ended;
  const child = spawn('rclone', ['copy', from, to, ...rcloneOptions(bench)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // Nothing else: certificates, proxies or keys of this machine's environment are not for this store.
    env: { PATH: process.env.PATH, RCLONE_CONFIG_SINK_TYPE: 's3', RCLONE_CONFIG: '/dev/null' },
  });
  const memory = new FamilyMemory(child.pid ?? 0);
  const [code] = await once(child, 'exit');
  memory.stop();
  if (code !== 0) throw new Error(`rclone ended with ${code}`);
  const seconds = (performance.now() - startedMs) / 1000;
  if (direction === 'down') assertArrived(bench, 'down-rclone');
  return { seconds, cpuSeconds: cpuSecondsOf(process.pid).ended - before, ...memoryOf(memory) };
}

function rcloneOptions({ sink }: Bench): string[] {
  const s3 = {
    provider: 'Other',
    endpoint: sink.url,
    'chunk-size': `${PART_BYTES}B`,
    'upload-concurrency': PARTS_AT_ONCE,
  };
  return [
    ...Object.entries(s3).flatMap(([key, value]) => [`--s3-${key}`, String(value)]),
    '--s3-force-path-style',
    '--s3-disable-checksum',
    '--s3-no-check-bucket',
    '--s3-no-head',
    `--s3-upload-cutoff=${PART_BYTES}B`,
    `--transfers=${FILES}`,
    '--multi-thread-streams=0',
    '--retries=1',
    '--quiet',
  ];
}

/** Both sides verify what they download; here only that all of it is there, and that it makes room for the next round. */
function assertArrived({ root, names, sizeBytes }: Bench, folder: string): void {
  for (const name of names) {
    const { size } = statSync(join(root, folder, name));
    if (size !== sizeBytes) throw new Error(`${folder}/${name} has ${size} bytes instead of ${sizeBytes}`);
  }
  rmSync(join(root, folder), { recursive: true });
}

function figures(runs: Awaited<ReturnType<typeof measure>>, sizeBytes: number) {
  const gibibytes = (FILES * sizeBytes) / GIBIBYTE;
  const of = (list: Run[]) => ({
    mibPerSecond: rounded((gibibytes * 1024) / median(list.map((run) => run.seconds))),
    cpuSecondsPerGiB: rounded(median(list.map((run) => run.cpuSeconds)) / gibibytes, 2),
    rssMb: Math.max(...list.map((run) => run.rssMb)),
    pssMb: Math.max(...list.map((run) => run.pssMb)),
  });
  const ours = { upload: of(runs['agent-up']), download: of(runs['agent-down']) };
  const rclone = { upload: of(runs['rclone-up']), download: of(runs['rclone-down']) };
  const ratio = (way: 'upload' | 'download') => rounded(ours[way].mibPerSecond / rclone[way].mibPerSecond, 2);
  return {
    bench: 'transfer',
    ours,
    peers: { rclone },
    ratios: { uploadVsRclone: ratio('upload'), downloadVsRclone: ratio('download') },
    rssMb: Math.max(ours.upload.rssMb, ours.download.rssMb),
    pssMb: Math.max(ours.upload.pssMb, ours.download.pssMb),
    cpuSecondsPerGiB: { upload: ours.upload.cpuSecondsPerGiB, download: ours.download.cpuSecondsPerGiB },
  };
}
