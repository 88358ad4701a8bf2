import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Availability, type ClusterMember, ROLES } from '../../../../../agent/contract/index.ts';
import { nextWords } from '../../../../../renderer/features/cluster/upgrade/next-words.ts';
import type { UpgradeWay } from '../../../../../renderer/features/cluster/upgrade/upgrade-plan.ts';
import { upgradePlan } from '../../../../../renderer/features/cluster/upgrade/upgrade-plan.ts';
import { upgradeRisks } from '../../../../../renderer/features/cluster/upgrade/upgrade-risks.ts';
import { planSentence, riskWords, stageWord } from '../../../../../renderer/features/cluster/upgrade/upgrade-words.ts';
import {
  rememberVersions,
  type VersionMemory,
} from '../../../../../renderer/features/cluster/upgrade/version-memory-state.ts';
import { factsOf, MINUTE, NOW, node, PAUSED, STOPPED } from './upgrade-bench.ts';

const AVAILABILITIES: Availability[] = ['available', 'degraded', 'draining', 'disabled', 'duplicate', 'unavailable'];
const WAYS: UpgradeWay[] = ['one-by-one', 'all-stopped'];

const roleSet = fc.subarray([...ROLES], { minLength: 1 });
const anyMember = fc.record({
  version: fc.constantFrom('1.0.0', '1.1.0', '1.3.0', 'dev'),
  roles: roleSet,
  availability: fc.constantFrom(...AVAILABILITIES),
  reason: fc.constantFrom('', PAUSED.reason),
  isAlive: fc.boolean(),
  isLeader: fc.boolean(),
  isSelf: fc.boolean(),
  runningJobs: fc.nat({ max: 3 }),
  areJobsCounted: fc.boolean(),
  hasLeft: fc.boolean(),
  lastSeenMs: fc.constantFrom(0, NOW, NOW - 20 * MINUTE, NOW - 3_000 * MINUTE),
  startedMs: fc.constantFrom(null, NOW, NOW - 2_000 * MINUTE),
});
const anyCluster = fc
  .array(anyMember, { maxLength: 6 })
  .map((members) => members.map((over, at) => node(`node-${at}`, over)));

describe('whatever the cluster shows', () => {
  it('every node is in the plan once or left out, one step at most is next, and everything has words', () => {
    fc.assert(
      fc.property(anyCluster, fc.boolean(), fc.constantFrom(...WAYS), (members, enabled, way) => {
        const facts = factsOf(members, { enabled, way });
        const plan = upgradePlan(facts);
        const steps = plan.steps.flatMap((step) => (step.kind === 'node' ? [step.member.workerId] : []));
        const out = plan.leftOut.map(({ workerId }) => workerId);
        expect([...steps, ...out].sort()).toEqual(members.map(({ workerId }) => workerId).sort());
        if (plan.next !== null) expect(plan.steps.filter((step) => step === plan.next)).toHaveLength(1);
        const said = [
          planSentence(plan).sentence,
          ...plan.steps.map((step) => stageWord(step, plan)),
          ...upgradeRisks(plan, facts).map((risk) => riskWords(risk).cause),
          nextWords({ plan, way, enabled })?.title ?? 'nothing',
        ];
        for (const words of said) expect(words).toMatch(/\S/);
        expect(said.join(' ')).not.toMatch(/undefined|null|NaN|Infinity/);
      }),
      { numRuns: 300 },
    );
  });

  it('the order of nodes does not hang on the order in which they are told', () => {
    fc.assert(
      fc.property(anyCluster, fc.constantFrom(...WAYS), (members, way) => {
        const names = (told: ClusterMember[]) =>
          upgradePlan(factsOf(told, { way })).steps.map((step) => (step.kind === 'node' ? step.member.name : step.to));
        expect(names([...members].reverse())).toEqual(names([...members]));
      }),
    );
  });
});

/** Does what the guide says to a cluster without faults: people, installers and agents in one. */
function obey(members: ClusterMember[], enabled: boolean, call: string, name: string | null, nowMs: number) {
  const change = (member: ClusterMember): ClusterMember => {
    if (call === 'disable') return { ...member, availability: 'disabled', isLeader: false };
    if (call === 'enable') return { ...member, availability: 'available' };
    if (member.name !== name) return member;
    switch (call) {
      case 'to-do':
        return { ...member, ...PAUSED };
      case 'draining':
        return { ...member, runningJobs: 0, isLeader: false };
      case 'install':
        return member.isAlive
          ? { ...member, ...STOPPED }
          : {
              ...member,
              isAlive: true,
              hasLeft: false,
              version: '1.1.0',
              startedMs: nowMs,
              availability: enabled ? 'degraded' : 'disabled',
            };
      default:
        return { ...member, availability: enabled ? 'available' : 'disabled' };
    }
  };
  const changed = members.map(change);
  const isEnabled = call === 'disable' ? false : call === 'enable' ? true : enabled;
  if (!isEnabled || changed.some(({ isLeader }) => isLeader)) return { members: changed, enabled: isEnabled };
  const heir = changed.findIndex(({ roles, availability }) => availability === 'available' && roles.includes('MAIN'));
  return { members: changed.map((each, at) => (at === heir ? { ...each, isLeader: true } : each)), enabled: isEnabled };
}

const healthyCluster = fc.array(fc.record({ roles: roleSet, runningJobs: fc.nat({ max: 3 }) }), {
  minLength: 1,
  maxLength: 5,
});

describe('who does what the guide says', () => {
  it.each(WAYS)(
    'comes to one version on all nodes in few steps (%s), with one node away at a time if the cluster stays on',
    (way) => {
      fc.assert(
        fc.property(healthyCluster, (nodes) => {
          let state = {
            members: nodes.map((over, at) =>
              node(`node-${at}`, { ...over, isLeader: at === 0 && over.roles.includes('MAIN') }),
            ),
            enabled: true,
          };
          let memory: VersionMemory = new Map();
          const primaries: boolean[] = [];
          for (let turn = 0; turn < 8 * nodes.length + 4; turn += 1) {
            const nowMs = NOW + turn * 1_000;
            memory = rememberVersions(memory, state.members, nowMs);
            const { members, enabled } = state;
            const plan = upgradePlan(factsOf(members, { way, enabled, memory, nowMs }));
            if (way === 'one-by-one')
              expect(members.filter(({ availability }) => availability !== 'available').length).toBeLessThanOrEqual(1);
            if (plan.next === null) break;
            const { next } = plan;
            const settled = members.every(({ availability }) => availability === 'disabled');
            if (next.kind === 'cluster' && next.to === 'disabled' && next.stage === 'waiting') {
              state = { ...state, members: members.map((each) => ({ ...each, runningJobs: 0 })) };
            } else if (next.kind === 'cluster') {
              expect(next.to === 'enabled' ? settled : true).toBe(true);
              state = obey(members, enabled, next.to === 'disabled' ? 'disable' : 'enable', null, nowMs);
            } else {
              expect(next.stage).not.toBe('blocked');
              if (next.stage === 'to-do') primaries.push(next.member.isLeader);
              state = obey(members, enabled, next.stage, next.member.name, nowMs);
            }
          }
          expect(state.enabled).toBe(true);
          for (const member of state.members)
            expect(member).toMatchObject({ version: '1.1.0', availability: 'available' });
          // The Primary goes only when nobody of the old version is left beside it.
          expect(primaries.slice(0, -1)).not.toContain(true);
        }),
      );
    },
  );
});
