import { type NodeSnapshot, ROLES, type StorageState } from '../../../agent/contract/index.ts';
import { bad, calmSnapshot, HOUR, MINUTE, member, ok, role, SECOND } from './calm-studio.ts';
import { emptySnapshot } from './healthy-scenes.ts';

// Clusters and nodes that do not work, or not fully.

const READ_ONLY = bad(
  'storage:st-nas-post',
  'failing',
  'Storage NAS Post is mounted read-only.',
  'Mount /mnt/nas-post with write access, or set the storage to read-only in iconik.',
);

/** Nobody leads, for a reason that a person can mend, and more is wrong. */
export function problemsSnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  const [nasPost, archive, camera] = calm.storages as [StorageState, StorageState, StorageState];
  const why = 'storage NAS Post is mounted read-only';
  return {
    ...calm,
    status: { availability: 'degraded', reason: `${READ_ONLY.reason} ${READ_ONLY.remedy}` },
    leadership: { standing: 'nobody', term: 42, leaderName: null, sinceMs: null, why },
    roles: [
      { ...role('MAIN', 0, 1, 12), state: 'paused', why },
      { ...role('CHECKSUM', 2, 2, 1_204) },
      {
        ...role('TRANSCODE', 0, 2, 318),
        state: 'paused',
        why: 'iconik does not answer',
        lastFailure: {
          jobId: 'job-f1',
          kind: 'transcode',
          message: 'ffmpeg could not read the file: moov atom not found. The file is probably cut off.',
          atMs: nowMs - 12 * MINUTE,
        },
      },
      {
        ...role('TRANSFER', 1, 8, 44),
        lastFailure: {
          jobId: 'job-f2',
          kind: 'upload',
          message: 'The object store refused the part: the upload address had expired.',
          atMs: nowMs - 2 * HOUR,
        },
      },
    ],
    checks: [
      ok('database'),
      bad(
        'iconik',
        'failing',
        'iconik has not answered for 40 s.',
        'Check the network connection and the proxy setting of this machine.',
      ),
      READ_ONLY,
      ok('storage:st-archive'),
      ok('storage:st-camera'),
      bad(
        'disk',
        'warning',
        'Only 1.8 GB are free where temporary files go.',
        'Free space on /var/tmp, or set data-dir to a larger disk.',
      ),
      ok('ffmpeg'),
    ],
    cluster: {
      ...calm.cluster,
      members: [
        member(nowMs, {
          name: 'node-a',
          roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
          isSelf: true,
          availability: 'degraded',
          reason: READ_ONLY.reason,
          runningJobs: 3,
          health: [ok('database'), bad('iconik', 'failing', 'iconik has not answered for 40 s.', ''), READ_ONLY],
        }),
        member(nowMs, {
          name: 'node-b',
          roles: ['MAIN', 'TRANSFER'],
          availability: 'unavailable',
          isAlive: false,
          reason: 'No heartbeat for 3 min.',
          lastSeenMs: nowMs - 3 * MINUTE,
          runningJobs: 2,
          health: [],
        }),
        member(nowMs, {
          name: 'node-a',
          workerId: 'worker-node-a-2',
          host: 'node-a-clone.studio.lan',
          roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
          availability: 'duplicate',
          reason: 'The storage gateway id of this node is in use by node-a.studio.lan.',
        }),
        member(nowMs, {
          name: 'node-c',
          roles: ['CHECKSUM', 'TRANSFER'],
          runningJobs: 1,
        }),
        member(nowMs, {
          name: 'node-d',
          roles: ['CHECKSUM', 'TRANSCODE'],
          version: '0.0.9',
          availability: 'draining',
          reason: 'Paused by hand.',
          runningJobs: 1,
        }),
      ],
      uncoveredRoles: ['MAIN', 'TRANSCODE'],
      history: calm.cluster.history.map((span, at) =>
        at === 0
          ? { ...span, endedMs: nowMs - 40 * SECOND, endWhy: 'Resigned: storage NAS Post is mounted read-only.' }
          : span,
      ),
      failedJobs: 10,
      leaderless: {
        sinceMs: nowMs - 40 * SECOND,
        causes: [
          { code: 'storage', nodes: ['node-a'], cause: READ_ONLY.reason, remedy: READ_ONLY.remedy },
          {
            code: 'not-alive',
            nodes: ['node-b'],
            cause: 'Has the role MAIN but is not seen alive.',
            remedy: 'Start the agent there, or check that it reaches the database.',
          },
        ],
      },
      drill: { refusal: 'This node does not lead; a drill begins at the leading node.', last: null },
    },
    storages: [
      {
        ...nasPost,
        health: READ_ONLY,
        files: {
          ingested: 46_902,
          ready: 861,
          growing: 3,
          hashed: 212,
          missing: 47,
          faulty: 12,
          empty: 4,
          skipped: 212,
        },
      },
      {
        ...archive,
        problem: 'The folder Reels/1998 could not be listed: permission denied.',
        files: { ...archive.files, missing: 3 },
      },
      camera,
    ],
    running: calm.running.slice(1),
  };
}

/** The leader has just gone; the others are about to take over. */
export function choosingSnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  return {
    ...calm,
    leadership: { standing: 'nobody', term: 42, leaderName: null, sinceMs: null, why: '' },
    cluster: {
      ...calm.cluster,
      members: calm.cluster.members.map((each) => ({ ...each, isLeader: false })),
      history: calm.cluster.history.map((span, at) =>
        at === 0 ? { ...span, endedMs: nowMs - 2 * SECOND, endWhy: 'Not renewed in time.' } : span,
      ),
      drill: { refusal: 'This node does not lead; a drill begins at the leading node.', last: null },
    },
  };
}

/** The cluster was switched off in iconik. */
export function disabledSnapshot(nowMs: number): NodeSnapshot {
  const calm = calmSnapshot(nowMs);
  const why = 'The cluster is disabled in iconik; nothing runs until it is enabled there.';
  return {
    ...calm,
    status: { availability: 'disabled', reason: why },
    leadership: { standing: 'cannot-lead', term: 42, leaderName: null, sinceMs: null, why: 'the cluster is disabled' },
    roles: calm.roles.map((state) => ({ ...state, state: 'paused', running: 0, why: 'the cluster is disabled' })),
    cluster: {
      ...calm.cluster,
      enabled: false,
      uncoveredRoles: [...ROLES],
      members: calm.cluster.members.map((each) => ({
        ...each,
        isLeader: false,
        availability: 'disabled',
        reason: why,
        runningJobs: 0,
      })),
      history: calm.cluster.history.map((span, at) =>
        at === 0 ? { ...span, endedMs: nowMs - 5 * MINUTE, endWhy: 'Released: the cluster was disabled.' } : span,
      ),
    },
    running: [],
  };
}

/** A node that iconik does not let in. */
export function waitingSnapshot(nowMs: number): NodeSnapshot {
  const calm = emptySnapshot(nowMs);
  return {
    ...calm,
    phase: 'waiting-for-iconik',
    reason: 'iconik refuses the auth token. Give a valid one in Settings; this node tries again every 10 s.',
    node: { ...calm.node, iconikContactMs: null },
    status: { availability: 'unavailable', reason: 'iconik refuses the auth token.' },
    leadership: { standing: 'unknown', term: null, leaderName: null, sinceMs: null, why: '' },
    roles: [],
    checks: [bad('iconik', 'failing', 'iconik refuses the auth token.', 'Give a valid auth token in Settings.')],
    cluster: { ...calm.cluster, id: null, name: '', members: [], history: [] },
    storages: [],
  };
}
