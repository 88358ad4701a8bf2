import { describe, expect, it } from 'vitest';
import type { LeadershipSpan, NodeSnapshot } from '../../../../agent/contract/index.ts';
import { clusterSentence } from '../../../../renderer/features/cluster/cluster-sentence.ts';
import {
  disableConsequences,
  enableConsequences,
  pauseConsequences,
} from '../../../../renderer/features/cluster/consequences.ts';
import { fillsByName, leadershipBand, summariseBand } from '../../../../renderer/features/cluster/leadership-band.ts';
import { memberRows } from '../../../../renderer/features/cluster/member-rows.ts';
import { roleCoverage, uncoveredConsequence } from '../../../../renderer/features/cluster/role-coverage.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
function snapshotOf(scene: Scene): NodeSnapshot {
  const snapshot = sceneState(scene, NOW)?.snapshot;
  if (!snapshot) throw new Error('this scene has no snapshot');
  return snapshot;
}

describe('the sentence of the cluster', () => {
  const say = (scene: Scene) => clusterSentence(snapshotOf(scene), { kind: 'live' }, NOW);

  it('says who leads since when and that all are healthy', () => {
    expect(say('calm')).toEqual({
      status: 'ok',
      sentence: 'Cluster Studio: node-a has led for 3 h. All 3 nodes are healthy.',
    });
    expect(say('empty').sentence).toContain('Its only node is healthy.');
  });

  it('says how long nobody has led and which roles nobody has', () => {
    expect(say('problems')).toEqual({
      status: 'failing',
      sentence:
        'Cluster Studio: Nobody has led for 40 s. 1 of 5 nodes is healthy. No available node has MAIN or TRANSCODE.',
    });
  });

  it('says that a disabled cluster is disabled, not broken', () => {
    expect(say('disabled')).toMatchObject({ status: 'warning' });
    expect(say('disabled').sentence).toContain('is disabled');
  });

  it('claims nothing while the agent is down', () => {
    const { status, sentence } = clusterSentence(snapshotOf('calm'), { kind: 'down', ageMs: 9_000 }, NOW);
    expect(status).toBe('unknown');
    expect(sentence).not.toMatch(/has led|healthy/);
  });
});

describe('the rows of the nodes', () => {
  const names = new Map([['st-nas-post', 'NAS Post']]);

  it('put this node first and keep their order whoever leads', () => {
    const { members } = snapshotOf('large').cluster;
    const order = (list: typeof members) => memberRows(list, names, true).map(({ member }) => member.workerId);
    const turned = [...members].reverse().map((member, at) => ({ ...member, isLeader: at === 7 }));
    expect(order(turned)).toEqual(order(members));
    expect(memberRows(members, names, true)[0]?.member.isSelf).toBe(true);
  });

  it('sort numbers in names as numbers', () => {
    const [first] = snapshotOf('calm').cluster.members;
    if (!first) throw new Error('calm has members');
    const named = ['node-10', 'node-9', 'node-1'].map((name) => ({ ...first, name, workerId: name, isSelf: false }));
    expect(memberRows(named, names, true).map(({ member }) => member.name)).toEqual(['node-1', 'node-9', 'node-10']);
  });

  it('flag a duplicate and believe no last word of a node that is not seen alive', () => {
    const rows = memberRows(snapshotOf('problems').cluster.members, names, true);
    expect(rows.filter(({ isDuplicate }) => isDuplicate).map(({ member }) => member.host)).toEqual([
      'node-a-clone.studio.lan',
    ]);
    const [dead] = snapshotOf('calm').cluster.members.map((member) => ({ ...member, isAlive: false }));
    expect(memberRows(dead ? [dead] : [], names, true)[0]).toMatchObject({ status: 'failing', word: 'Not seen alive' });
  });

  it('name failing checks with the names of storages', () => {
    const [self] = memberRows(snapshotOf('problems').cluster.members, names, true);
    expect(self).toMatchObject({ health: 'failing', healthWords: 'iconik failing, NAS Post failing' });
  });

  it('are all unknown while the agent is down, with what was last known', () => {
    const rows = memberRows(snapshotOf('calm').cluster.members, names, false);
    expect(rows.every(({ status, health }) => status === 'unknown' && health === 'unknown')).toBe(true);
    expect(rows[0]?.word).toBe('Unknown (was available)');
  });
});

