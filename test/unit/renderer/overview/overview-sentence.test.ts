import { describe, expect, it } from 'vitest';
import type { NodeSnapshot } from '../../../../agent/contract/index.ts';
import type { AppState } from '../../../../preload/contract/app-state.ts';
import { overviewSentence } from '../../../../renderer/features/overview/overview-sentence.ts';
import { SCENES, type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
function stateOf(scene: Scene): AppState {
  const state = sceneState(scene, NOW);
  if (state === null) throw new Error('this scene has no state');
  return state;
}
function calmWith(change: (snapshot: NodeSnapshot) => Partial<NodeSnapshot>): AppState {
  const state = stateOf('calm');
  if (state.snapshot === null) throw new Error('calm has a snapshot');
  return { ...state, snapshot: { ...state.snapshot, ...change(state.snapshot) } };
}
const say = (state: AppState, nowMs = NOW) => overviewSentence(state, nowMs);
const idle = (snapshot: NodeSnapshot): Partial<NodeSnapshot> => ({
  running: [],
  roles: snapshot.roles.map((role) => ({ ...role, queued: 0, running: 0 })),
  storages: snapshot.storages.map((storage) => ({ ...storage, files: { ingested: 10 } })),
  cluster: {
    ...snapshot.cluster,
    members: snapshot.cluster.members.map((member) => ({ ...member, runningJobs: 0 })),
  },
});

describe('the sentence of the overview', () => {
  it('says that all is well only when nothing runs, waits or is wrong', () => {
    expect(say(calmWith(idle))).toEqual({
      status: 'ok',
      sentence: 'This node leads the cluster. 3 of 3 nodes healthy. Everything is up to date.',
      action: null,
    });
  });

  it('counts what runs and waits', () => {
    expect(say(stateOf('calm')).sentence).toContain('9 jobs run, 3 wait.');
    const one = calmWith((snapshot) => ({
      ...idle(snapshot),
      roles: snapshot.roles.map((role, at) => ({ ...role, queued: at === 1 ? 1 : 0 })),
    }));
    expect(say(one).sentence).toContain('No job runs, 1 waits.');
  });

  it('does not call a storage up to date that was never scanned to the end', () => {
    expect(say(stateOf('empty')).sentence).toBe(
      'This node leads; it is the only one of its cluster. 1 storage has not been scanned to the end yet.',
    );
  });

  it('does not call files up to date that wait to be ingested', () => {
    const waiting = calmWith((snapshot) => ({
      ...idle(snapshot),
      storages: snapshot.storages.slice(0, 1).map((storage) => ({ ...storage, files: { ready: 1, ingested: 5 } })),
    }));
    expect(say(waiting).sentence).toContain('1 file waits to be ingested.');
  });

  it('names the leader on followers and workers', () => {
    expect(say(stateOf('follower')).sentence).toMatch(/^node-b leads the cluster; this node follows\./);
    const worker = calmWith((snapshot) => ({
      leadership: { ...snapshot.leadership, standing: 'worker', leaderName: 'node-b' },
    }));
    expect(say(worker).sentence).toMatch(/^node-b leads the cluster; this node is a worker\./);
  });

  it('says that nobody leads, why, and where to look', () => {
    const { status, sentence, action } = say(stateOf('problems'));
    expect(status).toBe('failing');
    expect(sentence).toMatch(/^Nobody leads the cluster: storage NAS Post is mounted read-only\./);
    expect(sentence).toContain('1 of 5 nodes healthy.');
    expect(sentence).toContain('No available node has MAIN or TRANSCODE.');
    expect(action?.screen).toBe('diagnostics');
  });

  it('says that nobody leads also to a worker and to a node that cannot lead, once an election has had its time', () => {
    const of = (
      standing: NodeSnapshot['leadership']['standing'],
      leaderless: NodeSnapshot['cluster']['leaderless'],
    ) => {
      const state = calmWith((snapshot) => ({
        leadership: { ...snapshot.leadership, standing, leaderName: null },
        cluster: {
          ...snapshot.cluster,
          members: snapshot.cluster.members.map((member) => ({ ...member, isLeader: false })),
          leaderless,
        },
      }));
      return say(state);
    };
    for (const standing of ['worker', 'cannot-lead'] as const) {
      expect(of(standing, null)).toMatchObject({ status: 'unknown' });
      expect(of(standing, null).sentence).toMatch(/^The cluster is choosing a leader\./);
      expect(of(standing, { sinceMs: 0, causes: [] })).toMatchObject({ status: 'failing' });
      expect(of(standing, { sinceMs: 0, causes: [] }).sentence).toMatch(/^Nobody leads the cluster/);
    }
  });

  it('warns on a node that cannot lead although another does', () => {
    const state = calmWith((snapshot) => ({
      leadership: { ...snapshot.leadership, standing: 'cannot-lead', leaderName: 'node-b', why: 'ffmpeg is missing' },
    }));
    expect(say(state)).toMatchObject({ status: 'warning' });
    expect(say(state).sentence).toMatch(/^node-b leads the cluster; this node cannot lead: ffmpeg is missing\./);
  });

  it('tells of a disabled cluster, a duplicate and a pause before anything else', () => {
    expect(say(stateOf('disabled')).sentence).toBe(
      'The cluster Studio is disabled; no node takes work until it is enabled.',
    );
    const duplicate = calmWith(() => ({ status: { availability: 'duplicate', reason: '' } }));
    expect(say(duplicate)).toMatchObject({ status: 'failing', action: { screen: 'cluster' } });
    const paused = calmWith(() => ({ isPaused: true }));
    expect(say(paused)).toMatchObject({ status: 'warning' });
    expect(say(paused).sentence).toContain('This node is paused: 3 jobs still run to the end.');
  });

  it('never says how the cluster stands while the agent is down, silent or starting', () => {
    for (const scene of ['offline', 'unresponsive', 'starting', 'invalid-config'] as const) {
      const { status, sentence } = say(stateOf(scene));
      expect(status).not.toBe('ok');
      expect(sentence).not.toMatch(/leads|healthy|up to date/);
    }
  });

  it('does not call old data fine', () => {
    expect(say(stateOf('calm'), NOW + 20_000).status).toBe('unknown');
  });

  it('is a sentence of plain words in every scene', () => {
    for (const scene of SCENES) {
      const state = sceneState(scene, NOW);
      if (state === null) continue;
      expect(say(state).sentence).toMatch(/^\S.*[^.]\.$/);
      expect(say(state).sentence).not.toMatch(/!|undefined|null|NaN|\s\s/);
    }
  });
});
