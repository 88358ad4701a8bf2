import { checkHistory, type Rule } from '../../support/history/check.ts';
import { readHistory } from '../../support/history/events.ts';
import { CHECK_TIMES } from '../../support/history/simulation.ts';
import { openArena } from './arena.ts';
import { type EpisodeKind, runEpisode, startNodes, stress } from './episodes.ts';
import { runSimulated } from './simulated.ts';

/** How many episodes of each kind, and the rest. */
const FULL = { graceful: 100, crash: 50, freeze: 20, iconik: 15, storage: 15, stressMs: 300_000, simulated: 2_000 };
const SHORT = { graceful: 10, crash: 5, freeze: 2, iconik: 2, storage: 2, stressMs: 30_000, simulated: 200 };
const KINDS: readonly EpisodeKind[] = ['graceful', 'crash', 'freeze', 'iconik', 'storage'];

const OVERLAPS: readonly Rule[] = ['no overlapping trust windows'];
const STALE: readonly Rule[] = ['no write of an old term', 'one writer per term'];

/** What passes between a trust check and the noting of it on a busy machine. */
const TOLERANCE_MS = 100;

/** p50 and p99, milliseconds; of fewer than 100 samples the maximum stands for p99. */
function percentiles(samples: readonly number[]): { p50: number; p99: number; samples: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50: at(0.5), p99: sorted.length < 100 ? at(1) : at(0.99), samples: sorted.length };
}

/**
 * Failover of real agent processes behind pgBouncer in transaction mode: hand-overs, kills, freezes, outages of iconik and
 * losses of a storage, each struck at the present leader; the history of all of it is checked. `--short` runs a tenth.
 */
export async function benchFailover({ isShort }: { isShort: boolean }) {
  const plan = isShort ? SHORT : FULL;
  const arena = await openArena();
  const gaps: Record<EpisodeKind, number[]> = { graceful: [], crash: [], freeze: [], iconik: [], storage: [] };
  try {
    await startNodes(arena);
    for (const kind of KINDS) {
      for (let at = 1; at <= plan[kind]; at++) {
        gaps[kind].push(await runEpisode(arena, kind));
        process.stdout.write(`${kind} ${at} of ${plan[kind]}: ${Math.round(gaps[kind].at(-1) ?? 0)} ms\n`);
      }
    }
    // Simulated nodes live in virtual time: what else the machine does is all the same to them.
    const [falseFailovers, { simulated, broken }] = await Promise.all([
      stress(arena, plan.stressMs),
      runSimulated(plan.simulated),
    ]);
    const violations = checkHistory(readHistory([arena.historyPath]), { ...CHECK_TIMES, toleranceMs: TOLERANCE_MS });
    for (const { words } of violations) process.stdout.write(`${words}\n`);
    for (const words of broken) process.stdout.write(`simulated: ${words}\n`);
    const count = (rules: readonly Rule[]) => violations.filter(({ rule }) => rules.includes(rule)).length;
    const ours = {
      gracefulMs: percentiles(gaps.graceful),
      crashMs: percentiles(gaps.crash),
      freezeMs: percentiles(gaps.freeze),
      iconikMs: percentiles(gaps.iconik),
      storageMs: percentiles(gaps.storage),
      overlaps: count(OVERLAPS),
      staleWrites: count(STALE),
      otherViolations: violations.length - count([...OVERLAPS, ...STALE]),
      falseFailovers,
      episodes: KINDS.reduce((sum, kind) => sum + gaps[kind].length, 0),
      simulated,
      simulatedViolations: broken.length,
    };
    return { bench: 'failover', ours, peers: {}, ratios: {} };
  } finally {
    await arena.close();
  }
}
