import { describe, expect, it } from 'vitest';
import type { ClusterLook } from '../../../agent/db/queries/doctor.ts';
import { diagnosisOf } from '../../../agent/doctor/diagnosis.ts';
import { type ClusterTerms, explainCluster } from '../../../agent/doctor/explain-cluster.ts';

const TERMS: ClusterTerms = {
  nodes: [{ name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'], enabled: true }],
  visibilityTimeoutS: 3_600,
  heartbeatLapseMs: 6_000,
  leaderTtlMs: 3_000,
  requestsPerSecond: 45,
};
const member = (over: Partial<ClusterLook['members'][number]> = {}): ClusterLook['members'][number] => ({
  name: 'node-a',
  host: 'gw1',
  version: '1.0.0',
  age_ms: 500,
  availability: 'available',
  reason: '',
  roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
  health: [{ check: 'database', status: 'ok', reason: '', remedy: '' }],
  ...over,
});
const queue = (over: Partial<ClusterLook['queues'][number]> = {}): ClusterLook['queues'][number] => ({
  role: 'CHECKSUM',
  waiting: 0,
  oldest_ms: 0,
  running: 0,
  overdue_ms: 0,
  failed: 0,
  last_failure: null,
  is_moving: false,
  ...over,
});
const look = (over: Partial<ClusterLook> = {}): ClusterLook => ({
  leaderless_ms: null,
  leader_changes: 1,
  members: [member()],
  queues: [queue()],
  longest_job_ms: 90_000,
  requests_wanted_per_second: 3,
  owner: 'c',
  may_write: true,
  needed_versions: [],
  storages_in_use: [],
  ...over,
});
const codes = (over: Partial<ClusterLook>, terms: Partial<ClusterTerms> = {}) =>
  explainCluster(look(over), { ...TERMS, ...terms }).map(({ code }) => code);

describe('a cluster', () => {
  it('that works has no findings, and one that stands still neither', () => {
    expect(codes({})).toEqual([]);
    expect(codes({ leaderless_ms: 86_400_000, members: [member({ age_ms: 86_400_000 })] })).toEqual([]);
    expect(codes({ leaderless_ms: 9_000, members: [member({ availability: 'unavailable' })] })).toEqual([]);
  });

  it('in which nobody leads says so only after twice the time to live of the lease, with each node’s cause', () => {
    const paused = member({ availability: 'draining', reason: 'Paused by its operator: it finishes its jobs.' });
    const gone = member({ name: 'node-b', age_ms: 60_000 });
    expect(codes({ leaderless_ms: 6_000, members: [paused] })).not.toContain('no-leader');
    const found = explainCluster(look({ leaderless_ms: 120_000, members: [paused, gone] }), TERMS);
    expect(found.find(({ code }) => code === 'no-leader')).toMatchObject({
      cause:
        'No node becomes Primary. node-a: Paused by its operator. node-b: Has the role MAIN but is not seen alive.',
      evidence: 'Nobody has led for 2 min.',
      remedy: 'Resume it at that node. Start the agent there, or check that it reaches the database.',
    });
  });

  it('whose role no running node has names who should have it, and that its jobs wait is no second finding', () => {
    const members = [member({ roles: ['MAIN', 'TRANSCODE', 'TRANSFER'] })];
    const queues = [queue({ waiting: 7, oldest_ms: 3_600_000 })];
    const found = explainCluster(look({ members, queues }), TERMS);
    expect(found).toMatchObject([{ code: 'role-uncovered', severity: 'error' }]);
    expect(found[0]?.evidence).toBe('7 jobs wait; the role belongs to node-a, which does not run or does not work.');
  });

  it('whose jobs wait long while others of the role run or end is only busy', () => {
    const waiting = { waiting: 900, oldest_ms: 3_600_000 };
    expect(codes({ queues: [queue({ ...waiting, running: 1 })] })).toEqual([]);
    expect(codes({ queues: [queue({ ...waiting, is_moving: true })] })).toEqual([]);
    expect(codes({ queues: [queue(waiting)] })).toEqual(['jobs-stuck']);
    expect(codes({ queues: [queue({ running: 1, overdue_ms: 90_000 })] })).toEqual(['jobs-stuck']);
  });

  it('with dead jobs, several versions, restless leadership or too many requests is warned', () => {
    const members = [member(), member({ name: 'node-b', version: '1.1.0' })];
    const queues = [queue({ failed: 2, last_failure: 'The file is corrupt.' })];
    const over = { members, queues, leader_changes: 9, requests_wanted_per_second: 90 };
    const found = explainCluster(look(over), TERMS);
    expect(found.map(({ code }) => code).toSorted()).toEqual([
      'jobs-dead',
      'leader-changes',
      'requests-short',
      'version-mix',
    ]);
    expect(found.every(({ severity }) => severity === 'warning')).toBe(true);
    expect(diagnosisOf(found, []).ok).toBe(true);
  });
});

describe('a diagnosis', () => {
  it('puts errors before warnings, and what explains others before them', () => {
    const found = [
      ...explainCluster(look({ queues: [queue({ failed: 1 })], leaderless_ms: 60_000 }), TERMS),
      ...explainCluster(look({ members: [member(), member({ availability: 'duplicate' })] }), TERMS),
    ];
    const { ok, findings } = diagnosisOf(found, []);
    expect(ok).toBe(false);
    expect(findings.map(({ code }) => code)).toEqual(['duplicate-gateway', 'no-leader', 'jobs-dead']);
  });
});
