import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { type Freshness, isBelievable } from '../../state/freshness.ts';
import { formatCount, formatDuration, formatList, plural } from '../../ui/format.ts';
import { leaderlessSinceMs } from '../../ui/leader-badge-model.ts';
import { isHealthy } from '../../ui/member-health.ts';
import type { Status } from '../../ui/StatusMark.tsx';

/** The top line of the screen. */
export interface ClusterSentence {
  status: Status;
  sentence: string;
}

function leaderWords({ leadership, cluster }: NodeSnapshot, nowMs: number): { status: Status; words: string } {
  const leader = cluster.members.find(({ isLeader }) => isLeader)?.name ?? leadership.leaderName;
  if (leader !== null && leader !== undefined && leadership.standing !== 'nobody') {
    const since = leadership.sinceMs === null ? '' : ` for ${formatDuration(nowMs - leadership.sinceMs)}`;
    return { status: 'ok', words: `${leader} has led${since === '' ? '' : since}` };
  }
  if (leadership.standing === 'unknown') return { status: 'unknown', words: 'Who leads is not known yet' };
  const sinceMs = leaderlessSinceMs(cluster.history);
  return {
    status: 'failing',
    words: `Nobody has led${sinceMs === null ? '' : ` for ${formatDuration(nowMs - sinceMs)}`}`,
  };
}

/** Who leads and since when, how many nodes are healthy, which roles nobody has. */
export function clusterSentence(snapshot: NodeSnapshot, fresh: Freshness, nowMs: number): ClusterSentence {
  const { cluster } = snapshot;
  const name = cluster.name === '' ? 'The cluster' : `Cluster ${cluster.name}`;
  if (!isBelievable(fresh)) {
    return {
      status: 'unknown',
      sentence: `${name}: how it stands is not known while the agent of this node does not report.`,
    };
  }
  if (!cluster.enabled) {
    return {
      status: 'warning',
      sentence: `${name} is disabled. Nobody leads and no node takes jobs until it is enabled.`,
    };
  }
  if (cluster.members.length === 0) return { status: 'unknown', sentence: `${name}: no node has registered yet.` };
  const leader = leaderWords(snapshot, nowMs);
  const healthy = cluster.members.filter(isHealthy).length;
  const isWhole = healthy === cluster.members.length;
  const nodes = isWhole
    ? cluster.members.length === 1
      ? 'Its only node is healthy.'
      : `All ${plural(cluster.members.length, 'node')} are healthy.`
    : `${formatCount(healthy)} of ${plural(cluster.members.length, 'node')} ${healthy === 1 ? 'is' : 'are'} healthy.`;
  const roles =
    cluster.uncoveredRoles.length === 0 ? '' : ` No available node has ${formatList(cluster.uncoveredRoles, 'or')}.`;
  const status =
    leader.status !== 'ok' ? leader.status : isWhole && cluster.uncoveredRoles.length === 0 ? 'ok' : 'warning';
  return { status, sentence: `${name}: ${leader.words}. ${nodes}${roles}` };
}
