import { describe, expect, it } from 'vitest';
import { leadershipOf } from '../../../agent/operator/standing.ts';
import { nodeView, OTHER_RUN, OWN_RUN } from './node-view.ts';

const history = [
  { term: 42, name: 'node-b', why: '', started_ms: 7_000, ended_ms: null, end_why: null },
  { term: 41, name: 'node-a', why: '', started_ms: 1_000, ended_ms: 7_000, end_why: '' },
];
const view = nodeView();
const election = (over: Partial<typeof view.election>) => nodeView({ election: { ...view.election, ...over } });
const badge = (of: ReturnType<typeof nodeView>) => leadershipOf(of, OWN_RUN, history);

describe('the leader badge', () => {
  it('of a follower names the leader, its term and since when it leads', () => {
    expect(badge(view)).toEqual({ standing: 'follower', term: 42, leaderName: 'node-b', sinceMs: 7_000, why: '' });
  });

  it('of the leader names itself at once, before the history tells', () => {
    const leading = election({ term: 43, state: 'leading', holderRunId: OTHER_RUN });
    expect(badge(leading)).toEqual({ standing: 'leader', term: 43, leaderName: 'node-a', sinceMs: null, why: '' });
  });

  it('says that nobody leads when the lease is free, its holder is silent, or it is our own without trust', () => {
    for (const over of [{ released: true }, { silentMs: 3_000 }, { holderRunId: OWN_RUN }])
      expect(badge(election(over))).toMatchObject({ standing: 'nobody', leaderName: null, term: null });
  });

  it('says why this node cannot lead, and still who does', () => {
    const unfit = nodeView({ eligibility: { eligible: false, why: 'storage NAS is read-only' } });
    expect(badge(unfit)).toMatchObject({
      standing: 'cannot-lead',
      why: 'storage NAS is read-only',
      leaderName: 'node-b',
    });
  });

  it('claims nothing when the lease has not been read for long', () => {
    expect(badge(election({ readAgoMs: Number.POSITIVE_INFINITY }))).toMatchObject({
      standing: 'unknown',
      leaderName: null,
    });
  });

  it('of a node without MAIN is that of a worker', () => {
    const worker = nodeView({
      facts: { ...view.facts, roles: ['TRANSFER'] },
      eligibility: { eligible: false, why: 'x' },
    });
    expect(badge(worker)).toMatchObject({ standing: 'worker', leaderName: 'node-b', why: '' });
  });
});
