import { describe, expect, it } from 'vitest';
import type { CheckResult, ClusterMember, LeaderlessCause, NodeSnapshot } from '../../../../agent/contract/index.ts';
import type { AppState } from '../../../../preload/contract/app-state.ts';
import { judgedChecks } from '../../../../renderer/features/diagnostics/judged-checks.ts';
import { diagnosisSentence, findingsAsText, findingsOf } from '../../../../renderer/ui/findings/findings.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;

function calm(): AppState & { snapshot: NodeSnapshot } {
  const state = sceneState('calm', NOW);
  if (state?.snapshot == null) throw new Error('the calm scene has a snapshot');
  return { ...state, snapshot: { ...state.snapshot, atMs: NOW } };
}
const withSnapshot = (changes: Partial<NodeSnapshot>): AppState => {
  const state = calm();
  return { ...state, snapshot: { ...state.snapshot, ...changes } };
};
const withAgent = (changes: Partial<AppState['agent']>): AppState => {
  const state = calm();
  return { ...state, agent: { ...state.agent, ...changes } };
};
const failing = (check: string, reason: string, status: CheckResult['status'] = 'failing'): CheckResult => ({
  check,
  status,
  reason,
  remedy: 'Mend it.',
});
const ids = (state: AppState) => findingsOf(state, NOW).map(({ id }) => id);
const member = (changes: Partial<ClusterMember>): ClusterMember => ({
  workerId: 'w-x',
  name: 'node-x',
  host: 'node-x.lan',
  version: '1.0.0',
  roles: ['MAIN'],
  availability: 'available',
  reason: '',
  isLeader: false,
  isAlive: true,
  isSelf: false,
  lastSeenMs: NOW - 1000,
  startedMs: NOW - 3_600_000,
  runningJobs: 0,
  health: [],
  ...changes,
});
const nobody = { ...calm().snapshot.leadership, standing: 'nobody' as const, leaderName: null, term: null };
const onlyMembers = (members: ClusterMember[], changes: Partial<NodeSnapshot> = {}) =>
  withSnapshot({ cluster: { ...calm().snapshot.cluster, members, uncoveredRoles: [] }, ...changes });

describe('a healthy node', () => {
  it('has no findings and says so in one sentence', () => {
    const state = calm();
    expect(findingsOf(state, NOW)).toEqual([]);
    expect(diagnosisSentence(state, [])).toMatch(/^Everything is well: .*\.$/);
  });

  it('is not called well before every check has been made', () => {
    const state = withSnapshot({ checks: [failing('iconik', '', 'unknown')] });
    expect(diagnosisSentence(state, findingsOf(state, NOW))).toContain('not everything has been checked');
  });

  it('is not called well while the agent starts', () => {
    const state = withAgent({ state: 'starting', sinceMs: NOW - 500 });
    expect(findingsOf(state, NOW)).toEqual([]);
    expect(diagnosisSentence(state, [])).not.toContain('Everything is well');
  });
});

describe('the order of cause', () => {
  it('a wrong config.ini is the one finding, not the agent that it keeps from starting', () => {
    const state = withAgent({ state: 'stopped', lastExitCode: 2 });
    state.config = { ...state.config, status: 'invalid', problems: ['line 4: iconik-url is wrong', 'line 9: x'] };
    const [first, ...rest] = findingsOf(state, NOW);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ id: 'config-invalid', severity: 'critical' });
    expect(first?.evidence).toContain('line 9: x');
  });

  it('an absent config.ini leads to the set-up assistant', () => {
    const state = withAgent({ state: 'stopped' });
    state.config = { ...state.config, status: 'absent' };
    expect(findingsOf(state, NOW)).toMatchObject([{ id: 'config-absent', actions: ['open-set-up'] }]);
  });

  it('iconik comes before database, storages and what rests on them', () => {
    const state = withSnapshot({
      checks: [failing('storage:s', 'gone'), failing('database', 'silent'), failing('iconik', 'silent too')],
      storages: [],
      leadership: nobody,
      cluster: { ...calm().snapshot.cluster, leaderless: { sinceMs: NOW - 40_000, causes: [] } },
    });
    expect(ids(state).slice(0, 4)).toEqual(['check-iconik', 'check-database', 'check-storage:s', 'nobody-leads']);
  });

  it('what holds up work comes before what deserves a look', () => {
    const severities = findingsOf({ ...calm(), ...sceneState('problems', NOW) } as AppState, NOW).map(
      ({ severity }) => severity,
    );
    expect(severities).toEqual([...severities].sort((a, b) => rank(a) - rank(b)));
    expect(severities).toContain('critical');
  });
});

const rank = (severity: string) => ['critical', 'warning', 'note'].indexOf(severity);

