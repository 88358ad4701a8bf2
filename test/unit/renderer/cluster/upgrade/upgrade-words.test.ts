import { describe, expect, it } from 'vitest';
import type { ClusterMember } from '../../../../../agent/contract/index.ts';
import { nextWords } from '../../../../../renderer/features/cluster/upgrade/next-words.ts';
import type { UpgradeFacts } from '../../../../../renderer/features/cluster/upgrade/upgrade-plan.ts';
import { upgradeRisks } from '../../../../../renderer/features/cluster/upgrade/upgrade-risks.ts';
import { planSentence, riskWords, stageWord } from '../../../../../renderer/features/cluster/upgrade/upgrade-words.ts';
import { rememberVersions } from '../../../../../renderer/features/cluster/upgrade/version-memory-state.ts';
import { factsOf, MINUTE, NOW, node, PAUSED, planOf, STOPPED } from './upgrade-bench.ts';

const NEW = { version: '1.1.0', startedMs: NOW - 5 * MINUTE };
const DAY = 24 * 60 * MINUTE;

const risksOf = (members: ClusterMember[], over: Partial<UpgradeFacts> = {}) =>
  upgradeRisks(planOf(members, over), factsOf(members, over));
const wordsOf = (members: ClusterMember[], over: Partial<UpgradeFacts> = {}) => {
  const facts = factsOf(members, over);
  const words = nextWords({ plan: planOf(members, over), way: facts.way, enabled: facts.enabled });
  if (words === null) throw new Error('nothing is left to do');
  return words;
};

describe('the next step in words', () => {
  it('has a button for this node, and says where to pause another one', () => {
    const main = { roles: ['MAIN' as const] };
    const self = wordsOf([
      node('a', { ...main, isSelf: true, isLeader: true, runningJobs: 3 }),
      node('b', { ...main, ...NEW }),
    ]);
    expect(self).toMatchObject({ title: 'Hand over the lead and pause this node, a', call: 'pause' });
    expect(self.lines.join(' ')).toContain('It finishes its 3 jobs');
    const other = wordsOf([node('a', NEW), node('b')]);
    expect(other).toMatchObject({ title: 'Pause b', call: null });
    expect(other.lines.join(' ')).toContain('This is done at b.lan');
  });

  it('promises no other Primary where no other node can lead', () => {
    const alone = wordsOf([node('a', { isSelf: true, isLeader: true, roles: ['MAIN'] })]);
    expect(alone.title).toBe('With a newer version at hand, pause this node, a');
    expect(alone.lines.join(' ')).not.toContain('takes the lead');
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

  it('asks what became of a node that is not seen, and says what it may still be doing', () => {
    const words = wordsOf([node('a', NEW), node('b', { isAlive: false, lastSeenMs: NOW - MINUTE, runningJobs: 2 })]);
    expect(words).toMatchObject({ title: 'See what became of b', call: null });
    expect(words.lines.join(' ')).toMatch(/last seen 1 min ago, on b\.lan.*at work on 2 jobs/);
  });

  it('does not depend on the clock of this machine', () => {
    const members = [node('a', NEW), node('b', { isAlive: false, lastSeenMs: NOW - MINUTE })];
    expect(wordsOf(members, { nowMs: NOW + 2 * DAY })).toEqual(wordsOf(members));
    expect(wordsOf(members, { nowMs: NOW - 2 * DAY })).toEqual(wordsOf(members));
    const plan = planOf(members, { nowMs: NOW + 2 * DAY });
    expect(plan.steps.map((step) => stageWord(step, plan))).toContain('Not seen for 1 min');
  });

  it('does not call a cluster with a node that is not at work fine', () => {
    expect(planSentence(planOf([node('a'), node('b')])).status).toBe('ok');
    for (const over of [{ availability: 'degraded' as const }, { isAlive: false, lastSeenMs: NOW - MINUTE }]) {
      const told = planSentence(planOf([node('a'), node('b', over)]));
      expect(told).toEqual({ status: 'warning', sentence: 'All 2 nodes run 1.0.0; b is not available.' });
    }
    expect(planSentence(planOf([node('a', NEW), node('b', { availability: 'degraded' })])).status).toBe('warning');
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

  it('are not those of a wrong clock of this machine', () => {
    const main = { roles: ['MAIN' as const, 'CHECKSUM' as const] };
    const fresh = [node('a', { ...main, startedMs: NOW - MINUTE }), node('b', { ...main, ...NEW })];
    for (const nowMs of [NOW + 2 * DAY, NOW - 2 * DAY]) expect(risksOf(fresh, { nowMs })).toEqual(risksOf(fresh));
    expect(risksOf(fresh).map(({ kind }) => kind)).not.toContain('mixed-long');
  });

  it('a node that is not well while others are upgraded is told, with its reason', () => {
    const main = node('a', { roles: ['MAIN', 'CHECKSUM'] });
    const ill = node('b', { availability: 'degraded', reason: 'Storage NAS is not mounted.' });
    const [risk] = risksOf([main, ill]);
    expect(risk).toMatchObject({ kind: 'unwell', members: [{ name: 'b' }] });
    expect(risk && riskWords(risk).consequence).toBe('Storage NAS is not mounted.');
    expect(risksOf([main, node('b')])).toEqual([]);
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
