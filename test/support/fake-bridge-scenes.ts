import {
  type CheckResult,
  type ClusterMember,
  type LeadershipSpan,
  type NodeSnapshot,
  ROLES,
  type Role,
  type RoleState,
  type RunningJob,
  type StorageState,
  type ThroughputPoint,
} from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';

/** What the fake bridge can play: five situations every screen is designed for, and the ways an agent can be away. */
export const SCENES = [
  'calm',
  'problems',
  'empty',
  'offline',
  'large',
  'follower',
  'disabled',
  'starting',
  'unresponsive',
  'waiting',
  'invalid-config',
  'set-up',
  'loading',
] as const;
/** A situation. */
export type Scene = (typeof SCENES)[number];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const ok = (check: string): CheckResult => ({ check, status: 'ok', reason: '', remedy: '' });
const bad = (check: string, status: CheckResult['status'], reason: string, remedy: string): CheckResult => ({
  check,
  status,
  reason,
  remedy,
});

const READ_ONLY = bad(
  'storage:st-nas-post',
  'failing',
  'Storage NAS Post is mounted read-only.',
  'Mount /mnt/nas-post with write access, or set the storage to read-only in iconik.',
);

/** Ids in the shape of iconik's. */
const IDS = {
  gateway: '3f0c7a52-8d3e-11f0-9b1c-5e2d8a64c0f1',
  cluster: 'b6a1d0c8-8d3d-11f0-a7c2-5e2d8a64c0f1',
  nasPost: 'st-nas-post',
  archive: 'st-archive',
  camera: 'st-camera',
} as const;

function storages(nowMs: number): StorageState[] {
  const settings = { scan_interval_seconds: '60', growing_files_threshold: '30', local_proxy_creation: 'true' };
  return [
    {
      id: IDS.nasPost,
      name: 'NAS Post',
      mountPoint: '/mnt/nas-post',
      health: ok('storage:st-nas-post'),
      files: { ingested: 48_213, ready: 3, growing: 1, skipped: 212 },
      folders: 3_120,
      lastScanEndedMs: nowMs - 42 * SECOND,
      lastScanSeconds: 6.4,
      problem: null,
      scans: true,
      settings: { ...settings, upload_files: 'true' },
    },
    {
      id: IDS.archive,
      name: 'Archive SAN',
      mountPoint: '/mnt/archive',
      health: ok('storage:st-archive'),
      files: { ingested: 1_204_889, skipped: 31 },
      folders: 88_410,
      lastScanEndedMs: nowMs - 9 * MINUTE,
      lastScanSeconds: 212,
      problem: null,
      scans: true,
      settings: { ...settings, scan_interval_seconds: '900' },
    },
    {
      id: IDS.camera,
      name: 'Camera cards',
      mountPoint: '/mnt/cards',
      health: ok('storage:st-camera'),
      files: { ingested: 640, growing: 2, hashing: 4 },
      folders: 18,
      lastScanEndedMs: nowMs - 12 * SECOND,
      lastScanSeconds: 0.8,
      problem: null,
      scans: true,
      settings: { ...settings, scan_interval_seconds: '10' },
    },
  ];
}

const role = (name: Role, running: number, limit: number, queued: number): RoleState => ({
  role: name,
  state: 'working',
  why: '',
  running,
  limit,
  queued,
  lastFailure: null,
});

function member(nowMs: number, values: Partial<ClusterMember> & Pick<ClusterMember, 'name' | 'roles'>): ClusterMember {
  return {
    workerId: `worker-${values.name}`,
    host: `${values.name}.studio.lan`,
    version: '0.1.0',
    availability: 'available',
    reason: '',
    isLeader: false,
    isAlive: true,
    isSelf: false,
    lastSeenMs: nowMs - SECOND,
    runningJobs: 0,
    health: [ok('database'), ok('iconik'), ok('storage:st-nas-post')],
    ...values,
  };
}

