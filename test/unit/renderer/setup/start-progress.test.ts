import { describe, expect, it } from 'vitest';
import type { NodeSnapshot } from '../../../../agent/contract/index.ts';
import type { AppState } from '../../../../preload/contract/app-state.ts';
import { isPath, newGatewayProblems, urlAdvice } from '../../../../renderer/features/setup/setup-checks.ts';
import { startProgress } from '../../../../renderer/features/setup/start-progress.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';

const WRITTEN = 1_800_000_000_000;

function stateWith(agent: Partial<AppState['agent']>, snapshot: Partial<NodeSnapshot> | null = {}): AppState {
  const state = sceneState('calm', WRITTEN);
  if (state?.snapshot == null) throw new Error('the calm scene has a snapshot');
  return {
    ...state,
    agent: { ...state.agent, state: 'running', sinceMs: WRITTEN + 500, reason: '', ...agent },
    snapshot:
      snapshot === null
        ? null
        : { ...state.snapshot, node: { ...state.snapshot.node, startedMs: WRITTEN + 200 }, ...snapshot },
  };
}
const stages = (state: AppState | null) => startProgress(state, WRITTEN).stages.map(({ status }) => status);

describe('after config.ini was written', () => {
  it('the node that ran before does not count as the new one', () => {
    expect(startProgress(stateWith({ sinceMs: WRITTEN - 1 }), WRITTEN).isRunning).toBe(false);
    const before = stateWith({});
    const node = { ...before.snapshot?.node, startedMs: WRITTEN - 1 } as NodeSnapshot['node'];
    expect(startProgress(stateWith({}, { node }), WRITTEN).isRunning).toBe(false);
  });

  it('waits for the agent, iconik, the database, the node in turn', () => {
    expect(stages(null)).toEqual(['done', 'waiting', 'ahead', 'ahead', 'ahead']);
    expect(stages(stateWith({ state: 'starting' }))).toEqual(['done', 'waiting', 'ahead', 'ahead', 'ahead']);
    expect(stages(stateWith({}, null))).toEqual(['done', 'done', 'waiting', 'ahead', 'ahead']);
    expect(stages(stateWith({}, { phase: 'waiting-for-iconik' }))).toEqual([
      'done',
      'done',
      'waiting',
      'ahead',
      'ahead',
    ]);
    expect(stages(stateWith({}, { phase: 'waiting-for-database' }))).toEqual([
      'done',
      'done',
      'done',
      'waiting',
      'ahead',
    ]);
    expect(stages(stateWith({}))).toEqual(['done', 'done', 'done', 'done', 'done']);
  });

  it('a running node is said with its cluster and storages', () => {
    const progress = startProgress(stateWith({}), WRITTEN);
    expect(progress).toMatchObject({ isRunning: true, needsPerson: false });
    expect(progress.sentence).toMatch(/^node-a runs in the cluster .* and serves 3 storages\.$/);
  });

  it('and with one storage it says where to put the first file, unless that is not scanned', () => {
    const [storage] = stateWith({}).snapshot?.storages ?? [];
    if (storage === undefined) throw new Error('this scene has no storage');
    const sentence = (scans: boolean) =>
      startProgress(stateWith({}, { storages: [{ ...storage, scans }] }), WRITTEN).sentence;
    expect(sentence(true)).toContain(`What is put into ${storage.mountPoint} appears in iconik by itself.`);
    expect(sentence(false)).toMatch(/ and serves one storage\.$/);
  });

  it('what is waited for says why', () => {
    const { stages: shown } = startProgress(
      stateWith({}, { phase: 'waiting-for-iconik', reason: 'No route.' }),
      WRITTEN,
    );
    expect(shown[2]?.detail).toBe('No route.');
  });

  it('an agent that gave up, a wrong file and a duplicate need a person', () => {
    expect(startProgress(stateWith({ state: 'gave-up-for-now', reason: 'Too often.' }), WRITTEN).needsPerson).toBe(
      true,
    );
    const wrong = stateWith({ state: 'stopped' });
    wrong.config = { ...wrong.config, status: 'invalid', problems: ['line 2 is wrong'] };
    expect(startProgress(wrong, WRITTEN).stages[1]).toMatchObject({ status: 'failed', detail: 'line 2 is wrong' });
    const duplicate = stateWith({}, { status: { availability: 'duplicate', reason: 'In use by node-z.' } });
    expect(startProgress(duplicate, WRITTEN)).toMatchObject({ needsPerson: true, isRunning: false });
    expect(startProgress(duplicate, WRITTEN).sentence).toContain('cannot work');
  });
});

describe('what is typed', () => {
  it.each(['/', '/mnt/nas', 'C:\\media', 'd:/media', '\\\\server\\share'])('%s is a full path', (path) => {
    expect(isPath(path)).toBe(true);
  });

  it.each(['', 'mnt/nas', '~/media', 'C:media', '\\media'])('%j is none', (path) => {
    expect(isPath(path)).toBe(false);
  });

  it('a token in the clear is advised against, but not on this machine', () => {
    expect(urlAdvice('http://iconik.lan/')).toContain('in the clear');
    expect(urlAdvice('http://127.0.0.1:8080/')).toBe('');
    expect(urlAdvice('https://app.iconik.io/')).toBe('');
    expect(urlAdvice('nonsense')).toBe('');
  });

  it('a new gateway needs names and a storage; a cluster name only when the cluster is new', () => {
    const empty = { clusterId: null, clusterName: '', gatewayName: ' ', storageIds: [] };
    expect(Object.keys(newGatewayProblems(empty)).sort()).toEqual(['clusterName', 'gatewayName', 'storageIds']);
    const full = { clusterId: 'cl-1', clusterName: '', gatewayName: 'node-c', storageIds: ['st-1'] };
    expect(newGatewayProblems(full)).toEqual({});
  });
});
