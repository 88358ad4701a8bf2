import { describe, expect, it } from 'vitest';
import type { ClusterMember } from '../../../../../agent/contract/index.ts';
import { nextWords } from '../../../../../renderer/features/cluster/upgrade/next-words.ts';
import type { UpgradeFacts } from '../../../../../renderer/features/cluster/upgrade/upgrade-plan.ts';
import { upgradeRisks } from '../../../../../renderer/features/cluster/upgrade/upgrade-risks.ts';
import { planSentence, riskWords } from '../../../../../renderer/features/cluster/upgrade/upgrade-words.ts';
import { rememberVersions } from '../../../../../renderer/features/cluster/upgrade/version-memory-state.ts';
import { factsOf, MINUTE, NOW, node, PAUSED, planOf, STOPPED } from './upgrade-bench.ts';

const NEW = { version: '1.1.0', startedMs: NOW - 5 * MINUTE };
const DAY = 24 * 60 * MINUTE;

const risksOf = (members: ClusterMember[], over: Partial<UpgradeFacts> = {}) =>
  upgradeRisks(planOf(members, over), factsOf(members, over));
const wordsOf = (members: ClusterMember[], over: Partial<UpgradeFacts> = {}) => {
  const facts = factsOf(members, over);
  const words = nextWords({ plan: planOf(members, over), way: facts.way, enabled: facts.enabled, nowMs: NOW });
  if (words === null) throw new Error('nothing is left to do');
  return words;
};

describe('the next step in words', () => {
  it('has a button for this node, and says where to pause another one', () => {
    const self = wordsOf([
      node('a', { isSelf: true, isLeader: true, roles: ['MAIN'], runningJobs: 3 }),
      node('b', NEW),
    ]);
    expect(self).toMatchObject({ title: 'Hand over the lead and pause this node, a', call: 'pause' });
    expect(self.lines.join(' ')).toContain('It finishes its 3 jobs');
    const other = wordsOf([node('a', NEW), node('b')]);
    expect(other).toMatchObject({ title: 'Pause b', call: null });
    expect(other.lines.join(' ')).toContain('This is done at b.lan');
  });

  it('names host and version of what is to be installed', () => {
    const words = wordsOf([node('a', NEW), node('b', STOPPED)]);
    expect(words.title).toBe('Install 1.1.0 on b');
    expect(words.lines.join(' ')).toMatch(/stopped 1 min ago.*on b\.lan/);
  });

  it('offers to leave out a node that does not come back', () => {
    const words = wordsOf([node('a', NEW), node('b', { ...STOPPED, lastSeenMs: NOW - 30 * MINUTE })]);
    expect(words).toMatchObject({ title: 'Bring b back', mayLeaveOut: { name: 'b' } });
  });

  it('disables and enables the cluster only by a button, in the vendor’s order', () => {
    const off = { availability: 'disabled' as const };
    expect(wordsOf([node('a', NEW), node('b')], { way: 'all-stopped' }).call).toBe('disable');
    expect(wordsOf([node('a', off), node('b', off)], { way: 'all-stopped', enabled: false })).toMatchObject({
      title: 'Install the newer version on a',
      call: 'enable',
    });
  });

  it('counts the nodes', () => {
    expect(planSentence(planOf([node('a'), node('b')])).sentence).toBe('All 2 nodes run 1.0.0.');
    expect(planSentence(planOf([node('a', NEW), node('b'), node('c')])).sentence).toBe(
      '1 of 3 nodes runs 1.1.0; 2 still to go.',
    );
  });
});

describe('risks', () => {
  it('a role that would be left without node is told before its node is paused', () => {
    const risks = risksOf([
      node('a', { ...NEW, roles: ['CHECKSUM'] }),
      node('b', { roles: ['CHECKSUM', 'TRANSCODE'] }),
    ]);
    expect(risks).toMatchObject([{ kind: 'leaves-roles', roles: ['TRANSCODE'] }, { kind: 'no-main' }]);
    const [first] = risks;
    expect(first && riskWords(first).cause).toBe('TRANSCODE has no other node than b.');
  });

  it('and while it is away, with the node that has to come back', () => {
    const main = node('a', { ...NEW, roles: ['MAIN', 'CHECKSUM'] });
    expect(risksOf([main, node('b', { ...PAUSED, roles: ['TRANSCODE'] })])).toMatchObject([
      { kind: 'roles-away', names: ['b'], roles: ['TRANSCODE'] },
    ]);
  });

  it('several nodes away at once are told in the way that keeps the cluster on', () => {
    const members = [node('a', { roles: ['MAIN', 'CHECKSUM'] }), node('b', PAUSED), node('c', { ...STOPPED, ...NEW })];
    expect(risksOf(members)).toContainEqual({ kind: 'several-away', names: ['c', 'b'] });
    expect(risksOf(members, { way: 'all-stopped' }).map(({ kind }) => kind)).not.toContain('several-away');
  });

  it('versions that are not neighbours, mixed for long, or unchanged by a restart', () => {
    const main = { roles: ['MAIN' as const, 'CHECKSUM' as const] };
    const old = node('a', { ...main, startedMs: NOW - 9 * DAY });
    const newer = node('b', { ...main, version: '1.2.0', startedMs: NOW - 2 * DAY });
    expect(risksOf([old, newer])).toMatchObject([
      { kind: 'too-far', names: ['a'], from: '1.0.0' },
      { kind: 'mixed-long', forMs: 2 * DAY },
    ]);
    const again = node('a', { ...main, startedMs: NOW - MINUTE });
    expect(risksOf([again, node('b', { ...main, ...NEW })])).toMatchObject([{ kind: 'unchanged', name: 'a' }]);
  });

  it('a node that went back to an older version, as this window saw it', () => {
    const main = { roles: ['MAIN' as const, 'CHECKSUM' as const] };
    const before = [node('a', { ...main, ...NEW }), node('b', { ...main, ...NEW })];
    const after = [node('a', { ...main, startedMs: NOW }), node('b', { ...main, ...NEW })];
    const memory = rememberVersions(rememberVersions(new Map(), before, NOW - MINUTE), after, NOW);
    expect(risksOf(after, { memory })).toMatchObject([{ kind: 'went-back', name: 'a', from: '1.1.0', to: '1.0.0' }]);
    expect(rememberVersions(memory, after, NOW + MINUTE)).toBe(memory);
  });
});