function history(nowMs: number): LeadershipSpan[] {
  return [
    {
      term: 42,
      name: 'node-a',
      why: 'The Primary before released the lease.',
      startedMs: nowMs - 3 * HOUR,
      endedMs: null,
      endWhy: null,
    },
    {
      term: 41,
      name: 'node-b',
      why: 'The lease of node-a had lapsed.',
      startedMs: nowMs - 11 * HOUR,
      endedMs: nowMs - 3 * HOUR - 400,
      endWhy: 'Released: the node was paused.',
    },
    {
      term: 40,
      name: 'node-a',
      why: 'First start.',
      startedMs: nowMs - 40 * HOUR,
      endedMs: nowMs - 11 * HOUR - 12 * MINUTE,
      endWhy: 'Not renewed in time: the database did not answer.',
    },
  ];
}

const RATE: Record<Role, { jobs: number; bytes: number }> = {
  MAIN: { jobs: 34, bytes: 0 },
  CHECKSUM: { jobs: 30, bytes: 9e9 },
  TRANSCODE: { jobs: 4, bytes: 2.2e9 },
  TRANSFER: { jobs: 9, bytes: 4.1e9 },
};

/** An hour of work, the same at every run: slow waves with a little noise, no random numbers. */
export function throughput(nowMs: number, minutes = 61, scale = 1): ThroughputPoint[] {
  const start = Math.floor(nowMs / MINUTE) * MINUTE - (minutes - 1) * MINUTE;
  return Array.from({ length: minutes }, (_, minute) =>
    (Object.keys(RATE) as Role[]).map((name, at) => {
      const wave = 0.62 + 0.3 * Math.sin(minute / (5 + at * 2) + at) + 0.08 * Math.sin(minute * 2.4 + at * 3);
      return {
        minuteMs: start + minute * MINUTE,
        role: name,
        jobs: Math.max(0, Math.round(RATE[name].jobs * wave * scale)),
        bytes: Math.max(0, Math.round(RATE[name].bytes * wave * scale)),
      };
    }),
  ).flat();
}

function running(nowMs: number): RunningJob[] {
  return [
    {
      jobId: 'job-r1',
      role: 'TRANSCODE',
      kind: 'transcode',
      subject: 'Projects/Harbour/A004_C012_0311.mov',
      progress: 0.62,
      note: 'Proxy, 41 frames/s',
      startedMs: nowMs - 4 * MINUTE,
    },
    {
      jobId: 'job-r2',
      role: 'TRANSFER',
      kind: 'upload',
      subject: 'Projects/Harbour/Exports/harbour_cut_v7_graded_stereo.mxf',
      progress: 0.18,
      note: '84.2 MB/s',
      startedMs: nowMs - 75 * SECOND,
    },
    {
      jobId: 'job-r3',
      role: 'CHECKSUM',
      kind: 'checksum',
      subject: 'Cards/2026-11-22/B001_C003.braw',
      progress: 0.91,
      note: '412 MB/s',
      startedMs: nowMs - 31 * SECOND,
    },
  ];
}

/** A leader with nothing to complain of; the other scenes start from it. */
function calmSnapshot(nowMs: number): NodeSnapshot {
  return {
    atMs: nowMs,
    phase: 'running',
    reason: '',
    node: {
      name: 'node-a',
      storageGatewayId: IDS.gateway,
      workerId: 'worker-node-a',
      version: '0.1.0',
      host: 'node-a.studio.lan',
      startedMs: nowMs - 26 * HOUR,
      dataDir: '/home/post/.local/share/isg-pro',
      iconikUrl: 'https://app.iconik.io',
      iconikContactMs: nowMs - 2 * SECOND,
    },
    status: { availability: 'available', reason: '' },
    isPaused: false,
    leadership: { standing: 'leader', term: 42, leaderName: 'node-a', sinceMs: nowMs - 3 * HOUR, why: '' },
    roles: [role('MAIN', 0, 1, 0), role('CHECKSUM', 1, 2, 3), role('TRANSCODE', 1, 2, 0), role('TRANSFER', 1, 8, 0)],
    checks: [
      ok('database'),
      ok('iconik'),
      ok('storage:st-nas-post'),
      ok('storage:st-archive'),
      ok('storage:st-camera'),
      ok('disk'),
      ok('ffmpeg'),
    ],
    cluster: {
      id: IDS.cluster,
      name: 'Studio',
      enabled: true,
      members: [
        member(nowMs, {
          name: 'node-a',
          roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
          isLeader: true,
          isSelf: true,
          runningJobs: 3,
        }),
        member(nowMs, { name: 'node-b', roles: ['MAIN', 'TRANSFER'], runningJobs: 2 }),
        member(nowMs, { name: 'node-c', roles: ['CHECKSUM', 'TRANSCODE'], runningJobs: 4 }),
      ],
      uncoveredRoles: [],
      history: history(nowMs),
      failedJobs: 0,
      leaderless: null,
      drill: { refusal: null, last: null },
    },
    storages: storages(nowMs),
    running: running(nowMs),
    throughput: throughput(nowMs),
  };
}