describe('role coverage', () => {
  it('counts only available nodes and names the others apart', () => {
    const { members, uncoveredRoles } = snapshotOf('problems').cluster;
    const coverage = roleCoverage(members, uncoveredRoles);
    expect(coverage.map(({ role, isCovered }) => [role, isCovered])).toEqual([
      ['MAIN', false],
      ['CHECKSUM', true],
      ['TRANSCODE', false],
      ['TRANSFER', true],
    ]);
    expect(coverage[1]).toMatchObject({ available: ['node-c'], away: ['node-a', 'node-a', 'node-d'] });
  });

  it('calls no role covered without an available node', () => {
    expect(roleCoverage([], []).some(({ isCovered }) => isCovered)).toBe(false);
  });

  it('says what stands still', () => {
    expect(uncoveredConsequence(['TRANSCODE'])).toBe('No proxies and keyframes are made.');
    expect(uncoveredConsequence([])).toBe('');
  });
});

describe('the band of leaderships', () => {
  const span = (term: number, fromH: number, toH: number | null): LeadershipSpan => ({
    term,
    name: term % 2 === 0 ? 'node-a' : 'node-b',
    why: '',
    startedMs: NOW - fromH * HOUR,
    endedMs: toH === null ? null : NOW - toH * HOUR,
    endWhy: null,
  });

  it('lays leaderships and the gaps between them on the last 24 hours', () => {
    const parts = leadershipBand([span(3, 6, null), span(2, 30, 12)], NOW);
    expect(parts.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['leadership', 0, 0.5],
      ['gap', 0.5, 0.75],
      ['leadership', 0.75, 1],
    ]);
    expect(summariseBand(parts)).toEqual({ leaderships: 2, leaderlessMs: 6 * HOUR });
  });

  it('shows the time since the last leadership as led by nobody', () => {
    expect(leadershipBand([span(2, 12, 6)], NOW).at(-1)).toMatchObject({
      kind: 'gap',
      from: 0.75,
      to: 1,
      endedMs: null,
    });
  });

  it('claims nothing about the time before the first known leadership', () => {
    expect(leadershipBand([span(1, 6, null)], NOW)).toHaveLength(1);
    expect(leadershipBand([], NOW)).toEqual([]);
  });

  it('leaves out what ended before the 24 hours', () => {
    expect(leadershipBand([span(2, 6, null), span(1, 40, 30)], NOW).filter(({ span: led }) => led?.term === 1)).toEqual(
      [],
    );
  });

  it('gives each node one fill', () => {
    const fills = fillsByName(snapshotOf('large').cluster.history);
    expect(fillsByName([span(3, 2, null), span(2, 4, 3), span(1, 6, 5)])).toEqual(
      new Map([
        ['node-b', 1],
        ['node-a', 2],
      ]),
    );
    expect([...fills.values()].every((fill) => fill >= 1 && fill <= 4)).toBe(true);
  });
});

describe('what an action does, said before', () => {
  it('counts running and queued jobs for disabling the cluster', () => {
    const lines = disableConsequences(snapshotOf('calm')).join(' ');
    expect(lines).toContain('9 jobs that run on 3 nodes go on to their end; no new ones start.');
    expect(lines).toContain('At least 3 queued jobs wait until the cluster is enabled again');
    expect(lines).toContain('All 3 nodes follow within 10 s.');
  });

  it('speaks of one node and no jobs as such', () => {
    const lines = disableConsequences(snapshotOf('empty')).join(' ');
    expect(lines).toContain('No job runs in the cluster now.');
    expect(lines).toContain('The node follows within 10 s.');
    expect(lines).not.toContain('queued');
  });

  it('says what enabling begins', () => {
    expect(enableConsequences(snapshotOf('disabled'))[0]).toContain('All 3 nodes take work again within 10 s');
  });

  it('says who takes leadership over, or that nobody can', () => {
    expect(pauseConsequences(snapshotOf('calm')).join(' ')).toContain('another MAIN node takes it within seconds');
    expect(pauseConsequences(snapshotOf('empty')).join(' ')).toContain('the only one that can lead');
  });

  it('names roles that only this node covers', () => {
    expect(pauseConsequences(snapshotOf('empty')).join(' ')).toContain(
      'No other available node has CHECKSUM, TRANSCODE or TRANSFER; such jobs wait.',
    );
    expect(pauseConsequences(snapshotOf('calm')).join(' ')).not.toContain('such jobs wait');
  });
});
