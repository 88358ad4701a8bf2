import { type NodeSnapshot, ROLES, type Role, type RoleState } from '../../../agent/contract/index.ts';
import { type Freshness, isBelievable } from '../../state/freshness.ts';
import { formatByteRate, formatCount, formatList } from '../../ui/format.ts';
import { throughputSeries } from './throughput-series.ts';

/** One role as its card shows it. */
export interface RoleCardModel {
  role: Role;
  /** `elsewhere`: other nodes have it; `nowhere`: no available node has it. */
  state: 'working' | 'standing-by' | 'paused' | 'elsewhere' | 'nowhere' | 'unknown';
  /** The state in words. */
  word: string;
  /** Why, or who has it instead; may be empty. */
  why: string;
  /** Null when this node does not have the role. */
  running: { count: number; limit: number } | null;
  /** Queued in the cluster; null when not known here. */
  queued: number | null;
  /** Jobs per minute over the last hour. */
  spark: number[];
  /** The last whole minute, e.g. `34 files/min · 1.20 GB/s`. */
  rate: string;
  lastFailure: RoleState['lastFailure'];
}

function standing(
  state: RoleState,
  snapshot: NodeSnapshot,
  believe: boolean,
): Pick<RoleCardModel, 'state' | 'word' | 'why'> {
  if (!believe) return { state: 'unknown', word: 'Unknown', why: 'These figures are the last known.' };
  if (state.state === 'paused') return { state: 'paused', word: 'Paused', why: state.why };
  if (state.role === 'MAIN' && snapshot.leadership.standing === 'follower') {
    return {
      state: 'standing-by',
      word: 'Standing by',
      why: `${snapshot.leadership.leaderName ?? 'Another node'} leads.`,
    };
  }
  return { state: 'working', word: 'Working', why: '' };
}

function absent(role: Role, snapshot: NodeSnapshot): Pick<RoleCardModel, 'state' | 'word' | 'why'> {
  const holders = snapshot.cluster.members.filter(
    ({ roles, isAlive, availability, isSelf }) =>
      !isSelf && isAlive && availability === 'available' && roles.includes(role),
  );
  if (holders.length === 0) return { state: 'nowhere', word: 'Not covered', why: 'No available node has this role.' };
  const names = holders.slice(0, 2).map(({ name }) => name);
  const rest = holders.length - names.length;
  if (rest > 0) names.push(`${formatCount(rest)} more`);
  return { state: 'elsewhere', word: 'Not on this node', why: `Done by ${formatList(names)}.` };
}

/** The four cards, always in the same order. */
export function roleCards(snapshot: NodeSnapshot, fresh: Freshness): RoleCardModel[] {
  const believe = isBelievable(fresh);
  const { series } = throughputSeries(snapshot.throughput, snapshot.atMs);
  return ROLES.map((role) => {
    const own = snapshot.roles.find((each) => each.role === role);
    const line = series.find((each) => each.role === role);
    const jobs = line?.jobsPerMinute.at(-1) ?? 0;
    const bytes = line?.bytesPerSecond.at(-1) ?? 0;
    const rate = `${formatCount(jobs)} ${jobs === 1 ? 'file' : 'files'}/min${bytes > 0 ? ` · ${formatByteRate(bytes)}` : ''}`;
    return {
      role,
      ...(own ? standing(own, snapshot, believe) : absent(role, snapshot)),
      running: own ? { count: own.running, limit: own.limit } : null,
      queued: own?.queued ?? null,
      spark: line?.jobsPerMinute ?? [],
      rate,
      lastFailure: own?.lastFailure ?? null,
    };
  });
}