describe('the agent', () => {
  it('its exit code is said in words, its last words are evidence', () => {
    const state = withAgent({
      state: 'backing-off',
      reason: '',
      lastExitCode: 6,
      lastWords: ['boom'],
      nextStartMs: NOW + 5000,
    });
    const [finding] = findingsOf(state, NOW);
    expect(finding?.cause).toContain('belongs to another cluster');
    expect(finding?.evidence).toEqual(expect.arrayContaining(['boom', 'Next start in 5 s.']));
    expect(finding?.actions).toContain('restart-agent');
  });

  it('an old snapshot of a dead agent proves nothing', () => {
    const state = withAgent({ state: 'unresponsive' });
    state.snapshot = { ...calm().snapshot, checks: [failing('database', 'silent')] };
    expect(ids(state)).toEqual(['agent-unresponsive']);
    expect(judgedChecks(state).find(({ name }) => name === 'Database')?.status).toBe('unknown');
  });

  it('a start of a moment is no finding, a long one is', () => {
    expect(ids(withAgent({ state: 'starting', sinceMs: NOW - 2_000 }))).toEqual([]);
    expect(ids(withAgent({ state: 'starting', sinceMs: NOW - 20_000 }))).toEqual(['agent-starting']);
  });

  it('a running agent that says nothing new for more than 5 s is reported', () => {
    expect(ids(withSnapshot({ atMs: NOW - 4_000 }))).toEqual([]);
    expect(ids(withSnapshot({ atMs: NOW - 30_000 }))).toEqual(['snapshot-stale']);
  });
});

describe('the node', () => {
  it.each([
    ['set-up', 'open-set-up'],
    ['waiting-for-iconik', 'open-settings'],
    ['waiting-for-database', 'open-logs'],
  ] as const)('while %s nothing of the cluster is judged, and %s is offered', (phase, action) => {
    const state = withSnapshot({ phase, reason: 'it waits', leadership: nobody });
    const findings = findingsOf(state, NOW);
    expect(findings.map(({ id }) => id)).toEqual([`phase-${phase}`]);
    expect(findings[0]?.actions).toContain(action);
    expect(findings[0]?.cause).toContain('It waits.');
  });

  it('a duplicate says who holds the id', () => {
    const status = { availability: 'duplicate' as const, reason: 'The id is in use by node-z.' };
    expect(findingsOf(withSnapshot({ status }), NOW)[0]).toMatchObject({
      id: 'duplicate',
      cause: 'The id is in use by node-z.',
    });
  });

  it('another database than iconik names is told with its remedy', () => {
    const status = {
      availability: 'degraded' as const,
      reason: 'The database of the cluster was changed in iconik (db-uri-differs). This node does no work.',
    };
    expect(findingsOf(withSnapshot({ status }), NOW)[0]).toMatchObject({
      id: 'database-uri-differs',
      actions: ['restart-agent', 'open-settings'],
    });
  });

  it('a disabled cluster leads to where it is enabled, a disabled node to iconik', () => {
    const status = { availability: 'disabled' as const, reason: 'disabled' };
    const cluster = { ...calm().snapshot.cluster, enabled: false };
    expect(findingsOf(withSnapshot({ status, cluster }), NOW)[0]).toMatchObject({ actions: ['open-cluster'] });
    expect(findingsOf(withSnapshot({ status }), NOW)[0]).toMatchObject({ id: 'disabled', actions: [] });
  });

  it('a paused node is a note with the way back', () => {
    expect(findingsOf(withSnapshot({ isPaused: true }), NOW)).toMatchObject([
      { severity: 'note', actions: ['resume-node'] },
    ]);
  });

  it('a status that no rule explains is still said', () => {
    const status = { availability: 'degraded' as const, reason: 'Something new.' };
    expect(findingsOf(withSnapshot({ status }), NOW)).toMatchObject([{ id: 'status', cause: 'Something new.' }]);
  });

  it('a check is said once, also when the storage says it too', () => {
    const [storage] = calm().snapshot.storages;
    if (storage === undefined) throw new Error('the calm scene has storages');
    const check = failing(`storage:${storage.id}`, 'it is read-only');
    const state = withSnapshot({
      checks: [check],
      storages: [{ ...storage, health: check, problem: 'it is read-only' }],
    });
    expect(ids(state)).toEqual([check.check].map((name) => `check-${name}`));
    expect(findingsOf(state, NOW)[0]?.cause).toBe(`Storage ${storage.name}: It is read-only.`);
  });

  it('a name is not said twice, and iconik stays small', () => {
    const state = withSnapshot({ checks: [failing('iconik', 'iconik has not answered for 9 s')], storages: [] });
    expect(findingsOf(state, NOW)[0]?.cause).toBe('iconik has not answered for 9 s.');
  });
});

