import { describe, expect, it } from 'vitest';
import { type LeaderlessMember, leaderlessCauses, leaderlessFinding } from '../../../agent/cluster/leaderless.ts';
import { LeaderlessWatch } from '../../../agent/operator/leaderless-watch.ts';

const ok = (check: string) => ({ check, status: 'ok' as const, reason: '', remedy: '' });
const lost = { check: 'storage:s', status: 'failing' as const, reason: 'NAS is gone.', remedy: 'Mount it.' };
const member = (name: string, over: Partial<LeaderlessMember> = {}): LeaderlessMember => ({
  name,
  isAlive: true,
  availability: 'available',
  reason: '',
  roles: ['MAIN'],
  health: [ok('database'), ok('iconik'), ok('storage:s')],
  ...over,
});
const codes = (...members: LeaderlessMember[]) =>
  leaderlessCauses(members).map(({ code, nodes }) => `${code}: ${nodes.join(',')}`);

describe('why nobody leads', () => {
  it('names each node with its own cause, those with the same cause together, and what to do', () => {
    const degraded = { availability: 'degraded', health: [ok('database'), lost] };
    const members = [member('a', degraded), member('b', degraded), member('c', { roles: ['TRANSFER'] })];
    expect(codes(...members)).toEqual(['storage: a,b', 'no-main-role: c']);
    const { reason, remedy } = leaderlessFinding(leaderlessCauses(members));
    expect(reason).toBe('No node becomes Primary. a, b: NAS is gone. c: Does not have the role MAIN.');
    expect(remedy).toBe('Mount it. Give the role MAIN to a node in iconik.');
  });

  it.each<[string, Partial<LeaderlessMember>]>([
    ['not-alive', { isAlive: false }],
    ['not-alive', { availability: 'unavailable' }],
    ['disabled', { availability: 'disabled' }],
    ['duplicate', { availability: 'duplicate' }],
    ['paused', { availability: 'draining', reason: 'Paused by its operator: it finishes its jobs.' }],
    ['stopping', { availability: 'draining', reason: 'This node is stopping.' }],
    ['database-differs', { availability: 'degraded', reason: '… (db-uri-differs) …' }],
    ['not-known', { health: [] }],
    ['iconik', { health: [{ ...lost, check: 'iconik' }] }],
    ['about-to-lead', {}],
    ['about-to-lead', { availability: 'degraded', health: [ok('database'), { ...lost, check: 'ffmpeg' }] }],
  ])('tells %s apart', (code, over) => expect(codes(member('a', over))).toEqual([`${code}: a`]));
});

describe('since when nobody leads', () => {
  const at = (ms: number) => ({ monotonicMs: ms, wallMs: 1_000_000 + ms });

  it('is told only after longer than the patience, and forgotten as soon as somebody leads', () => {
    const watch = new LeaderlessWatch();
    expect(watch.observe(true, at(0), 6_000)).toBeNull();
    expect(watch.observe(true, at(6_000), 6_000)).toBeNull();
    expect(watch.observe(true, at(6_001), 6_000)).toBe(1_000_000);
    expect(watch.observe(false, at(6_500), 6_000)).toBeNull();
    expect(watch.observe(true, at(20_000), 6_000)).toBeNull();
  });
});
