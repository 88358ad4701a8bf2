import { describe, expect, it } from 'vitest';
import { configLines, MASKED } from '../../../../renderer/features/setup/config-plan.ts';
import { CONTENTS, choose, memoryStorage, mount, open, openable } from './setup-bench.ts';

describe('the last steps', () => {
  it('shows every line that will be written, the token masked, and what it replaces', async () => {
    const opened = open();
    await mount(opened);
    const entry = {
      isSecret: false,
      isSet: true,
      revision: '',
      effect: 'restart' as const,
      explanation: '',
      default: '',
    };
    const lines = configLines(opened.setup.get(), [
      { ...entry, key: 'app-id', value: 'old-app' },
      { ...entry, key: 'auth-token', value: null, isSecret: true },
    ]);
    expect(lines).toEqual([
      { key: 'iconik-url', shown: 'https://iconik.test/', replaces: null },
      { key: 'app-id', shown: 'app', replaces: 'old-app' },
      { key: 'auth-token', shown: MASKED, replaces: 'the token that is set' },
      { key: 'storage-gateway-id', shown: 'gw-1', replaces: null },
    ]);
    expect(JSON.stringify(lines)).not.toContain('tok"');
  });

  it('shows and writes no line for a token that goes into the key store', async () => {
    const opened = open();
    await mount(opened);
    opened.setup.tell({ type: 'token-place-chosen', place: 'key-store' });
    expect(configLines(opened.setup.get(), []).map(({ key }) => key)).not.toContain('auth-token');
    await opened.setup.continue();
    const write = opened.calls.find(({ name }) => name === 'config.write');
    expect(write?.params).toMatchObject({ tokenPlace: 'key-store', changes: { 'auth-token': 'tok' } });
  });

  it('writes exactly those keys, restarts the agent and forgets the token', async () => {
    const opened = open();
    await mount(opened);
    await opened.setup.continue();
    expect(opened.calls.slice(-2)).toEqual([
      {
        name: 'config.write',
        params: {
          changes: {
            'iconik-url': 'https://iconik.test/',
            'app-id': 'app',
            'auth-token': 'tok',
            'storage-gateway-id': 'gw-1',
          },
          tokenPlace: 'file',
        },
      },
      { name: 'agent.restart', params: {} },
    ]);
    expect(opened.setup.get()).toMatchObject({ step: 'start', writtenMs: 1000, account: { authToken: '' } });
    expect(openable(opened)).toEqual(['start']);
  });

  it('leaves the restart to main where there was no config.ini', async () => {
    const opened = open({ 'app.state': { config: { status: 'absent' } } });
    await mount(opened);
    await opened.setup.continue();
    expect(opened.made()).not.toContain('agent.restart');
    expect(opened.setup.get()).toMatchObject({ step: 'start', error: null });
  });

  it('lists what main refuses and restarts nothing', async () => {
    const opened = open({ 'config.write': { problems: ['app-id must be one word'] } });
    await mount(opened);
    await opened.setup.continue();
    expect(opened.setup.get()).toMatchObject({ step: 'review', problems: ['app-id must be one word'], work: null });
    expect(opened.made()).not.toContain('agent.restart');
  });

  it('a restart that fails is told in the last step: the file is written all the same', async () => {
    const opened = open({ 'agent.restart': () => Promise.reject(new Error('It does not stop.')) });
    await mount(opened);
    await opened.setup.continue();
    expect(opened.setup.get()).toMatchObject({ step: 'start', error: 'It does not stop.' });
  });

  it('can be started over with what was typed but the token', async () => {
    const opened = open();
    await mount(opened);
    await opened.setup.continue();
    opened.setup.tell({ type: 'started-over' });
    expect(opened.setup.get()).toMatchObject({
      step: 'account',
      writtenMs: null,
      account: { appId: ' app ', authToken: '' },
    });
  });
});

describe('a window that was closed', () => {
  it('finds again what was typed, but not the token', async () => {
    const first = open();
    await choose(first);
    first.setup.tell({ type: 'mount-typed', storageId: 'st-2', path: '/mnt/san' });
    const kept = [...first.storage.kept.values()].join();
    expect(kept).not.toContain('tok');
    const second = open({}, first.storage);
    expect(second.setup.wasResumed).toBe(true);
    expect(second.setup.get()).toMatchObject({ step: 'account', account: { appId: ' app ', authToken: '' } });
    second.setup.tell({ type: 'account-typed', account: { authToken: 'tok' } });
    await second.setup.continue();
    expect(second.setup.get().gatewayId).toBe('gw-1');
    await second.setup.continue();
    await second.setup.continue();
    expect(second.setup.get().step).toBe('review');
  });

  it('a gateway that is gone meanwhile is not chosen any more', async () => {
    const first = open();
    await choose(first);
    const second = open({ 'setup.look': { ...CONTENTS, gateways: [] } }, first.storage);
    second.setup.tell({ type: 'account-typed', account: { authToken: 'tok' } });
    await second.setup.continue();
    expect(second.setup.get()).toMatchObject({ gatewayId: null, mode: 'new' });
  });

  it('nothing is kept once config.ini is written', async () => {
    const opened = open();
    await mount(opened);
    await opened.setup.continue();
    expect(opened.storage.kept.size).toBe(0);
  });

  it.each(['{', '[]', '{"iconikUrl":1}', '{"iconikUrl":"x","appId":"y"}'])('a draft like %s is passed over', (text) => {
    const storage = memoryStorage();
    storage.setItem('isg-pro.set-up', text);
    expect(open({}, storage).setup.wasResumed).toBe(false);
  });
});

describe('an installation that is set up already', () => {
  const entry = (key: string, value: string) => ({
    key,
    value,
    isSecret: false,
    isSet: true,
    explanation: '',
    default: '',
  });
  const config = {
    path: '/c.ini',
    entries: [entry('iconik-url', 'https://own.test/'), entry('app-id', 'own'), entry('storage-gateway-id', 'gw-2')],
  };

  it('begins with what config.ini says', async () => {
    const opened = open({ 'config.read': config });
    await opened.setup.prefill();
    expect(opened.setup.get()).toMatchObject({
      account: { iconikUrl: 'https://own.test/', appId: 'own' },
      gatewayId: 'gw-2',
    });
  });

  it('never over what was typed, and without config.ini not at all', async () => {
    const opened = open({ 'config.read': config });
    opened.setup.tell({ type: 'account-typed', account: { appId: 'typed' } });
    await opened.setup.prefill();
    expect(opened.setup.get().account.appId).toBe('typed');
    const without = open();
    await without.setup.prefill();
    expect(without.setup.get().account.appId).toBe('');
  });
});
