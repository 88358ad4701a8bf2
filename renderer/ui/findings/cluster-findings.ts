import type { ClusterMember, LeaderlessCause, NodeSnapshot, Role } from '../../../agent/contract/index.ts';
import { formatCount, formatDuration, formatList } from '../format.ts';
import { leaderlessSinceMs } from '../leader-badge-model.ts';
import { type Finding, sentence } from './finding.ts';

const ROLE_CONSEQUENCE: Readonly<Record<Role, string>> = {
  MAIN: 'nothing is scanned and ingested',
  CHECKSUM: 'new files wait for their checksum',
  TRANSCODE: 'no proxies and keyframes are made',
  TRANSFER: 'nothing is uploaded or downloaded',
};

/** Whether nobody leads, or this node cannot although it should. Pure. */
export function leadershipFindings(snapshot: NodeSnapshot, nowMs: number): Finding[] {
  const { leadership, cluster } = snapshot;
  // where the cluster is disabled it was ordered so, and is a finding of its own
  if (!cluster.enabled) return [];
  const hasLeader = leadership.leaderName !== null && leadership.standing !== 'nobody';
  if (leadership.standing === 'unknown' || (hasLeader && leadership.standing !== 'cannot-lead')) return [];
  if (leadership.standing === 'worker' && cluster.members.some(({ isLeader }) => isLeader)) return [];
  const known = new Set(snapshot.checks.filter(({ status }) => status === 'failing').map(({ reason }) => reason));
  if (hasLeader) {
    // a failing check is a finding of its own; saying its consequence twice would hide the cause
    if (known.has(leadership.why) || leadership.why === snapshot.status.reason) return [];
    return [cannotLead(snapshot)];
  }
  return [cluster.leaderless === null ? CHOOSING : nobodyLeads(snapshot, nowMs)];
}

/** An election takes its time; the agent says when it has taken too long (`leaderless`). */
const CHOOSING: Finding = {
  id: 'choosing-leader',
  severity: 'note',
  cause: 'The cluster is choosing a leader.',
  consequence: 'Scans and new orders of iconik wait until one leads. Queued jobs go on.',
  remedy: 'Wait some seconds: a node takes over, or the reason is said here.',
  actions: [],
  evidence: [],
};

const cannotLead = ({ leadership }: NodeSnapshot): Finding => ({
  id: 'cannot-lead',
  severity: 'warning',
  cause: `This node cannot lead: ${sentence(leadership.why) || 'no reason is known.'}`,
  consequence: `${leadership.leaderName ?? 'Another node'} leads; if it fails, this node cannot take over.`,
  remedy: 'Mend what is named, so that the cluster keeps a successor.',
  actions: ['open-cluster'],
  evidence: [],
});

/** The causes that a person can mend; nodes that never could lead are named only when there is nothing else to say. */
function tellingCauses(causes: readonly LeaderlessCause[]): readonly LeaderlessCause[] {
  const telling = causes.filter(({ code }) => code !== 'no-main-role');
  return telling.length > 0 ? telling : causes;
}

// The agent's diagnosis, word by word: tray, doctor and Cluster screen say the same.
function nobodyLeads({ cluster: { history, leaderless } }: NodeSnapshot, nowMs: number): Finding {
  const sinceMs = leaderless?.sinceMs ?? leaderlessSinceMs(history);
  const since = sinceMs === null ? '' : ` for ${formatDuration(nowMs - sinceMs)}`;
  const causes = tellingCauses(leaderless?.causes ?? []);
  const of = (nodes: readonly string[], words: string) => `${formatList(nodes)}: ${sentence(words)}`;
  const undiagnosed = 'No node is registered: start the agent of a node that has the role MAIN.';
  return {
    id: 'nobody-leads',
    severity: 'critical',
    cause: [`Nobody leads the cluster${since}.`, ...causes.map(({ nodes, cause }) => of(nodes, cause))].join(' '),
    consequence: 'Nothing is scanned and ingested, and no new orders of iconik are taken. Queued jobs go on.',
    remedy: causes.length === 0 ? undiagnosed : causes.map(({ nodes, remedy }) => of(nodes, remedy)).join(' '),
    actions: ['open-cluster', 'open-logs'],
    evidence: (leaderless?.causes ?? []).map(({ code, nodes, cause }) => `${code}: ${nodes.join(', ')}: ${cause}`),
  };
}

