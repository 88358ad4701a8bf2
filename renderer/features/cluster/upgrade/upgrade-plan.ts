import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { isSilent, type NodeJudgement, type NodeStage, stageAllStopped, stageOneByOne } from './node-stage.ts';
import type { VersionMemory } from './version-memory-state.ts';
import { compareVersions, newestVersion } from './versions.ts';

// What is to be done next to bring all nodes of a cluster to one version, from what the cluster shows now. Pure.

/** `one-by-one`: the cluster stays on, the Primary comes last. `all-stopped`: the vendor's order: disable, MAIN nodes, others, enable. */
export type UpgradeWay = 'one-by-one' | 'all-stopped';

/** What the plan is made of. */
export interface UpgradeFacts {
  members: readonly ClusterMember[];
  /** Whether the cluster is enabled in iconik. */
  enabled: boolean;
  way: UpgradeWay;
  nowMs: number;
  memory: VersionMemory;
  /** Workers that a person left out of this upgrade. */
  leftOut: ReadonlySet<string>;
}

/** One node of the plan. */
export interface NodeStep extends NodeJudgement {
  kind: 'node';
  member: ClusterMember;
}

/** Switching the cluster off or on. */
export interface ClusterStep {
  kind: 'cluster';
  to: 'disabled' | 'enabled';
  /** `waiting`: asked for, the nodes are following. */
  stage: 'to-do' | 'waiting' | 'done';
}

/** One line of the plan. */
export type UpgradeStep = NodeStep | ClusterStep;

/**
 * `empty`: no node to speak of. `ready`: all have the same version, and no upgrade was seen. `under-way`: versions are mixed.
 * `finished`: all have the same version since an upgrade that this window saw, at most an hour ago.
 */
export type UpgradePhase = 'empty' | 'ready' | 'under-way' | 'finished';

/** The plan. */
export interface UpgradePlan {
  phase: UpgradePhase;
  /** The newest version of any node that counts. */
  target: string;
  /** In the order in which they are to be done. */
  steps: readonly UpgradeStep[];
  /** The step to attend to now; where nothing has begun, the one to begin with. Null when nothing is left. */
  next: UpgradeStep | null;
  /** Nodes that do not count: not seen for long, or left out by hand. A worker whose node runs under a new id is not told of. */
  leftOut: readonly ClusterMember[];
  /** Now by the database's clock, near enough; all ages of what nodes wrote count from it. */
  nowMs: number;
}

/** A node that was not seen for so long is no part of the cluster any more; its row stays for the record. */
const GONE_MS = 24 * 60 * 60_000;
/** So long after the last node rose the guide says that the upgrade is finished, and not that another may begin. */
const FINISHED_FOR_MS = 60 * 60_000;

/**
 * The database's time, near enough: the newest heartbeat. Ages of what nodes wrote are reckoned by it, so that a wrong clock of
 * the machine with the window makes no node look lost.
 */
const databaseNowMs = ({ members, nowMs }: UpgradeFacts): number =>
  Math.max(0, ...members.map(({ lastSeenMs }) => lastSeenMs)) || nowMs;

interface Counted {
  counted: ClusterMember[];
  leftOut: ClusterMember[];
}

// A silent row beside a living one of the same name is the installation that was there before.
function countMembers(facts: UpgradeFacts): Counted {
  const { members, leftOut } = facts;
  const nowMs = databaseNowMs(facts);
  const living = new Set(members.filter((each) => !isSilent(each)).map(({ name }) => name));
  const known = members.filter((each) => !isSilent(each) || !living.has(each.name));
  const isOut = (each: ClusterMember): boolean =>
    leftOut.has(each.workerId) || (isSilent(each) && each.lastSeenMs > 0 && nowMs - each.lastSeenMs > GONE_MS);
  return { counted: known.filter((each) => !isOut(each)), leftOut: known.filter(isOut) };
}

function phaseOf(counted: readonly ClusterMember[], { memory, nowMs }: UpgradeFacts): UpgradePhase {
  const [first] = counted;
  if (first === undefined) return 'empty';
  if (counted.some(({ version }) => compareVersions(version, first.version) !== 0)) return 'under-way';
  const isRecent = ({ workerId }: ClusterMember): boolean => {
    const roseMs = memory.get(workerId)?.roseMs ?? null;
    return roseMs !== null && nowMs - roseMs < FINISHED_FOR_MS;
  };
  return counted.some(isRecent) ? 'finished' : 'ready';
}

const byName = (a: ClusterMember, b: ClusterMember): number =>
  a.name.localeCompare(b.name, 'en', { numeric: true }) || a.workerId.localeCompare(b.workerId);

