import { describe, expect, it } from 'vitest';
import { appStateSchema } from '../../../../preload/contract/app-state.ts';
import { BRIDGE_CALLS, type BridgeCallName, type BridgeParams } from '../../../../preload/contract/bridge.ts';
import { createFakeBridge, FakeRefusal } from '../../../support/fake-bridge.ts';
import { SCENES, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
const nowMs = () => NOW;
const account = { iconikUrl: 'https://app.iconik.io', appId: 'a', authToken: 't' };
const page = { cursor: null, limit: 100 };
const PARAMS: { [Name in BridgeCallName]: BridgeParams<Name> } = {
  'app.state': {},
  'app.open-log-folder': {},
  'app.copy-text': { text: 'a' },
  'app.export-text': { suggestedName: 'a.txt', text: 'a' },
  'app.choose-folder': { title: 'a' },
  'app.run-check': {},
  'app.save-support-bundle': {},
  'app.cancel-support-bundle': {},
  'doctor.run': {},
  'agent.restart': {},
  'config.read': {},
  'config.write': { changes: { uploads: null } },
  'config.restore': {},
  'logs.read-files': { minLevel: 'debug', text: '', ...page },
  'jobs.list': { roles: [], states: [], storageId: null, nodeName: null, text: '', ...page },
  'jobs.cancel': { jobId: 'a' },
  'jobs.retry': { jobId: 'a' },
  'jobs.set-priority': { jobId: 'a', priority: 5 },
  'storages.problems': { storageId: 'st-nas-post', ...page },
  'storages.verify': { storageId: 'st-nas-post', directory: '' },
  'storages.write-mhl': { storageId: 'st-nas-post', directory: '' },
  'logs.read': { minLevel: 'debug', text: '', storageId: null, fromMs: null, toMs: null, limit: page.limit },
  'logs.send': {},
  'node.pause': {},
  'node.resume': {},
  'cluster.drill': {},
  'update.claim-turn': { version: '0.2.0', isAsked: false },
  'update.hold-turn': { turn: 1, isInstalling: false },
  'update.end-turn': { turn: 1, outcome: 'installed', version: '0.2.0' },
  'app.check-for-update': {},
  'app.install-update': {},
  'app.postpone-update': {},
  'cluster.set-enabled': { enabled: true },
  'settings.read': {},
  'settings.write': { name: 'uploads', tier: 'node', value: 4 },
  'setup.look': account,
  'setup.create-gateway': { ...account, clusterId: null, clusterName: 'a', gatewayName: 'a', storageIds: ['s'] },
  'setup.test-mount': { mountPoint: '/mnt', storageId: 's' },
  'setup.set-mounts': { ...account, storageGatewayId: 'g', mounts: { s: '/mnt' } },
};
const names = Object.keys(BRIDGE_CALLS) as BridgeCallName[];

describe('the fake bridge', () => {
  it.each(SCENES)('sends a state of the contract in the scene %s', (scene) => {
    const state = sceneState(scene, NOW);
    if (state === null) expect(scene).toBe('loading');
    else expect(appStateSchema.parse(state)).toEqual(state);
  });

  it.each(names)('answers %s as the contract says', async (name) => {
    const result = await createFakeBridge('problems', { nowMs }).call(name, PARAMS[name]);
    if (!result.ok) throw new Error(result.error.message);
    expect(BRIDGE_CALLS[name].answer.parse(result.value)).toEqual(result.value);
  });

  it('refuses parameters that main would refuse', async () => {
    const bridge = createFakeBridge('calm', { nowMs });
    expect(await bridge.call('jobs.set-priority', { jobId: 'a', priority: 11 })).toMatchObject({
      ok: false,
      error: { code: 'bad-params' },
    });
  });

  it('has no answer of the agent while the agent is down, but main goes on answering', async () => {
    const bridge = createFakeBridge('offline', { nowMs });
    expect(await bridge.call('jobs.list', PARAMS['jobs.list'])).toMatchObject({
      ok: false,
      error: { code: 'agent-down', retry: 'transient' },
    });
    expect(await bridge.call('logs.read-files', PARAMS['logs.read-files'])).toMatchObject({ ok: true });
  });

  it('sends the state at once at subscription and each emitted one, until the listener leaves', () => {
    const bridge = createFakeBridge('calm', { nowMs });
    const heard: string[] = [];
    const leave = bridge.on('app-state', ({ appVersion }) => heard.push(appVersion));
    const state = sceneState('calm', NOW);
    if (state === null) throw new Error('calm has a state');
    bridge.emit('app-state', { ...state, appVersion: '2.0.0' });
    leave();
    bridge.emit('app-state', { ...state, appVersion: '3.0.0' });
    expect(heard).toEqual(['0.1.0', '2.0.0']);
    expect(bridge.state()?.appVersion).toBe('3.0.0');
  });

  it('hands a refusal of a handler on with its code, and remembers the calls', async () => {
    const pause = () => {
      throw new FakeRefusal('iconik-away', 'iconik does not answer.', 'transient');
    };
    const bridge = createFakeBridge('calm', { nowMs, handlers: { 'node.pause': pause } });
    expect(await bridge.call('node.pause', {})).toEqual({
      ok: false,
      error: { code: 'iconik-away', message: 'iconik does not answer.', retry: 'transient' },
    });
    expect(bridge.calls).toEqual([{ name: 'node.pause', params: {} }]);
  });

  it('pages 100,000 jobs without losing or repeating one', async () => {
    const bridge = createFakeBridge('large', { nowMs });
    const first = await bridge.call('jobs.list', { ...PARAMS['jobs.list'], limit: 500 });
    if (!first.ok) throw new Error(first.error.message);
    expect(first.value.total).toBe(100_000);
    const second = await bridge.call('jobs.list', {
      ...PARAMS['jobs.list'],
      limit: 500,
      cursor: first.value.nextCursor,
    });
    if (!second.ok) throw new Error(second.error.message);
    const ids = [...first.value.rows, ...second.value.rows].map(({ jobId }) => jobId);
    expect(new Set(ids).size).toBe(1_000);
  });

  it('reads log lines backwards page by page, each page oldest first', async () => {
    const bridge = createFakeBridge('calm', { nowMs });
    const newest = await bridge.call('logs.read', PARAMS['logs.read']);
    if (!newest.ok) throw new Error(newest.error.message);
    const older = await bridge.call('logs.read', {
      ...PARAMS['logs.read'],
      at: { kind: 'before', seq: newest.value.olderSeq ?? 0 },
    });
    if (!older.ok) throw new Error(older.error.message);
    const seqs = [...older.value.lines, ...newest.value.lines].map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 200 }, (_, at) => 1_801 + at));
  });
});
