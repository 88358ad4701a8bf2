import { describe, expect, it } from 'vitest';
import {
  COMPLETED,
  chooseSuccessor,
  DRILL_LIMIT_MS,
  type DrillMember,
  type OpenDrill,
  partIn,
  whyUnfit,
} from '../../../agent/leader/drill-state.ts';

const ok = { check: 'iconik', status: 'ok' as const, reason: '', remedy: '' };
const member = (name: string, over: Partial<DrillMember> = {}): DrillMember => ({
  runId: `run-${name}`,
  name,
  isAlive: true,
  availability: 'available',
  roles: ['MAIN'],
  health: [ok],
  ...over,
});
const drill = (over: Partial<OpenDrill> = {}): OpenDrill => ({
  drillId: '1',
  fromRun: 'run-a',
  fromTerm: 4,
  toRun: 'run-b',
  toName: 'b',
  isHandedOver: false,
  isTurnOver: false,
  ageMs: 1_000,
  ...over,
});
const part = (over: Partial<OpenDrill>, name: string, term = 5) => partIn(drill(over), { runId: `run-${name}`, term });

describe('the successor of a drill', () => {
  it('is the first fit node by name, never this one', () => {
    const members = [member('a'), member('node-10'), member('node-9'), member('b', { isAlive: false })];
    expect(chooseSuccessor(members, 'run-a')).toMatchObject({ successor: { name: 'node-9' } });
  });

  it.each<[string, Partial<DrillMember>, RegExp]>([
    ['dead', { isAlive: false }, /not seen alive/],
    ['without MAIN', { roles: ['TRANSFER'] }, /role MAIN/],
    ['paused', { availability: 'draining' }, /draining/],
    ['failing', { health: [ok, { ...ok, check: 'storage:s', status: 'failing' }] }, /storage:s is failing/],
    ['unchecked', { health: [] }, /not known/],
  ])('is not a node that is %s; the refusal says so', (_, over, why) => {
    expect(whyUnfit(member('b', over))).toMatch(why);
    expect(chooseSuccessor([member('a'), member('b', over)], 'run-a')).toMatchObject({
      why: expect.stringMatching(why),
    });
  });

  it('is nobody in a cluster of one node', () => {
    expect(chooseSuccessor([member('a')], 'run-a')).toMatchObject({ why: expect.stringContaining('no other node') });
  });
});

describe('who begins to lead while a drill is open', () => {
  it('takes its turn as the named successor, and completes the drill as the first leader afterwards', () => {
    expect(part({}, 'b')).toEqual({ kind: 'turn' });
    expect(part({ isHandedOver: true, isTurnOver: true }, 'a', 6)).toEqual({ kind: 'end', outcome: COMPLETED });
  });

  it('leaves it alone in the leadership that asked for it', () => expect(part({}, 'a', 4)).toEqual({ kind: 'none' }));

  it.each([
    ['a third node leads', {}, 'c', /third node/],
    ['the first leads again at once', {}, 'a', /b did not take/],
    ['the successor died while it led', { isHandedOver: true }, 'a', /did not hand back/],
    ['the successor leads a second time', { isHandedOver: true }, 'b', /came back to b/],
    ['it was forgotten', { ageMs: DRILL_LIMIT_MS + 1 }, 'b', /interrupted/],
  ] as const)('ends it as not completed when %s', (_, over, name, why) => {
    expect(part(over, name, 6)).toEqual({ kind: 'end', outcome: expect.stringMatching(why) });
    expect(part(over, name, 6)).not.toMatchObject({ outcome: COMPLETED });
  });
});