function problemsSnapshot(nowMs: number): NodeSnapshot {
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

function emptySnapshot(nowMs: number): NodeSnapshot {
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

function largeSnapshot(nowMs: number): NodeSnapshot {
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

function followerSnapshot(nowMs: number): NodeSnapshot {
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

function disabledSnapshot(nowMs: number): NodeSnapshot {
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

function waitingSnapshot(nowMs: number): NodeSnapshot {
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

/** Main's part of the state around a snapshot, with a running agent. */
function around(snapshot: NodeSnapshot | null, nowMs: number): AppState {
  return {
    appVersion: '0.1.0',
    platform: 'linux',
    agent: {
      state: 'running',
      reason: '',
      sinceMs: nowMs - 26 * HOUR,
      nextStartMs: null,
      lastExitCode: null,
      lastWords: [],
    },
    snapshot,
    config: { path: '/home/post/.config/isg-pro/config.ini', status: 'ok', problems: [] },
    logFolder: '/home/post/.local/share/isg-pro/logs',
    updateReady: null,
  };
}

function withAgent(state: AppState, agent: Partial<AppState['agent']>): AppState {
  return { ...state, agent: { ...state.agent, ...agent } };
}

const BUILD: Record<Scene, (nowMs: number) => AppState | null> = {
  calm: (nowMs) => around(calmSnapshot(nowMs), nowMs),
  problems: (nowMs) => around(problemsSnapshot(nowMs), nowMs),
  empty: (nowMs) => around(emptySnapshot(nowMs), nowMs),
  large: (nowMs) => around(largeSnapshot(nowMs), nowMs),
  follower: (nowMs) => around(followerSnapshot(nowMs), nowMs),
  disabled: (nowMs) => around(disabledSnapshot(nowMs), nowMs),
  waiting: (nowMs) => around(waitingSnapshot(nowMs), nowMs),
  offline: (nowMs) =>
    withAgent(around(calmSnapshot(nowMs - 4 * MINUTE), nowMs), {
      state: 'backing-off',
      reason: 'The agent ended by itself with an internal error (exit code 70), the fifth time in 4 min.',
      sinceMs: nowMs - 9 * SECOND,
      nextStartMs: nowMs + 21 * SECOND,
      lastExitCode: 70,
      lastWords: [
        "TypeError: Cannot read properties of undefined (reading 'path_key')",
        '    at placeFile (agent/roles/main/scan/scan-pass.js:118:22)',
        '    at async scanStorage (agent/roles/main/scan/scanner.js:64:5)',
      ],
    }),
  starting: (nowMs) =>
    withAgent(around(null, nowMs), {
      state: 'starting',
      reason: 'First start after the application was opened.',
      sinceMs: nowMs - 600,
    }),
  unresponsive: (nowMs) =>
    withAgent(around(calmSnapshot(nowMs - 7 * SECOND), nowMs), {
      state: 'unresponsive',
      reason: 'No beat of its main loop for 7 s. It is replaced after 15 s of silence.',
      sinceMs: nowMs - 4 * SECOND,
    }),
  'invalid-config': (nowMs) => ({
    ...withAgent(around(null, nowMs), { state: 'stopped', reason: 'config.ini is wrong.', lastExitCode: 2 }),
    config: {
      path: '/home/post/.config/isg-pro/config.ini',
      status: 'invalid',
      problems: ['line 4: iconik-url: not a web address', 'line 9: uploads: must be between 1 and 64'],
    },
  }),
  'set-up': (nowMs) => ({
    ...withAgent(around(null, nowMs), { state: 'stopped', reason: 'Not set up yet.' }),
    config: { path: '/home/post/.config/isg-pro/config.ini', status: 'absent', problems: [] },
  }),
  loading: () => null,
};

/** The state of a scene; null = none has come yet (loading). */
export function sceneState(scene: Scene, nowMs: number): AppState | null {
  return BUILD[scene](nowMs);
}
