import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILE_STATES, type NodeSnapshot, type ThroughputPoint } from '../../../../agent/contract/index.ts';
import { roleCards } from '../../../../renderer/features/overview/role-cards.ts';
import { inOrderOfStart, splitSubject, timeLeft } from '../../../../renderer/features/overview/running-jobs.ts';
import { storageBar, waitingFiles } from '../../../../renderer/features/overview/storage-bar.ts';
import { hasADay, throughputSeries } from '../../../../renderer/features/overview/throughput-series.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';
import { throughput } from '../../../support/scenes/calm-studio.ts';

const MINUTE = 60_000;
const NOW = 30_000_000 * MINUTE + 20_000;
function snapshotOf(scene: Scene): NodeSnapshot {
  const snapshot = sceneState(scene, NOW)?.snapshot;
  if (!snapshot) throw new Error('this scene has no snapshot');
  return snapshot;
}

describe('the bar of a storage', () => {
  it('groups what is on its way as waiting and leaves out what needs nothing', () => {
    const files = { seen: 1, ready: 2, hashing: 3, hashed: 4, ingesting: 5, ingested: 85, skipped: 99, empty: 9 };
    expect(waitingFiles(files)).toBe(15);
    expect(storageBar(files).map(({ kind, files: count }) => [kind, count])).toEqual([
      ['ingested', 85],
      ['waiting', 15],
    ]);
  });

  it('keeps one faulty file among millions visible', () => {
    const bar = storageBar({ ingested: 10_000_000, faulty: 1 });
    expect(bar[1]?.share).toBeGreaterThan(0.005);
  });

  it('has no part without files', () => {
    expect(storageBar({})).toEqual([]);
  });

  it('always fills the bar exactly', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...FILE_STATES), fc.nat()), (files) => {
        const bar = storageBar(files);
        const sum = bar.reduce((all, { share }) => all + share, 0);
        expect(bar.length === 0 || Math.abs(sum - 1) < 1e-9).toBe(true);
      }),
    );
  });
});

describe('the throughput grid', () => {
  const point = (minutesAgo: number, jobs: number, bytes = 0): ThroughputPoint => ({
    minuteMs: Math.floor(NOW / MINUTE) * MINUTE - minutesAgo * MINUTE,
    role: 'CHECKSUM',
    jobs,
    bytes,
  });
  const line = (points: ThroughputPoint[]) =>
    throughputSeries(points, NOW).series.find(({ role }) => role === 'CHECKSUM');

  it('ends with the last whole minute: the one under way would look like a fall', () => {
    const { minutes } = throughputSeries([], NOW);
    expect(minutes).toHaveLength(60);
    expect(minutes.at(-1)).toBe(Math.floor(NOW / MINUTE) * MINUTE - MINUTE);
    expect(line([point(0, 99), point(1, 7)])?.jobsPerMinute.at(-1)).toBe(7);
  });

  it('counts minutes without a point as nothing done, and bytes by the second', () => {
    const series = line([point(1, 4, 6_000_000), point(3, 2)]);
    expect(series?.jobsPerMinute.slice(-4)).toEqual([0, 2, 0, 4]);
    expect(series?.bytesPerSecond.at(-1)).toBe(100_000);
  });

  it('drops what is older than the grid', () => {
    expect(throughputSeries([point(61, 5)], NOW).isEmpty).toBe(true);
    expect(throughputSeries([point(60, 5)], NOW).isEmpty).toBe(false);
  });

  it('loses no job within the hour', () => {
    const points = throughput(NOW);
    const inside = points.filter(({ minuteMs }) => minuteMs < Math.floor(NOW / MINUTE) * MINUTE);
    const total = inside.reduce((sum, { jobs }) => sum + jobs, 0);
    const { series } = throughputSeries(points, NOW);
    expect(series.flatMap(({ jobsPerMinute }) => jobsPerMinute).reduce((sum, jobs) => sum + jobs, 0)).toBe(total);
  });

  it('offers a day only when there is clearly more than an hour', () => {
    expect(hasADay(throughput(NOW), NOW)).toBe(false);
    expect(hasADay(throughput(NOW, 600), NOW)).toBe(true);
    expect(hasADay([], NOW)).toBe(false);
  });
});

describe('the role cards', () => {
  it('are always the four roles in one order', () => {
    for (const scene of ['calm', 'follower', 'empty', 'large'] as const) {
      expect(roleCards(snapshotOf(scene), { kind: 'live' }).map(({ role }) => role)).toEqual([
        'MAIN',
        'CHECKSUM',
        'TRANSCODE',
        'TRANSFER',
      ]);
    }
  });

  it('show a follower as standing by, and a role of other nodes as theirs', () => {
    const [main, , transcode] = roleCards(snapshotOf('follower'), { kind: 'live' });
    expect(main).toMatchObject({ state: 'standing-by', why: 'node-b leads.' });
    expect(transcode).toMatchObject({ state: 'elsewhere', why: 'Done by node-c.', running: null, queued: null });
  });

  it('show a role that nobody has as not covered', () => {
    const calm = snapshotOf('calm');
    const alone: NodeSnapshot = {
      ...calm,
      roles: calm.roles.slice(0, 1),
      cluster: { ...calm.cluster, members: calm.cluster.members.slice(0, 1) },
    };
    expect(roleCards(alone, { kind: 'live' })[3]).toMatchObject({ state: 'nowhere', word: 'Not covered' });
  });

  it('give the reason of a pause', () => {
    expect(roleCards(snapshotOf('problems'), { kind: 'live' })[2]).toMatchObject({
      state: 'paused',
      why: 'iconik does not answer',
    });
  });

  it('never call a role working while the agent is down', () => {
    const states = roleCards(snapshotOf('calm'), { kind: 'down', ageMs: 1_000 }).map(({ state }) => state);
    expect(new Set(states)).toEqual(new Set(['unknown']));
  });
});

describe('a running job', () => {
  it('has a time left only when its pace is known', () => {
    expect(timeLeft({ progress: 0.5, startedMs: NOW - 60_000 }, NOW)).toBe('1 min left');
    expect(timeLeft({ progress: 0.01, startedMs: NOW - 60_000 }, NOW)).toBe('');
    expect(timeLeft({ progress: 0.5, startedMs: NOW - 1_000 }, NOW)).toBe('');
    expect(timeLeft({ progress: 1, startedMs: NOW - 60_000 }, NOW)).toBe('');
  });

  it('shows its file name apart from the folder', () => {
    expect(splitSubject('a/b/c.mov')).toEqual({ name: 'c.mov', folder: 'a/b' });
    expect(splitSubject('c.mov')).toEqual({ name: 'c.mov', folder: '' });
  });

  it('keeps its place while others progress', () => {
    const jobs = snapshotOf('large').running;
    const before = inOrderOfStart(jobs).map(({ jobId }) => jobId);
    const after = inOrderOfStart([...jobs].reverse().map((job) => ({ ...job, progress: 0.99 })));
    expect(after.map(({ jobId }) => jobId)).toEqual(before);
  });
});
