import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBenchAgent } from '../built-agent.ts';
import { FamilyMemory } from '../family-memory.ts';
import { type BenchServer, startBenchServer } from '../queue/server.ts';
import { median, rounded } from '../statistics.ts';
import { changeHundredth, growTree, someFile } from './tree.ts';

/** Rounds of everything but rclone, which takes several times longer and gets one round in two. */
const ROUNDS = 3;
const SIZES = [200_000, 1_000_000];

interface Answer {
  ms: number;
  count: number;
}

/** Scans trees of two sizes (`only`: of these sizes) beside programs that do nothing but list them; medians of rounds that take turns. */
export async function benchScan({ isShort, only }: { isShort: boolean; only?: string | undefined }) {
  const program = await buildBenchAgent('scan', 'scan-agent');
  const server = await startBenchServer(10);
  try {
    const results = [];
    for (const size of only?.split(',').map(Number) ?? SIZES) {
      const result = await benchSize(server, program, isShort ? size / 10 : size);
      process.stdout.write(`${JSON.stringify(result)}\n`);
      results.push(result);
    }
    const last = results.at(-1);
    return { bench: 'scan', ours: results, peers: {}, ratios: last?.ratios, rssMb: last?.rssMb, pssMb: last?.pssMb };
  } finally {
    await server.stop();
  }
}

function assertRoom(folder: string, files: number): void {
  const { ffree, type } = statfsSync(folder);
  // Some file systems count no inodes.
  if (ffree > 0 && ffree < files * 1.1) throw new Error(`not enough inodes in ${folder} (type ${type})`);
}

async function benchSize(server: BenchServer, program: string, files: number) {
  const root = mkdtempSync(join(process.env.ISG_PRO_BENCH_DIR ?? tmpdir(), 'isg-pro-bench-scan-'));
  try {
    assertRoom(root, files);
    const leaves = growTree(root, files);
    const database = await server.createDatabase(`scan_${files}`, true);
    const agent = await startAgent(program, `${database.direct}?sslmode=disable`, root);
    const memory = new FamilyMemory(agent.pid ?? 0);
    try {
      return await measure(agent, { root, leaves, files, memory });
    } finally {
      memory.stop();
      if (agent.connected) agent.send('stop');
      if (agent.exitCode === null) await once(agent, 'exit');
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function startAgent(program: string, uri: string, root: string): Promise<ChildProcess> {
  const agent = fork(program, [uri, root], { execArgv: [] });
  await once(agent, 'message');
  return agent;
}

async function ask(agent: ChildProcess, order: 'walk' | 'pass'): Promise<Answer> {
  agent.send(order);
  const ended = new AbortController();
  const died = () => ended.abort(new Error('the agent of the bench ended'));
  agent.once('exit', died);
  try {
    const [answer] = await once(agent, 'message', { signal: ended.signal });
    return answer as Answer;
  } finally {
    agent.off('exit', died);
  }
}

async function runPeer(command: string, args: string[]): Promise<number> {
  const startedMs = performance.now();
  const [code] = await once(spawn(command, args, { stdio: 'ignore' }), 'exit');
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return performance.now() - startedMs;
}

const PEERS: Record<string, (root: string) => Promise<number>> = {
  find: (root) => runPeer('find', [root, '-printf', '%p %s %T@\\n']),
  fdfind: (root) => runPeer('fdfind', ['-u', '.', root]),
  rclone: (root) => runPeer('rclone', ['lsjson', '-R', root]),
};

async function measure(
  agent: ChildProcess,
  tree: { root: string; leaves: string[]; files: number; memory: FamilyMemory },
) {
  const { root, leaves, files, memory } = tree;
  const first = await ask(agent, 'pass');
  if (first.count !== files) throw new Error(`the first scan took ${first.count} of ${files} files`);
  // Makes the files ready and the next one unchanged.
  await ask(agent, 'pass');
  await ask(agent, 'walk');
  const times: Record<string, number[]> = { walk: [], rescan: [], find: [], fdfind: [], rclone: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [peer, run] of Object.entries(PEERS)) {
      if (peer !== 'rclone' || round % 2 === 0) times[peer]?.push(await run(root));
      if (peer === 'find') times.walk?.push((await ask(agent, 'walk')).ms);
      if (peer === 'fdfind') times.rescan?.push(await rescanOneEdit(agent, someFile(leaves, round)));
    }
  }
  const changedFiles = changeHundredth(leaves, files);
  const changed = await ask(agent, 'pass');
  if (changed.count < changedFiles) throw new Error(`${changed.count} of ${changedFiles} changes were found`);
  const middle = Object.fromEntries(Object.entries(times).map(([what, list]) => [what, rounded(median(list))]));
  const ratio = (ours: string, peer: string) => rounded((middle[ours] ?? Number.NaN) / (middle[peer] ?? Number.NaN), 2);
  return {
    files,
    medianMs: { firstScan: rounded(first.ms), hundredthChanged: rounded(changed.ms), ...middle },
    rounds: Object.fromEntries(Object.entries(times).map(([what, list]) => [what, list.map((ms) => rounded(ms))])),
    ratios: {
      walkVsFind: ratio('walk', 'find'),
      rescanVsFind: ratio('rescan', 'find'),
      rescanVsRclone: ratio('rescan', 'rclone'),
    },
    rssMb: memory.peaksMb.rss.sum,
    rssMbOfEachThen: memory.peaksMb.rss.each,
    pssMb: memory.peaksMb.pss.sum,
    pssMbOfEachThen: memory.peaksMb.pss.each,
  };
}

/** An edit in place, of one byte, must be found by the rescan that is timed. */
async function rescanOneEdit(agent: ChildProcess, path: string): Promise<number> {
  const size = readFileSync(path).length;
  writeFileSync(path, Buffer.alloc(size, 'x'));
  utimesSync(path, Date.now() / 1000, Date.now() / 1000);
  const { ms, count } = await ask(agent, 'pass');
  if (count < 1) throw new Error('the edit of one file was not found');
  return ms;
}
