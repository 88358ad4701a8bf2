import { describe, expect, it } from 'vitest';
import type { LeadershipSpan, NodeSnapshot } from '../../../../agent/contract/index.ts';
import { leaderBadgeModel } from '../../../../renderer/ui/leader-badge-model.ts';

const NOW = 1_800_000_000_000;
type Leadership = NodeSnapshot['leadership'];
const standing = (values: Partial<Leadership>): Leadership => ({
  standing: 'unknown',
  term: null,
  leaderName: null,
  sinceMs: null,
  why: '',
  ...values,
});
const badgeOf = (leadership: Leadership | null, history: LeadershipSpan[], nowMs: number, isPaused = false) =>
  leaderBadgeModel({ leadership, history, isPaused }, nowMs);
const ended = (endedMs: number | null): LeadershipSpan[] => [
  { term: 42, name: 'node-a', why: '', startedMs: NOW - 3_600_000, endedMs, endWhy: null },
];

describe('the leader badge', () => {
  it('of the leader is a filled crown with term and age', () => {
    const badge = badgeOf(standing({ standing: 'leader', term: 42, sinceMs: NOW - 3 * 3_600_000 }), [], NOW);
    expect(badge).toEqual({ shape: 'crown-filled', words: 'Primary · term 42 · 3 h', isAlarming: false });
  });

  it('of a follower names whom it follows', () => {
    const badge = badgeOf(standing({ standing: 'follower', leaderName: 'node-b' }), [], NOW);
    expect(badge).toMatchObject({ shape: 'crown-outlined', words: 'Follower of node-b' });
  });

  it('of a node that cannot lead says why', () => {
    const badge = badgeOf(standing({ standing: 'cannot-lead', why: 'storage NAS Post is read-only' }), [], NOW);
    expect(badge).toMatchObject({ shape: 'crown-crossed', words: 'Cannot lead: storage NAS Post is read-only' });
  });

  it('of a paused node says who wanted it so', () => {
    const leadership = standing({ standing: 'cannot-lead', leaderName: 'node-b', why: 'Paused by its operator: it …' });
    expect(badgeOf(leadership, [], NOW, true).words).toBe('Paused by its operator');
    expect(badgeOf(standing({ standing: 'worker' }), [], NOW, true).words).toBe('Worker');
  });

  it('of a worker is a gear', () => {
    expect(badgeOf(standing({ standing: 'worker' }), [], NOW)).toMatchObject({
      shape: 'gear',
      words: 'Worker',
    });
  });

  it('alarms when nobody leads, and counts from the end of the last leadership', () => {
    const badge = badgeOf(standing({ standing: 'nobody' }), ended(NOW - 40_000), NOW);
    expect(badge).toEqual({ shape: 'crown-broken', words: 'No Primary for 40 s', isAlarming: true });
  });

  it('claims no duration when the end of the last leadership is not known', () => {
    expect(badgeOf(standing({ standing: 'nobody' }), ended(null), NOW).words).toBe('No Primary');
  });

  it('never shows a leader of whom nothing is known now', () => {
    expect(badgeOf(null, [], NOW)).toMatchObject({ shape: 'crown-dotted', words: 'Leadership unknown' });
  });

  it('has a shape of its own for every standing', () => {
    const all = ['leader', 'follower', 'cannot-lead', 'worker', 'nobody', 'unknown'] as const;
    expect(new Set(all.map((name) => badgeOf(standing({ standing: name }), [], NOW).shape)).size).toBe(all.length);
  });
});