describe('the cluster', () => {
  const leaderless = (...causes: LeaderlessCause[]) =>
    withSnapshot({
      leadership: nobody,
      cluster: { ...calm().snapshot.cluster, uncoveredRoles: [], leaderless: { sinceMs: NOW - 40_000, causes } },
    });
  const noMain: LeaderlessCause = {
    code: 'no-main-role',
    nodes: ['node-c'],
    cause: 'Does not have it.',
    remedy: 'Give it.',
  };
  const silent: LeaderlessCause = {
    code: 'iconik',
    nodes: ['node-a', 'node-b'],
    cause: 'iconik is away',
    remedy: 'Wait.',
  };
  const paused: LeaderlessCause = {
    code: 'paused',
    nodes: ['node-d'],
    cause: 'Paused.',
    remedy: 'Resume it at that node.',
  };
  const nobodyFinding = (state: AppState) => findingsOf(state, NOW).find(({ id }) => id === 'nobody-leads');

  it('nobody leads: the causes of the agent, with their nodes and remedies', () => {
    expect(nobodyFinding(leaderless(silent, paused, noMain))).toMatchObject({
      cause: 'Nobody leads the cluster for 40 s. node-a and node-b: iconik is away. node-d: Paused.',
      remedy: 'node-a and node-b: Wait. node-d: Resume it at that node.',
      evidence: expect.arrayContaining(['no-main-role: node-c: Does not have it.']),
    });
  });

  it('nobody leads because nobody has the role MAIN', () => {
    expect(nobodyFinding(leaderless(noMain))?.remedy).toBe('node-c: Give it.');
  });

  it('nobody leads for a moment: a leader is being chosen, which is nothing to mend', () => {
    const state = onlyMembers([member({ isAlive: false })], { leadership: nobody });
    expect(nobodyFinding(state)).toBeUndefined();
    expect(findingsOf(state, NOW).find(({ id }) => id === 'choosing-leader')).toMatchObject({ severity: 'note' });
    expect(judgedChecks(state).at(-1)).toMatchObject({
      status: 'unknown',
      detail: 'The cluster is choosing a leader.',
    });
    expect(judgedChecks(leaderless(silent)).at(-1)).toMatchObject({ status: 'failing', label: 'Nobody leads' });
    expect(nobodyFinding(leaderless())?.remedy).toContain('No node is registered');
  });

  it('in a disabled cluster nobody is missed', () => {
    const cluster = { ...calm().snapshot.cluster, enabled: false };
    expect(nobodyFinding(withSnapshot({ cluster, leadership: nobody }))).toBeUndefined();
  });

  it('a follower that cannot lead for a reason already said is not said twice', () => {
    const leadership = { ...nobody, standing: 'cannot-lead' as const, leaderName: 'node-b', why: 'it is silent' };
    expect(ids(withSnapshot({ leadership, checks: [failing('database', 'it is silent')] }))).toEqual([
      'check-database',
    ]);
    expect(ids(withSnapshot({ leadership, checks: [] }))).toEqual(['cannot-lead']);
  });

  it('a worker without MAIN does not miss a leader it need not be', () => {
    const leadership = { ...nobody, standing: 'worker' as const, leaderName: 'node-b' };
    expect(ids(withSnapshot({ leadership }))).toEqual([]);
  });

  it('an uncovered role says what does not happen; MAIN is left to the leader finding', () => {
    const cluster = { ...calm().snapshot.cluster, uncoveredRoles: ['MAIN' as const, 'TRANSCODE' as const] };
    const findings = findingsOf(withSnapshot({ cluster, leadership: nobody }), NOW);
    const uncovered = findings.find(({ id }) => id === 'uncovered-roles');
    expect(uncovered?.cause).toBe('No available node has the role TRANSCODE.');
    expect(uncovered?.consequence).toContain('no proxies');
  });

  it('a node that is gone, a duplicate and a troubled one are told apart; draining and disabled ones are no trouble', () => {
    const state = onlyMembers([
      member({ workerId: 'w-1', isAlive: false, lastSeenMs: NOW - 180_000 }),
      member({ workerId: 'w-2', availability: 'duplicate' }),
      member({ workerId: 'w-3', availability: 'degraded', reason: 'no disk' }),
      member({ workerId: 'w-4', availability: 'draining' }),
      member({ workerId: 'w-5', availability: 'disabled' }),
    ]);
    const findings = findingsOf(state, NOW);
    expect(findings.map(({ id }) => id)).toEqual(['member-w-1', 'member-w-2', 'member-w-3']);
    expect(findings[0]?.cause).toBe('node-x has not been seen for 3 min.');
    expect(findings[1]?.remedy).toContain('of its own');
    expect(findings[2]?.cause).toContain('No disk.');
  });
});

describe('every finding of every scene', () => {
  const scenes = ['problems', 'offline', 'invalid-config', 'set-up', 'empty', 'large'] as const;

  it.each(scenes)('%s: has cause, consequence and remedy in sentences, and an id of its own', (scene) => {
    const state = sceneState(scene, NOW);
    if (state === null) throw new Error('the scene has a state');
    const findings = findingsOf(state, NOW);
    for (const { cause, consequence, remedy } of findings) {
      for (const text of [cause, consequence, remedy]) expect(text).toMatch(/^\S.*[.?]$/);
      expect(`${cause}${consequence}${remedy}`).not.toMatch(/!|undefined|null/);
    }
    expect(new Set(findings.map(({ id }) => id)).size).toBe(findings.length);
  });

  it('can be copied as text with their evidence', () => {
    const state = sceneState('problems', NOW) as AppState;
    const findings = findingsOf(state, NOW);
    const text = findingsAsText(state, findings, NOW);
    for (const { cause, remedy } of findings) {
      expect(text).toContain(cause);
      expect(text).toContain(remedy);
    }
    expect(text.split('\n')[0]).toContain('ISG Pro');
  });
});
