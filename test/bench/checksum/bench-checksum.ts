import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { median, rounded } from '../statistics.ts';
import { type BenchFiles, writeBenchFiles } from './bench-files.ts';
import { measureOneProcess } from './one-process.ts';
import { digestOf, runPeer } from './peers.ts';

/** Bytes and files of a run. */
const FULL = { largeBytes: 2 ** 31, eightBytes: 2 ** 28, smallFiles: 100_000, smallBytes: 65_536 };
const SHORT = { largeBytes: 2 ** 27, eightBytes: 2 ** 24, smallFiles: 4_000, smallBytes: 65_536 };

interface Case {
  rounds: number;
  ours: () => Promise<unknown>;
  peer: () => Promise<unknown>;
}

/**
 * Digests of files that lie in memory already, beside the programs that do nothing else: one large file, eight files, many
 * small ones. Ours goes through a storage access as the roles use it, its process started before. Each round runs both, in
 * turns first; a ratio is the median of the rounds' ratios (throughput, ours to theirs).
 */
export async function benchChecksum({ isShort, only }: { isShort: boolean; only?: string | undefined }) {
  const sizes = isShort ? SHORT : FULL;
  const root = mkdtempSync(join(process.env.ISG_PRO_BENCH_DIR ?? tmpdir(), 'isg-pro-bench-checksum-'));
  const guard = await createChildGuard();
  const access = createStorageAccess({ storageId: 'bench', mountPoint: root, guard, log: silentLogger });
  try {
    assertRoom(root, sizes);
    const files = writeBenchFiles(root, sizes);
    await access.placeMarker();
    await assertSameDigests(access, files);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const results = await measureCases(casesOf(access, files, isShort ? 3 : 7), only);
    delay.disable();
    const alone = await measureOneProcess(root, files);
    return {
      bench: 'checksum',
      ours: { ...results.ours, agentLoopDelayMaxMs: rounded(delay.max / 1e6, 1), loopDelayMaxMs: alone.loopDelayMaxMs },
      peers: results.peers,
      ratios: results.ratios,
      rssMb: alone.rssMb,
      processors: availableParallelism(),
    };
  } finally {
    await access.stop();
    await guard.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

function assertRoom(folder: string, sizes: typeof FULL): void {
  const { bavail, bsize } = statfsSync(folder);
  const needed = sizes.largeBytes + 8 * sizes.eightBytes + sizes.smallFiles * sizes.smallBytes;
  if (bavail * bsize < needed * 1.1)
    throw new Error(`${folder} has no room for ${needed} bytes; name another by ISG_PRO_BENCH_DIR`);
}

async function assertSameDigests(access: StorageAccess, { root, large }: BenchFiles): Promise<void> {
  const { md5, xxh128 } = await access.digest(large, {});
  const file = join(root, large);
  const [theirMd5, theirFast] = [await digestOf('md5sum', [file]), await digestOf('xxhsum', ['-H2', file])];
  if (md5 !== theirMd5 || xxh128 !== theirFast)
    throw new Error(`digests differ: ${md5} ${xxh128}, ${theirMd5} ${theirFast}`);
}

function casesOf(access: StorageAccess, files: BenchFiles, rounds: number): Record<string, Case> {
  const fast = (paths: readonly string[]) => access.digestMany(paths, { withMd5: false });
  /** As jobs do it: so many at a time as `checksum_max_workers` says by default. */
  const both = async (paths: readonly string[]) => {
    const left = [...paths];
    const worker = async () => {
      for (let path = left.shift(); path !== undefined; path = left.shift()) await access.digest(path, {});
    };
    await Promise.all([worker(), worker()]);
  };
  const { large, eight, small, lists } = files;
  return {
    fastVsXxhsum: { rounds, ours: () => fast([large]), peer: () => runPeer(['xxhsum', '-H2'], lists.large) },
    bothVsMd5sum: {
      rounds: Math.min(rounds, 3),
      ours: () => both([large]),
      peer: () => runPeer(['md5sum'], lists.large),
    },
    eightFastVsXxhsum: { rounds, ours: () => fast(eight), peer: () => runPeer(['xxhsum', '-H2'], lists.eight, 4) },
    eightBothVsMd5sum: {
      rounds: Math.min(rounds, 3),
      ours: () => both(eight),
      peer: () => runPeer(['md5sum'], lists.eight, 4),
    },
    smallVsXxhsum: { rounds, ours: () => fast(small), peer: () => runPeer(['xxhsum', '-H2'], lists.small) },
    smallBothVsMd5sum: {
      rounds: Math.min(rounds, 3),
      ours: () => access.digestMany(small, { withMd5: true }),
      peer: () => runPeer(['md5sum'], lists.small),
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function measureCases(cases: Record<string, Case>, only: string | undefined) {
  const chosen = only?.split(',') ?? Object.keys(cases);
  const ours: Record<string, number> = {};
  const peers: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  for (const name of chosen) {
    const found = cases[name];
    if (!found) throw new Error(`There is no part "${name}". Say some of: ${Object.keys(cases).join(',')}`);
    const rounds = await measure(found);
    ours[`${name}Ms`] = rounded(median(rounds.map((round) => round.ourMs)), 1);
    peers[`${name}Ms`] = rounded(median(rounds.map((round) => round.peerMs)), 1);
    ratios[name] = rounded(median(rounds.map((round) => round.peerMs / round.ourMs)), 3);
    process.stdout.write(`${name}: ${ratios[name]} (ours ${ours[`${name}Ms`]} ms, theirs ${peers[`${name}Ms`]} ms)\n`);
  }
  return { ours, peers, ratios };
}

async function measure({ rounds, ours, peer }: Case): Promise<{ ourMs: number; peerMs: number }[]> {
  const found = [];
  await ours();
  await peer();
  for (let round = 0; round < rounds; round += 1) {
    const isOursFirst = round % 2 === 0;
    const early = await timed(isOursFirst ? ours : peer);
    const late = await timed(isOursFirst ? peer : ours);
    found.push(isOursFirst ? { ourMs: early, peerMs: late } : { ourMs: late, peerMs: early });
  }
  return found;
}
