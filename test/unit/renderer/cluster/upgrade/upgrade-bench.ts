import type { ClusterMember } from '../../../../../agent/contract/index.ts';
import {
  type UpgradeFacts,
  type UpgradePlan,
  upgradePlan,
} from '../../../../../renderer/features/cluster/upgrade/upgrade-plan.ts';

/** The instant of all these tests. */
export const NOW = 1_800_000_000_000;
export const MINUTE = 60_000;

/** What a paused node says of itself. */
export const PAUSED = { availability: 'draining', reason: 'Paused by its operator: it finishes its jobs.' } as const;
/** A node that was stopped in good order a minute ago. */
export const STOPPED = {
  availability: 'unavailable',
  reason: 'stopped',
  isAlive: false,
  hasLeft: true,
  lastSeenMs: NOW - MINUTE,
} as const;

/** A node of the old version at work; `name` ends its worker id. */
export function node(name: string, over: Partial<ClusterMember> = {}): ClusterMember {
  return {
    workerId: `w-${name}`,
    name,
    host: `${name}.lan`,
    version: '1.0.0',
    roles: ['CHECKSUM'],
    availability: 'available',
    reason: '',
    isLeader: false,
    isAlive: true,
    isSelf: false,
    lastSeenMs: NOW,
    startedMs: NOW - 600 * MINUTE,
    runningJobs: 0,
    health: [],
    ...over,
  };
}

/** Facts around some nodes. */
export function factsOf(members: readonly ClusterMember[], over: Partial<UpgradeFacts> = {}): UpgradeFacts {
  return { members, enabled: true, way: 'one-by-one', nowMs: NOW, memory: new Map(), leftOut: new Set(), ...over };
}

/** The plan for some nodes. */
export function planOf(members: readonly ClusterMember[], over: Partial<UpgradeFacts> = {}): UpgradePlan {
  return upgradePlan(factsOf(members, over));
}

/** The steps as `name: stage`, or `disabled: stage`. */
export function stepsOf({ steps }: UpgradePlan): string[] {
  return steps.map((step) => `${step.kind === 'node' ? step.member.name : step.to}: ${step.stage}`);
}

/** What is next, as in `stepsOf`; null for nothing. */
export function nextOf(plan: UpgradePlan): string | null {
  return plan.next === null ? null : (stepsOf({ ...plan, steps: [plan.next] })[0] ?? null);
}
