import type { ClusterMember, NodeSnapshot } from '../../../agent/contract/index.ts';
import { bad, calmSnapshot, HOUR, MINUTE, member, ok, SECOND } from './calm-studio.ts';

// A studio of four nodes on its way from 0.1.0 to 0.2.0.

const NEW = '0.2.0';
const PAUSED = {
  availability: 'draining',
  reason: 'Paused by its operator: it finishes its jobs, takes no new ones and does not lead until it is resumed.',
} as const;

type Changes = Partial<ClusterMember>;

function studio(nowMs: number, [a, b, c, d]: readonly [Changes, Changes, Changes, Changes]): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  return {
    ...calm,
    cluster: {
      ...calm.cluster,
      members: [
        member(nowMs, {
          name: 'node-a',
          roles: ['MAIN', 'CHECKSUM', 'TRANSFER'],
          isLeader: true,
          isSelf: true,
          runningJobs: 3,
          ...a,
        }),
        member(nowMs, { name: 'node-b', roles: ['MAIN', 'TRANSFER'], runningJobs: 2, ...b }),
        member(nowMs, { name: 'node-c', roles: ['CHECKSUM', 'TRANSCODE'], runningJobs: 4, ...c }),
        member(nowMs, { name: 'node-d', roles: ['TRANSFER'], runningJobs: 1, ...d }),
      ],
    },
  };
}

const back = (nowMs: number, minutes: number): Changes => ({ version: NEW, startedMs: nowMs - minutes * MINUTE });

/** One node is through, the next one finishes its jobs; TRANSCODE is on no other. */
export function upgradingSnapshot(nowMs: number): NodeSnapshot {
  const snapshot = studio(nowMs, [{}, {}, { ...PAUSED, runningJobs: 2 }, back(nowMs, 6)]);
  return { ...snapshot, cluster: { ...snapshot.cluster, uncoveredRoles: ['TRANSCODE'] } };
}

/** All but the Primary are through; this node is the Primary. */
export function primaryLeftSnapshot(nowMs: number): NodeSnapshot {
  return studio(nowMs, [{}, back(nowMs, 4), back(nowMs, 12), back(nowMs, 21)]);
}

/** A node does not come back, another one came back unwell, two releases and more than a day lie between. */
export function upgradeStuckSnapshot(nowMs: number): NodeSnapshot {
  return studio(nowMs, [
    { version: '0.0.9', startedMs: nowMs - 300 * HOUR },
    { version: '0.0.9', startedMs: nowMs - 9 * MINUTE },
    {
      availability: 'unavailable',
      isAlive: false,
      lastSeenMs: nowMs - 25 * MINUTE,
      runningJobs: 0,
      health: [],
      reason: 'stopped',
      hasLeft: true,
    },
    {
      version: NEW,
      startedMs: nowMs - 27 * HOUR,
      availability: 'degraded',
      reason: 'Storage NAS Post is not mounted. Mount /mnt/nas-post.',
      lastSeenMs: nowMs - SECOND,
      runningJobs: 0,
      health: [
        ok('database'),
        ok('iconik'),
        bad('storage:st-nas-post', 'failing', 'Storage NAS Post is not mounted.', ''),
      ],
    },
  ]);
}

/** A node is cut off with jobs on it, another lacks a storage, and of one that was just paused the jobs are not counted yet. */
export function upgradeUnsureSnapshot(nowMs: number): NodeSnapshot {
  const reason = 'Storage NAS Post is not mounted. Mount /mnt/nas-post.';
  const health = [ok('database'), ok('iconik'), bad('storage:st-nas-post', 'failing', 'NAS Post is not mounted.', '')];
  return studio(nowMs, [
    {},
    { availability: 'degraded', reason, health },
    { isAlive: false, lastSeenMs: nowMs - 40 * SECOND },
    { ...PAUSED, runningJobs: 0, areJobsCounted: false },
  ]);
}

/** Every node has the new version. */
export function upgradedSnapshot(nowMs: number): NodeSnapshot {
  return studio(nowMs, [back(nowMs, 2), back(nowMs, 9), back(nowMs, 16), back(nowMs, 24)]);
}

/** The vendor's order: the cluster is disabled, and the first node is through. */
export function stoppedUpgradeSnapshot(nowMs: number): NodeSnapshot {
  const why = 'The cluster is disabled in iconik; nothing runs until it is enabled there.';
  const off = { availability: 'disabled', reason: why, isLeader: false, runningJobs: 0 } as const;
  const snapshot = studio(nowMs, [
    { ...off, ...back(nowMs, 3) },
    {
      ...off,
      availability: 'unavailable',
      isAlive: false,
      lastSeenMs: nowMs - 50 * SECOND,
      reason: 'stopped',
      hasLeft: true,
    },
    off,
    off,
  ]);
  return {
    ...snapshot,
    status: { availability: 'disabled', reason: why },
    leadership: { standing: 'cannot-lead', term: 42, leaderName: null, sinceMs: null, why: 'the cluster is disabled' },
    cluster: { ...snapshot.cluster, enabled: false },
    running: [],
  };
}
