import type { Database } from '../../../agent/runtime/sql.ts';
import { checkHistory, type Violation } from './check.ts';
import { type HistoryEvent, parseEvent } from './events.ts';
import { FAULTS, type FaultName } from './sim-faults.ts';
import { type Alternatives, ELECTION, LAPSE_MS, SimNode } from './sim-node.ts';
import { seededRandom, VirtualTime } from './virtual-time.ts';
import { takeWitnessed } from './witness.ts';

/** One episode: three nodes, a leadership, a fault, what follows. */
export interface Episode {
  seed: number;
  fault: FaultName;
  events: HistoryEvent[];
  violations: Violation[];
  /** Leaderships that began. */
  leaderships: number;
}

/** What an episode may do differently. */
export interface EpisodeOptions {
  seed: number;
  /** Default: chosen by the seed. */
  fault?: FaultName;
  alternatives?: Alternatives;
  /** Whether the nodes also send heartbeats and run jobs; default every fourth seed. */
  works?: boolean;
  /** How long the nodes run after the fault has begun, milliseconds. */
  lastsMs?: number;
}

/** Clock rates differ by at most 0.2 %, over at most the lapse of a heartbeat. */
const TOLERANCE_MS = 30;
/** The times that simulations are judged by. */
export const CHECK_TIMES = {
  ttlMs: ELECTION.ttlMs,
  marginMs: ELECTION.marginMs,
  lapseMs: LAPSE_MS,
  toleranceMs: TOLERANCE_MS,
};

const RESET = `
UPDATE leader_term SET term = 0, run_id = NULL, why = '';
UPDATE leader_lease SET term = 0, renewals = 0, released = true, run_id = NULL, expires_at = NULL;
DELETE FROM leader_history; DELETE FROM gateway_hold; DELETE FROM worker; DELETE FROM job; DELETE FROM witness_row`;
const JOBS = `
INSERT INTO job (role, kind, payload, priority, dedupe_key, max_attempts)
SELECT 'CHECKSUM', 'checksum', '{}', 5, 'simulated ' || n, 50 FROM generate_series(1, 6) AS n`;

/**
 * Runs one episode on a database that has the witness (witness.ts) and that nobody else uses, and judges its history. The
 * SQL is real; all waiting is virtual. Clocks, links and faults follow the seed.
 */
export async function runEpisode(real: Database, options: EpisodeOptions): Promise<Episode> {
  const { seed, alternatives = {}, works = seed % 4 === 0, lastsMs = works ? 10_000 : 5_500 } = options;
  const random = seededRandom(seed * 7_919 + 1);
  const time = new VirtualTime();
  const events: HistoryEvent[] = [];
  await real.execute(works ? `${RESET};${JOBS}` : RESET, []);
  const applied = async (run: string) => {
    events.push(...(await takeWitnessed(real, { atMs: time.nowMs, run })));
  };
  const say = (run: string, kind: string, facts: Readonly<Record<string, unknown>>) => {
    events.push(parseEvent({ run, kind, ...facts, atMs: time.nowMs }));
  };
  const startNode = (name: string): SimNode => {
    const node = new SimNode({ name, time, random, real, say, applied, alternatives, works });
    node.start();
    return node;
  };
  const nodes = ['a', 'b', 'c'].map(startNode);
  const names = Object.keys(FAULTS) as FaultName[];
  const fault = options.fault ?? names[Math.floor(random() * names.length)] ?? 'crash';
  await time.advanceTo(1_000 + 1_500 * random());
  await FAULTS[fault]({ nodes, time, random, startNode });
  await time.advanceTo(time.nowMs + lastsMs);
  for (const node of nodes) node.process.kill();
  // Statements on their way at the end still arrive, so that none of them meets the next episode.
  await time.advanceTo(time.nowMs + 10_000);
  const leaderships = events.filter(({ kind }) => kind === 'trust-begun').length;
  return { seed, fault, events, violations: checkHistory(events, CHECK_TIMES), leaderships };
}
