import { type ClusterMember, isBeyondNeighbour, ROLES, type Role } from '../../../../agent/contract/index.ts';
import { isSilent, works } from './node-stage.ts';
import type { NodeStep, UpgradeFacts, UpgradePlan } from './upgrade-plan.ts';
import { compareVersions } from './versions.ts';

// What may go wrong, or has, beside the steps themselves. Pure.

/** Something to know before or while the next step is done. */
export type UpgradeRisk =
  /** Taking this node away leaves roles without any node. */
  | { kind: 'leaves-roles'; member: ClusterMember; roles: readonly Role[] }
  /** Roles that no node has while some are away. */
  | { kind: 'roles-away'; names: readonly string[]; roles: readonly Role[] }
  /** No node that counts can lead. */
  | { kind: 'no-main' }
  /** More than one release behind the newest. */
  | { kind: 'too-far'; names: readonly string[]; from: string }
  /** A node has an older version than before. */
  | { kind: 'went-back'; name: string; from: string; to: string }
  /** A node was restarted since the upgrade began, and still has the old version. */
  | { kind: 'unchanged'; name: string; version: string; startedMs: number }
  /** Two versions have run together for at least so long. */
  | { kind: 'mixed-long'; forMs: number }
  /** More nodes are away at once than one. */
  | { kind: 'several-away'; names: readonly string[] }
  /** Nodes that are not well, and not because of the upgrade: they come on top of the one that is taken away. */
  | { kind: 'unwell'; members: readonly ClusterMember[] }
  /** Nodes that do not count. */
  | { kind: 'left-out'; names: readonly string[] };

/** Two versions are meant to run together for an upgrade, not for longer. */
const MIXED_TOO_LONG_MS = 24 * 60 * 60_000;
/** A restart longer ago than this is no attempt at this upgrade. */
const RESTARTED_WITHIN_MS = 60 * 60_000;

const namesOf = (steps: readonly NodeStep[]): string[] => steps.map(({ member }) => member.name);

/** Roles of a node that no other available one has, MAIN first. */
function rolesLeftWithout(member: ClusterMember, members: readonly ClusterMember[]): Role[] {
  const others = members.filter((each) => each.workerId !== member.workerId && works(each));
  return ROLES.filter((role) => member.roles.includes(role) && !others.some(({ roles }) => roles.includes(role)));
}

function roleRisks(plan: UpgradePlan, nodes: readonly NodeStep[]): UpgradeRisk[] {
  const members = nodes.map(({ member }) => member);
  const { next } = plan;
  const risks: UpgradeRisk[] = [];
  if (next?.kind === 'node' && next.stage === 'to-do') {
    const roles = rolesLeftWithout(next.member, members);
    if (works(next.member) && roles.length > 0) risks.push({ kind: 'leaves-roles', member: next.member, roles });
  }
  const away = nodes.filter(({ stage, member }) => stage !== 'to-do' && stage !== 'done' && !works(member));
  const roles = ROLES.filter(
    (role) =>
      away.some(({ member }) => member.roles.includes(role)) &&
      !members.some((each) => works(each) && each.roles.includes(role)),
  );
  if (roles.length > 0) {
    const holders = away.filter(({ member }) => roles.some((role) => member.roles.includes(role)));
    risks.push({ kind: 'roles-away', names: namesOf(holders), roles });
  }
  if (!members.some(({ roles: each }) => each.includes('MAIN'))) risks.push({ kind: 'no-main' });
  if (away.length > 1) risks.push({ kind: 'several-away', names: namesOf(away) });
  const unwell = nodes.filter(({ stage, member }) => stage === 'to-do' && !works(member)).map(({ member }) => member);
  if (unwell.length > 0) risks.push({ kind: 'unwell', members: unwell });
  return risks;
}

/** Since when both versions have certainly run beside each other: the younger of the oldest runs of each. */
function mixedSinceMs(current: readonly ClusterMember[], older: readonly ClusterMember[]): number | null {
  const firstStart = (members: readonly ClusterMember[]): number =>
    Math.min(
      ...members.filter((each) => !isSilent(each)).map(({ startedMs }) => startedMs ?? Number.POSITIVE_INFINITY),
    );
  const sinceMs = Math.max(firstStart(current), firstStart(older));
  return Number.isFinite(sinceMs) ? sinceMs : null;
}

function versionRisks(plan: UpgradePlan, nodes: readonly NodeStep[], { memory }: UpgradeFacts): UpgradeRisk[] {
  const { nowMs } = plan;
  const members = nodes.map(({ member }) => member);
  const isOlder = ({ version }: ClusterMember): boolean => compareVersions(version, plan.target) < 0;
  const older = members.filter(isOlder);
  const current = members.filter((each) => !isOlder(each));
  const far = older.filter(({ version }) => isBeyondNeighbour(version, plan.target));
  const risks: UpgradeRisk[] = [];
  const [farthest] = [...far].sort((a, b) => compareVersions(a.version, b.version));
  if (farthest !== undefined) {
    risks.push({ kind: 'too-far', names: far.map(({ name }) => name), from: farthest.version });
  }
  const sinceMs = mixedSinceMs(current, older);
  const risen = Math.min(...current.map(({ startedMs }) => startedMs ?? Number.POSITIVE_INFINITY));
  for (const { workerId, name, version, startedMs, ...rest } of older) {
    const from = memory.get(workerId)?.fellFrom ?? null;
    if (from !== null) risks.push({ kind: 'went-back', name, from, to: version });
    else if (startedMs !== null && startedMs > risen && nowMs - startedMs < RESTARTED_WITHIN_MS && rest.isAlive)
      risks.push({ kind: 'unchanged', name, version, startedMs });
  }
  if (sinceMs !== null && nowMs - sinceMs > MIXED_TOO_LONG_MS) {
    risks.push({ kind: 'mixed-long', forMs: nowMs - sinceMs });
  }
  return risks;
}

/** What to say beside the plan, the gravest first. Nothing of versions while all have the same. */
export function upgradeRisks(plan: UpgradePlan, facts: UpgradeFacts): UpgradeRisk[] {
  const nodes = plan.steps.filter((step): step is NodeStep => step.kind === 'node');
  const ofRoles = facts.enabled && facts.way === 'one-by-one' ? roleRisks(plan, nodes) : [];
  const ofVersions = plan.phase === 'under-way' ? versionRisks(plan, nodes, facts) : [];
  const out = plan.leftOut.map(({ name }) => name);
  return [...ofRoles, ...ofVersions, ...(out.length === 0 ? [] : [{ kind: 'left-out' as const, names: out }])];
}