/** Those that are through first, as they came back; then nodes without MAIN, followers, the Primary. A node in work keeps its place. */
function orderOneByOne(isCurrent: (member: ClusterMember) => boolean) {
  const rank = (member: ClusterMember): number =>
    isCurrent(member) ? 0 : member.isLeader ? 3 : member.roles.includes('MAIN') ? 2 : 1;
  return (a: ClusterMember, b: ClusterMember): number => {
    const [left, right] = [rank(a), rank(b)];
    const returned = left === 0 && right === 0 ? (a.startedMs ?? 0) - (b.startedMs ?? 0) : 0;
    return left - right || returned || byName(a, b);
  };
}

const orderAllStopped = (a: ClusterMember, b: ClusterMember): number =>
  Number(b.roles.includes('MAIN')) - Number(a.roles.includes('MAIN')) || byName(a, b);

/** Which of several unfinished steps is attended to first: what is under way before what has not begun. */
const URGENCY: Record<NodeStage, number> = {
  resume: 0,
  install: 1,
  start: 1,
  away: 2,
  draining: 2,
  checking: 3,
  blocked: 4,
  'to-do': 5,
  done: 6,
};

function mostUrgent(steps: readonly NodeStep[]): NodeStep | null {
  const open = steps.filter(({ stage }) => stage !== 'done');
  return open.reduce<NodeStep | null>(
    (first, each) => (first === null || URGENCY[each.stage] < URGENCY[first.stage] ? each : first),
    null,
  );
}

function planOneByOne(nodes: readonly NodeStep[], enabled: boolean): Pick<UpgradePlan, 'steps' | 'next'> {
  if (enabled) return { steps: nodes, next: mostUrgent(nodes) };
  // Somebody switched the cluster off: nothing goes on in this way until it is on again.
  const enable: ClusterStep = { kind: 'cluster', to: 'enabled', stage: 'to-do' };
  return { steps: [enable, ...nodes], next: enable };
}

function planAllStopped(
  nodes: readonly NodeStep[],
  enabled: boolean,
  isLevel: boolean,
): Pick<UpgradePlan, 'steps' | 'next'> {
  const isIdle = nodes.every(({ stage }) => stage !== 'draining' && stage !== 'away');
  const off: ClusterStep['stage'] = isLevel && enabled ? 'done' : enabled ? 'to-do' : isIdle ? 'done' : 'waiting';
  const settled = nodes.every(({ stage }) => stage === 'done');
  const on: ClusterStep['stage'] = !isLevel || !enabled ? 'to-do' : settled ? 'done' : 'waiting';
  const disable: ClusterStep = { kind: 'cluster', to: 'disabled', stage: off };
  const enable: ClusterStep = { kind: 'cluster', to: 'enabled', stage: on };
  const steps: UpgradeStep[] = [disable, ...nodes, enable];
  const lost = nodes.some(({ stage }) => stage === 'draining')
    ? undefined
    : nodes.find(({ stage }) => stage === 'away');
  if (disable.stage === 'waiting' && lost !== undefined) return { steps, next: lost };
  if (disable.stage !== 'done') return { steps, next: disable };
  const open = nodes.find(({ stage }) => stage !== 'done') ?? null;
  return { steps, next: open ?? (enable.stage === 'done' ? null : enable) };
}

/**
 * The plan for what the cluster shows now. It keeps no state of its own, so that every node's window shows the same one, and a
 * step ticks itself off when its node does what it was waited for.
 */
export function upgradePlan(facts: UpgradeFacts): UpgradePlan {
  const { counted, leftOut } = countMembers(facts);
  const phase = phaseOf(counted, facts);
  const target = newestVersion(counted.map(({ version }) => version));
  const isCurrent = ({ version }: ClusterMember): boolean =>
    phase !== 'ready' && compareVersions(version, target) === 0;
  const isOneByOne = facts.way === 'one-by-one';
  const stage = isOneByOne || facts.enabled ? stageOneByOne : stageAllStopped;
  const nowMs = databaseNowMs(facts);
  const nodes = counted.sort(isOneByOne ? orderOneByOne(isCurrent) : orderAllStopped).map((member): NodeStep => {
    return { kind: 'node', member, ...stage(member, isCurrent(member), nowMs) };
  });
  if (phase === 'empty') return { phase, target, steps: [], next: null, leftOut, nowMs };
  const isLevel = phase === 'finished';
  const plan = isOneByOne ? planOneByOne(nodes, facts.enabled) : planAllStopped(nodes, facts.enabled, isLevel);
  return { phase, target, leftOut, nowMs, ...plan };
}