/** Roles that nobody holds. MAIN is left to the finding that nobody leads, when there is one. Pure. */
export function coverageFindings(snapshot: NodeSnapshot, nobodyLeadsKnown: boolean): Finding[] {
  const roles = snapshot.cluster.uncoveredRoles.filter((role) => role !== 'MAIN' || !nobodyLeadsKnown);
  if (roles.length === 0) return [];
  const holders = snapshot.cluster.members
    .filter(({ availability }) => availability !== 'duplicate')
    .filter((member) => member.roles.some((role) => roles.includes(role)));
  return [
    {
      id: 'uncovered-roles',
      severity: 'warning',
      cause: `No available node has ${roles.length === 1 ? 'the role' : 'the roles'} ${formatList(roles)}.`,
      consequence: `The cluster is not fully operational: ${formatList(roles.map((role) => ROLE_CONSEQUENCE[role]))}.`,
      remedy:
        holders.length > 0
          ? `Mend ${formatList([...new Set(holders.map(({ name }) => name))])}, or give another node ${roles.length === 1 ? 'this role' : 'these roles'} in iconik.`
          : `Give a node ${roles.length === 1 ? 'this role' : 'these roles'} in iconik; it starts working within seconds.`,
      actions: ['open-cluster'],
      evidence: snapshot.cluster.members.map(
        (member) =>
          `${member.name}: ${member.roles.join(', ') || 'no roles'}, ${member.isAlive ? member.availability : 'not seen alive'}`,
      ),
    },
  ];
}

/** What is wrong with another node: gone, a duplicate, or in trouble. */
function memberWords(member: ClusterMember, nowMs: number): Pick<Finding, 'cause' | 'consequence' | 'remedy'> {
  const { name, host, availability } = member;
  if (!member.isAlive) {
    return {
      cause: `${name} has not been seen for ${formatDuration(nowMs - member.lastSeenMs)}.`,
      consequence: 'Its jobs are run by other nodes that have the same roles.',
      remedy: `Start ISG Pro on ${host}, or remove the node in iconik if it is gone for good.`,
    };
  }
  if (availability === 'duplicate') {
    return {
      cause: `${host} runs with the storage gateway id of ${name}, which another machine uses already.`,
      consequence: 'It runs nothing as long as the other one lives.',
      remedy: `Stop ISG Pro on ${host}, or give it a storage gateway id of its own there.`,
    };
  }
  return {
    cause: `${name} is ${availability}. ${sentence(member.reason)}`.trim(),
    consequence: 'It takes no work, or only part of it; the other nodes go on.',
    remedy: `Open diagnostics on ${host}.`,
  };
}

/** Other nodes that are gone, in trouble, or duplicates. Pure. */
export function memberFindings(snapshot: NodeSnapshot, nowMs: number): Finding[] {
  return snapshot.cluster.members.flatMap((member): Finding[] => {
    const isWell = member.isAlive && (member.availability === 'available' || member.availability === 'draining');
    if (member.isSelf || isWell || member.availability === 'disabled') return [];
    const unwell = member.health.filter(({ status }) => status !== 'ok');
    return [
      {
        id: `member-${member.workerId}`,
        severity: 'warning',
        ...memberWords(member, nowMs),
        actions: ['open-cluster'],
        evidence: [
          `Host: ${member.host}, version ${member.version}`,
          ...unwell.map(({ check, status, reason }) => `${check}: ${status}. ${reason}`),
        ],
      },
    ];
  });
}

/** What the scans and the index say of the storages. Pure. */
export function storageFindings(snapshot: NodeSnapshot): Finding[] {
  return snapshot.storages.flatMap((storage): Finding[] => {
    const findings: Finding[] = [];
    if (storage.problem !== null && storage.problem !== '' && storage.problem !== storage.health.reason) {
      findings.push({
        id: `scan-${storage.id}`,
        severity: 'warning',
        cause: `Storage ${storage.name}: ${sentence(storage.problem)}`,
        consequence: 'New and changed files there may not reach iconik.',
        remedy: 'Look at the storage and its log; the next scan tries again by itself.',
        actions: ['open-storages', 'open-logs'],
        evidence: [`Mount point: ${storage.mountPoint}`],
      });
    }
    const faulty = storage.files.faulty ?? 0;
    if (faulty > 0) {
      findings.push({
        id: `faulty-${storage.id}`,
        severity: 'warning',
        cause: `${formatCount(faulty)} ${faulty === 1 ? 'file' : 'files'} of storage ${storage.name} could not be ingested.`,
        consequence: faulty === 1 ? 'It is not in iconik.' : 'They are not in iconik.',
        remedy: 'See the reason for each file on the storages screen.',
        actions: ['open-storages'],
        evidence: [],
      });
    }
    return findings;
  });
}
