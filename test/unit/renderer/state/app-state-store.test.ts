import { describe, expect, it, vi } from 'vitest';
import { createAppStateStore } from '../../../../renderer/state/app-state-store.ts';
import { createFakeBridge, FakeRefusal } from '../../../support/fake-bridge.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
const nowMs = () => NOW;

describe('the state store', () => {
  it('has the state that comes at subscription', () => {
    expect(createAppStateStore(createFakeBridge('calm', { nowMs })).get()).toEqual(sceneState('calm', NOW));
  });

  it('asks for the state when none comes by itself', async () => {
    const late = sceneState('follower', NOW);
    if (late === null) throw new Error('this scene has no state');
    const bridge = createFakeBridge('calm', { nowMs, handlers: { 'app.state': () => late } });
    const store = createAppStateStore({ ...bridge, on: () => () => undefined });
    expect(store.get()).toBeNull();
    await vi.waitFor(() => expect(store.get()).toEqual(late));
  });

  it('keeps an event that came before the answer: it is newer', async () => {
    const bridge = createFakeBridge('calm', { nowMs });
    const store = createAppStateStore(bridge);
    const newer = { ...(sceneState('problems', NOW) ?? failNow()), appVersion: '9.9.9' };
    bridge.emit('app-state', newer);
    await bridge.call('app.state', {});
    expect(store.get()).toEqual(newer);
  });

  it('tells listeners of each change until they leave', () => {
    const bridge = createFakeBridge('calm', { nowMs });
    const store = createAppStateStore(bridge);
    const heard: (string | undefined)[] = [];
    const leave = store.subscribe(() => heard.push(store.get()?.appVersion));
    const state = sceneState('calm', NOW) ?? failNow();
    bridge.emit('app-state', { ...state, appVersion: '1.0.0' });
    leave();
    bridge.emit('app-state', { ...state, appVersion: '2.0.0' });
    expect(heard).toEqual(['1.0.0']);
  });

  it('stays without state, and quiet, when the call is refused', async () => {
    const refuse = () => {
      throw new FakeRefusal('nope', 'Not now.', 'transient');
    };
    const bridge = createFakeBridge('loading', { nowMs, handlers: { 'app.state': refuse } });
    const store = createAppStateStore(bridge);
    await Promise.resolve();
    expect(store.get()).toBeNull();
  });
});

function failNow(): never {
  throw new Error('this scene has no state');
}
