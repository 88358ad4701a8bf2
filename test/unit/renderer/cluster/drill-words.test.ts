import { describe, expect, it } from 'vitest';
import type { DrillState, NodeSnapshot } from '../../../../agent/contract/index.ts';
import {
  drillConsequences,
  drillNotice,
  drillOffer,
  leaderlessLines,
} from '../../../../renderer/features/cluster/drill-words.ts';
import { memberRows } from '../../../../renderer/features/cluster/member-rows.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

function snapshotOf(scene: Scene): NodeSnapshot {
  const snapshot = sceneState(scene, 1_800_000_000_000)?.snapshot;
  if (!snapshot) throw new Error('this scene has no snapshot');
  return snapshot;
}
const drill = (over: Partial<DrillState> = {}): DrillState => ({
  phase: 'completed',
  toName: 'node-b',
  why: '',
  startedMs: 0,
  handOverMs: 400,
  totalMs: 2_600,
  outGapMs: 120,
  backGapMs: 90,
  ...over,
});

describe('the failover drill', () => {
  it('is offered only to the node that leads an enabled cluster, with the reason when it cannot begin', () => {
    const calm = snapshotOf('calm');
    expect(drillOffer(calm)).toEqual({ isOffered: true, refusal: null });
    const alone = { ...calm, cluster: { ...calm.cluster, drill: { refusal: 'There is no other node.', last: null } } };
    expect(drillOffer(alone)).toEqual({ isOffered: true, refusal: 'There is no other node.' });
    for (const scene of ['problems', 'disabled'] as const) expect(drillOffer(snapshotOf(scene)).isOffered).toBe(false);
  });

  it('says before it begins what happens to running work', () => {
    expect(drillConsequences(snapshotOf('calm')).join(' ')).toMatch(/comes back.*Scanning and ingest pause.*go on/);
  });

  it('reports its times once it is completed, and its reason when it was not', () => {
    expect(drillNotice(drill())).toMatchObject({
      status: 'ok',
      cause: expect.stringContaining('2600 ms'),
      consequence: expect.stringMatching(/120 ms on the way out, 90 ms on the way back/),
    });
    const failed = drillNotice(drill({ phase: 'not-completed', why: 'a third node took the leadership' }));
    expect(failed).toMatchObject({ status: 'warning', cause: expect.stringContaining('a third node') });
    expect(drillNotice(drill({ phase: 'handing-over' }))?.cause).toContain('handing the leadership to node-b');
    expect(drillNotice(null)).toBeNull();
  });
});

describe('a cluster that nobody leads', () => {
  it('has one line per cause, with nodes and remedy', () => {
    const causes = snapshotOf('problems').cluster.leaderless?.causes ?? [];
    expect(leaderlessLines(causes)).toHaveLength(2);
    expect(leaderlessLines(causes)[1]).toMatch(/^node-b: .*not seen alive.* Start the agent/);
  });
});

describe('a node that its operator paused', () => {
  it('is called paused, not draining', () => {
    const rows = memberRows(snapshotOf('problems').cluster.members, new Map(), true);
    expect(rows.find(({ member }) => member.name === 'node-d')?.word).toBe('Paused');
  });
});
