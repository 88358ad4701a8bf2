import type {
  CheckResult,
  ClusterMember,
  LeadershipSpan,
  NodeSnapshot,
  Role,
  RoleState,
  RunningJob,
  StorageState,
  ThroughputPoint,
} from '../../../agent/contract/index.ts';

// A studio with three nodes where all is well, and the parts that other scenes are made of.

/** Milliseconds. */
export const SECOND = 1000;
/** Milliseconds. */
export const MINUTE = 60 * SECOND;
/** Milliseconds. */
export const HOUR = 60 * MINUTE;

/** A check that found nothing. */
export const ok = (check: string): CheckResult => ({ check, status: 'ok', reason: '', remedy: '' });
/** A check that found something. */
export const bad = (check: string, status: CheckResult['status'], reason: string, remedy: string): CheckResult => ({
  check,
  status,
  reason,
  remedy,
});

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
      scanning: null,
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
      scanning: null,
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
      scanning: null,
      problem: null,
      scans: true,
      settings: { ...settings, scan_interval_seconds: '10' },
    },
  ];
}

/** A role at work. */
export const role = (name: Role, running: number, limit: number, queued: number): RoleState => ({
  role: name,
  state: 'working',
  why: '',
  running,
  limit,
  queued,
  lastFailure: null,
});

/** A healthy node of the cluster. */
export function member(
  nowMs: number,
  values: Partial<ClusterMember> & Pick<ClusterMember, 'name' | 'roles'>,
): ClusterMember {
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
    startedMs: nowMs - 26 * HOUR,
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
export function calmSnapshot(nowMs: number): NodeSnapshot {
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
