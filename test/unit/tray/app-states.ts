import type { CheckResult, ClusterMember, NodeSnapshot, RunningJob } from '../../../agent/contract/index.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';

/** States of the application for the tray's tests, by changing a calm one. */

/** The tests' present. */
export const NOW_MS = 1_800_000_000_000;

const ok = (check: string): CheckResult => ({ check, status: 'ok', reason: '', remedy: '' });

/** A failing check. */
export const failing = (check: string, reason: string): CheckResult => ({
  check,
  status: 'failing',
  reason,
  remedy: 'Mount it again.',
});

const member = (name: string, over: Partial<ClusterMember> = {}): ClusterMember => ({
  workerId: `w-${name}`,
  name,
  host: name,
  version: '0.1.0',
  roles: ['MAIN', 'TRANSCODE'],
  availability: 'available',
  reason: '',
  isLeader: false,
  isAlive: true,
  isSelf: false,
  lastSeenMs: NOW_MS,
  startedMs: NOW_MS - 3_600_000,
  runningJobs: 0,
  health: [],
  ...over,
});

const job = (role: RunningJob['role'], jobId: string): RunningJob => ({
  jobId,
  role,
  kind: 'proxy',
  subject: 'a.mov',
  progress: 0.5,
  note: '',
  startedMs: NOW_MS,
});

/** Node node-a leads, all is well. */
export function snapshot(over: Partial<NodeSnapshot> = {}): NodeSnapshot {
  return {
    atMs: NOW_MS,
    phase: 'running',
    reason: '',
    node: {
      name: 'node-a',
      storageGatewayId: 'g',
      workerId: 'w',
      version: '0.1.0',
      host: 'node-a',
      startedMs: NOW_MS - 600_000,
      dataDir: '/d',
      iconikUrl: 'https://app.iconik.io/',
      iconikContactMs: NOW_MS,
    },
    status: { availability: 'available', reason: '' },
    isPaused: false,
    leadership: { standing: 'leader', term: 42, leaderName: 'node-a', sinceMs: NOW_MS - 600_000, why: '' },
    roles: [],
    checks: [ok('database'), ok('iconik'), ok('storage:s1'), ok('storage:s2')],
    cluster: {
      id: 'c',
      name: 'Post',
      enabled: true,
      members: [member('node-a', { isSelf: true, isLeader: true }), member('node-b'), member('node-c')],
      uncoveredRoles: [],
      history: [],
      failedJobs: 0,
      leaderless: null,
      drill: { refusal: null, last: null },
    },
    storages: [
      {
        id: 's1',
        name: 'NAS Post',
        mountPoint: '/mnt/post',
        health: ok('storage:s1'),
        files: {},
        folders: 0,
        lastScanEndedMs: null,
        lastScanSeconds: null,
        scanning: null,
        problem: null,
        scans: true,
        settings: {},
      },
    ],
    running: [job('TRANSCODE', 'j1'), job('TRANSCODE', 'j2'), job('TRANSFER', 'j3')],
    throughput: [],
    ...over,
  };
}

/** The application with a running agent. */
export function appState(over: Partial<AppState> = {}, node: Partial<NodeSnapshot> = {}): AppState {
  return {
    appVersion: '0.1.0',
    platform: 'linux',
    agent: {
      state: 'running',
      reason: '',
      sinceMs: NOW_MS - 600_000,
      nextStartMs: null,
      lastExitCode: null,
      lastWords: [],
    },
    snapshot: snapshot(node),
    config: { path: '/c/config.ini', status: 'ok', problems: [] },
    logFolder: '/l',
    check: { runningSinceMs: null, last: null, failure: '' },
    bundle: null,
    updateReady: null,
    update: { state: 'off', version: null, percent: 0, why: '', isAsked: false, last: null },
    ...over,
  };
}

/** The application whose agent is in a state other than running. */
export function agentIn(
  state: AppState['agent']['state'],
  reason: string,
  over: Partial<AppState['agent']> = {},
): AppState {
  const calm = appState();
  return { ...calm, agent: { ...calm.agent, state, reason, ...over } };
}

const follower = { standing: 'follower', term: 42, leaderName: 'node-b', sinceMs: NOW_MS, why: '' } as const;

/** One state per case that the tray must tell apart; named as in the tests. */
export const CASES: Record<string, AppState> = {
  'agent starting': agentIn('starting', 'The agent is starting.'),
  'waiting for iconik, just started': appState(
    { agent: { ...appState().agent, sinceMs: NOW_MS - 1_000 } },
    { phase: 'waiting-for-iconik', reason: 'iconik is asked for this gateway.' },
  ),
  'waiting for iconik, too long': appState(
    {},
    { phase: 'waiting-for-iconik', reason: 'iconik does not answer. Check iconik-url and the proxy.' },
  ),
  'set-up': appState(
    { config: { path: '/c/config.ini', status: 'absent', problems: [] } },
    { phase: 'set-up', running: [] },
  ),
  leader: appState(),
  follower: appState({}, { leadership: follower, running: [] }),
  worker: appState({}, { leadership: { ...follower, standing: 'worker' } }),
  'storage failing': appState(
    {},
    {
      status: { availability: 'degraded', reason: '' },
      leadership: { ...follower, standing: 'cannot-lead', why: 'storage NAS Post is read-only' },
      checks: [ok('database'), ok('iconik'), failing('storage:s1', 'The mount point cannot be written to.')],
    },
  ),
  'nobody leads': appState(
    {},
    { leadership: { standing: 'nobody', term: 42, leaderName: null, sinceMs: NOW_MS - 47_000, why: '' } },
  ),
  'role uncovered': appState({}, { cluster: { ...snapshot().cluster, uncoveredRoles: ['TRANSFER'] } }),
  'many problems': appState(
    {},
    {
      checks: ['database', 'iconik', 'storage:s1', 'storage:s9', 'ffmpeg', 'disk'].map((check) =>
        failing(check, 'It does not answer within 5 s.'),
      ),
    },
  ),
  paused: appState({}, { isPaused: true, status: { availability: 'draining', reason: '' } }),
  'cluster disabled': appState({}, { cluster: { ...snapshot().cluster, enabled: false }, running: [] }),
  'agent unresponsive': agentIn('unresponsive', 'The agent does not answer. If it stays silent it is replaced.'),
  'agent ended': agentIn('backing-off', 'The agent ended unexpectedly (code 1).', { nextStartMs: NOW_MS + 500 }),
  'agent gave up': agentIn('gave-up-for-now', 'The agent ended again and again; it is tried once a minute.'),
  'config invalid': {
    ...agentIn('stopped', 'The agent cannot run because its configuration is wrong.', { lastExitCode: 2 }),
    config: {
      path: '/c/config.ini',
      status: 'invalid',
      problems: ['line 3: iconik-url is no URL', 'app-id is missing'],
    },
  },
  duplicate: appState({}, { status: { availability: 'duplicate', reason: 'node-x holds the id.' }, running: [] }),
  'update ready': appState({ updateReady: '0.2.0' }),
};
