import type { NodeSnapshot, Role, StorageState } from '../../../agent/contract/index.ts';
import { calmSnapshot, HOUR, MINUTE, member, ok, role, SECOND, throughput } from './calm-studio.ts';

// Clusters that are well, of other sizes and from other points of view.

/** A first node a moment after its first start. */
export function emptySnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  const [nasPost] = calm.storages as [StorageState];
  return {
    ...calm,
    node: { ...calm.node, startedMs: nowMs - 20 * SECOND },
    leadership: { ...calm.leadership, term: 1, sinceMs: nowMs - 18 * SECOND },
    roles: calm.roles.map((state) => ({ ...state, running: 0, queued: 0 })),
    cluster: {
      ...calm.cluster,
      members: calm.cluster.members.slice(0, 1).map((self) => ({ ...self, runningJobs: 0 })),
      history: [
        { term: 1, name: 'node-a', why: 'First start.', startedMs: nowMs - 18 * SECOND, endedMs: null, endWhy: null },
      ],
    },
    storages: [{ ...nasPost, files: {}, folders: 0, lastScanEndedMs: null, lastScanSeconds: null }],
    running: [],
    throughput: [],
  };
}

/** Forty nodes, two dozen storages, more work than a screen holds. */
export function largeSnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  const [nasPost] = calm.storages as [StorageState];
  const roleSets: Role[][] = [['MAIN', 'TRANSFER'], ['CHECKSUM'], ['TRANSCODE'], ['TRANSFER', 'CHECKSUM']];
  return {
    ...calm,
    roles: [
      role('MAIN', 1, 1, 20),
      role('CHECKSUM', 64, 64, 98_412),
      role('TRANSCODE', 16, 16, 4_120),
      role('TRANSFER', 31, 64, 12_640),
    ],
    cluster: {
      ...calm.cluster,
      name: 'Broadcast centre, halls 1 to 4, production and archive',
      members: [
        ...calm.cluster.members.slice(0, 1),
        ...Array.from({ length: 39 }, (_, at) =>
          member(nowMs, {
            name: `ingest-node-hall-${1 + (at % 4)}-rack-${String(at + 1).padStart(2, '0')}`,
            roles: roleSets[at % 4] ?? [],
            runningJobs: (at * 7) % 33,
          }),
        ),
      ],
      history: Array.from({ length: 60 }, (_, at) => ({
        term: 142 - at,
        name: at % 3 === 0 ? 'node-a' : `ingest-node-hall-1-rack-0${1 + (at % 5)}`,
        why: 'The lease of the Primary before had lapsed.',
        startedMs: nowMs - (at + 1) * 24 * MINUTE,
        endedMs: at === 0 ? null : nowMs - at * 24 * MINUTE - 2 * SECOND,
        endWhy: at === 0 ? null : 'Not renewed in time: the database did not answer.',
      })),
    },
    storages: Array.from({ length: 24 }, (_, at) => ({
      ...nasPost,
      id: `st-${at}`,
      name: at === 3 ? 'Long-term archive of the regional studios, second copy' : `Production volume ${at + 1}`,
      mountPoint: `/mnt/production/volume-${at + 1}`,
      health: ok(`storage:st-${at}`),
      files: { ingested: 10_000_000 + at * 12_345, ready: at * 1_210, growing: at % 5, missing: at % 7 === 6 ? 14 : 0 },
    })),
    running: Array.from({ length: 112 }, (_, at) => ({
      jobId: `job-r${at}`,
      role: (['CHECKSUM', 'TRANSCODE', 'TRANSFER'] as const)[at % 3] ?? 'CHECKSUM',
      kind: ['checksum', 'transcode', 'upload'][at % 3] ?? 'checksum',
      subject: `Productions/2026/Season 4/Episode ${1 + (at % 12)}/Camera ${'ABCD'[at % 4]}/Card ${at}/A${String(at).padStart(3, '0')}_C001_1122.mxf`,
      progress: ((at * 37) % 100) / 100,
      note: at % 3 === 1 ? 'Proxy, 38 frames/s' : '212 MB/s',
      startedMs: nowMs - (at + 1) * 11 * SECOND,
    })),
    throughput: throughput(nowMs, 61, 40),
  };
}

/** The same studio seen by a node that does not lead. */
export function followerSnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  return {
    ...calm,
    leadership: { standing: 'follower', term: 42, leaderName: 'node-b', sinceMs: nowMs - 3 * HOUR, why: '' },
    roles: calm.roles.filter(({ role: name }) => name !== 'TRANSCODE'),
    cluster: {
      ...calm.cluster,
      members: calm.cluster.members.map((each) => ({
        ...each,
        isLeader: each.name === 'node-b',
        roles: each.isSelf ? ['MAIN', 'CHECKSUM', 'TRANSFER'] : each.roles,
      })),
    },
  };
}
